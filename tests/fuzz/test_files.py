"""Checkpoints, archives and statistics are data: nothing in them runs, and nothing leads outside."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import hostile
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import RUN, World

from restorebench.bench import checkpoint
from restorebench.bench.errors import DatasetError, RestorebenchError, WeightsError
from restorebench.bench.metrics import reference
from restorebench.bench.weights import archive

SETTINGS = settings(
    max_examples=120, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.canary}'",)


def saved(content: object, **more: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **more)
    return buffer.getvalue()


def legacy(content: object) -> bytes:
    return saved(content, _use_new_zipfile_serialization=False)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def lying_safetensors(length: int, told: str = "{}") -> bytes:
    return struct.pack("<Q", length) + told.encode()


def tensors_at(start: int, end: int, shape: list[int]) -> bytes:
    told = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}}).encode()
    return struct.pack("<Q", len(told)) + told + bytes(16)


def checkpoints(canary: Path) -> dict[str, bytes]:
    """Files called checkpoints, by what they are."""
    good = saved({"w": torch.ones(2)})
    return {
        "a pickle that runs code": pickle.dumps({"w": Bomb(canary)}),
        "a pickle that runs code.pth": saved({"w": torch.ones(1), "x": Bomb(canary)}),
        "an old pickle that runs code.pth": legacy({"x": Bomb(canary)}),
        "a whole module.pth": saved(torch.nn.Linear(1, 1)),
        "truncated.pth": good[: len(good) // 2],
        "empty.pth": b"",
        "text.pth": b"import os\nos.system('touch canary')\n",
        "zip with other members.pth": zipped({"hello.txt": b"hello"}),
        "zip that climbs.pth": zipped({"../../canary": b"x", "archive/data.pkl": pickle.dumps(Bomb(canary))}),
        "list.pth": saved([1, 2, 3]),
        "numbers.pth": saved({"w": 1, "b": "text"}),
        "deep.pth": saved({"w": {"w": {"w": {}}}}),
        "keys that are no text.pth": saved({1: torch.ones(1), None: torch.ones(1)}),
        "header longer than the file.safetensors": lying_safetensors(2**40),
        "header of all bits.safetensors": lying_safetensors(2**64 - 1),
        "no header.safetensors": b"\0\0",
        "offsets outside.safetensors": tensors_at(0, 2**40, [2**38]),
        "negative offsets.safetensors": tensors_at(-16, 0, [4]),
        "shape that does not fit.safetensors": tensors_at(0, 16, [2**31, 2**31]),
        "header that is no JSON.safetensors": lying_safetensors(4, "nope"),
        "pickle.safetensors": pickle.dumps(Bomb(canary)),
    }


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.mark.parametrize("name", checkpoints(Path("canary")))
def test_a_hostile_checkpoint_is_refused_in_one_line_and_runs_nothing(name: str, tmp_path: Path, canary: Path) -> None:
    path = tmp_path / name
    path.write_bytes(checkpoints(canary)[name])
    with pytest.raises(WeightsError) as refused:
        checkpoint.check(checkpoint.read(path), {"w": (2,)}, name)
    assert str(path) in str(refused.value) or name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not canary.exists()


@SETTINGS
@given(
    hostile.mutated(
        st.sampled_from([saved({"w": torch.ones(2)}), legacy({"w": torch.ones(2)}), tensors_at(0, 16, [4])])
    ),
    st.sampled_from([".pth", ".safetensors", ".ckpt"]),
)
def test_any_bytes_are_a_checkpoint_or_one_line(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    try:
        state = checkpoint.read(path)
    except WeightsError as error:
        hostile.one_line(error, path)
    else:
        assert all(isinstance(value, torch.Tensor) for value in state.values())


@pytest.mark.parametrize(
    ("adapter", "suffix"),
    [("spandrel", ".pth"), ("spandrel", ".safetensors"), ("onnx", ".onnx"), ("exported", ".pt2"), ("gfpgan", ".pth"),
     ("codeformer", ".pth"), ("dncnn", ".pth"), ("lut3d_paired", ".pth")],
)  # fmt: skip
def test_a_restorer_given_a_hostile_file_ends_in_one_line(
    adapter: str, suffix: str, world: World, harmless: Callable, canary: Path
) -> None:
    files = checkpoints(canary)
    contents = {"pickle": files["a pickle that runs code.pth"], "noise": bytes(range(256)) * 8, "nothing": b""}
    for what, content in contents.items():
        path = world.folder / f"{what}{suffix}"
        path.write_bytes(content)
        data = (
            "dataset=folder",
            f"dataset.root={world.faces}",
            *[a for a in RUN if a.startswith(("metric", "+metric"))],
        )
        ended = harmless(
            "run", "executor=inline", f"adapter={adapter}", f"adapter.{adapter}.checkpoint={path}", *data, f"out={world.out}", "limit=1",
            "degradation=mild", "mlflow.enabled=false", "report.enabled=false", "device=cpu", "fetch=false",
            statuses=(2, 3),
        )  # fmt: skip
        assert not canary.exists()
        assert ended.output.strip()


# -- archives ---------------------------------------------------------------------------------


def tarred(*members: tarfile.TarInfo, data: bytes = b"data") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            file.addfile(member, io.BytesIO(data) if member.isreg() else None)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


LINKS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../up", "net.bin", "C:\\x", "a\nb"])
def test_only_wanted_members_are_taken_and_only_to_where_they_belong(name: str, tmp_path: Path) -> None:
    for file, data in {
        "x.tar.gz": tarred(member(name), member("net.bin")),
        "x.zip": zipped({name: b"data", "net.bin": b"data"}),
    }.items():
        source = tmp_path / "deep" / "deeper" / file
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(data)
        target = source.parent / "taken"
        archive.take(source, {"net.bin": target})
        assert target.read_bytes() == b"data"
        assert {p.name for p in tmp_path.rglob("*") if p.is_file()} <= {"taken", "x.tar.gz", "x.zip"}


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_or_device_in_place_of_a_member_is_refused(kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "x.tar.gz"
    path.write_bytes(tarred(member("net.bin", kind, str(tmp_path / "secret"))))
    with pytest.raises(WeightsError, match="not a regular file"):
        archive.take(path, {"net.bin": tmp_path / "taken"})
    assert not (tmp_path / "taken").exists()


@SETTINGS
@given(hostile.mutated(st.sampled_from([tarred(member("net.bin")), zipped({"net.bin": b"data" * 50})])))
def test_any_bytes_are_an_archive_or_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(data)
    try:
        archive.take(path, {"net.bin": tmp_path / "taken"})
    except WeightsError as error:
        hostile.one_line(error, "x.whl: ")
    assert {p.name for p in tmp_path.iterdir()} <= {"x.whl", "taken", "canary"}


# -- statistics -------------------------------------------------------------------------------


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def facts(**more: object) -> np.ndarray:
    told = {
        "format": 1,
        "name": "x",
        "count": 3,
        "digest": "ab",
        "extractor_id": "",
        "keep": 1,
        "parts": [],
        "failed": [],
    }
    return np.array(json.dumps({**told, **more}))


GOOD = {"mu": np.zeros(2), "sigma": np.eye(2), "rows": np.zeros((1, 2), np.float32), "order": np.zeros(1, np.uint64)}


def statistics(canary: Path) -> dict[str, bytes]:
    return {
        "empty.npz": b"",
        "text.npz": b"hello",
        "objects.npz": npz(mu=np.array([Bomb(canary)], dtype=object), sigma=np.eye(2)),
        "facts that are objects.npz": npz(**GOOD, facts=np.array([Bomb(canary)], dtype=object)),
        "no mean.npz": npz(sigma=np.eye(2)),
        "shapes.npz": npz(mu=np.zeros(3), sigma=np.eye(2)),
        "texts.npz": npz(mu=np.array(["a"]), sigma=np.array([["b"]])),
        "holes.npz": npz(mu=np.zeros(2), sigma=np.full((2, 2), np.nan)),
        "complex.npz": npz(mu=np.zeros(2, complex), sigma=np.eye(2, dtype=complex)),
        "facts that are no JSON.npz": npz(**GOOD, facts=np.array("{")),
        "facts that are a list.npz": npz(**GOOD, facts=np.array("[]")),
        "facts without format.npz": npz(**GOOD, facts=np.array("{}")),
        "facts of another kind.npz": npz(**GOOD, facts=facts(more="x")),
        "facts with wrong types.npz": npz(**GOOD, facts=facts(count="many", digest=7, parts=3)),
        "digest that is no number.npz": npz(**GOOD, facts=facts(digest="xyz")),
        "climbing.npz": zipped({"../../canary.npy": b"x", "mu.npy": b"x", "sigma.npy": b"x"}),
        "pickle.pth": saved({"mean": Bomb(canary), "cov": 1}),
        "pickle.npz": pickle.dumps(Bomb(canary)),
        "no mean.pth": saved({"x": torch.ones(1)}),
        "list.pth": saved([1]),
        "not numbers.pth": saved({"mean": "a", "cov": "b"}),
        "name.npz": npz(**GOOD, facts=facts(name="../../../canary")),
    }


@pytest.mark.parametrize("name", statistics(Path("canary")))
def test_hostile_statistics_are_refused_in_one_line(name: str, tmp_path: Path, canary: Path) -> None:
    path = tmp_path / name
    path.write_bytes(statistics(canary)[name])
    try:
        opened = reference.load(path)
        assert "/" not in opened.column
        mean, covariance = opened.mean_and_covariance
        opened.gathered()
    except DatasetError as error:
        hostile.one_line(error, path)
    else:
        assert np.isfinite(mean).all()
        assert covariance.shape == (len(mean), len(mean))
    assert not canary.exists()
    assert [p.name for p in tmp_path.iterdir()] == [name]


@SETTINGS
@given(hostile.mutated(st.just(npz(**GOOD, facts=facts()))))
def test_any_bytes_are_statistics_or_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    try:
        opened = reference.load(path)
        opened.mean_and_covariance  # noqa: B018 - reading is the point
        opened.gathered()
    except RestorebenchError as error:
        hostile.one_line(error, path)


def test_merging_hostile_statistics_ends_in_one_line(world: World, harmless: Callable, canary: Path) -> None:
    for name, data in list(statistics(canary).items())[::4]:
        path = world.folder / name
        path.write_bytes(data)
        harmless("reference", f"merge=['{path}','{path}']", f"out={world.out / 'x.npz'}", statuses=(2,))
    assert not canary.exists()
