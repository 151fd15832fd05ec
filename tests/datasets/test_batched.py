"""The batched path: the same draws, nearly the same images, another identity, whatever the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from restorebench.bench.configuration import compose_config, run_request, splits
from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import Pixels
from restorebench.bench.plan import make
from restorebench.bench.seeds import numpy_generator
from restorebench.datasets.batched import BatchedPipeline
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.steps import Back, Down, GaussianBlur, GaussianNoise, Jpeg

BUILTIN = Path(__file__).parents[2] / "datasets" / "builtin"
SPLITS = ["mild", "medium", "severe"]
PRESETS = ["gfpgan", "vqfr_v2", "restoreformer", "codeformer_large", "difface", "dfdnet", "psfrgan", "realesrgan"]


@pytest.fixture(scope="module")
def faces() -> list[Pixels]:
    return [cv2.imread(str(path))[:, :, ::-1].copy() for path in sorted(BUILTIN.glob("*.png"))[:3]]


def both(name: str) -> tuple[Pipeline, BatchedPipeline]:
    (reference,) = splits(compose_config("run", [f"degradation=[{name}]"])["degradation"]).values()
    (batched,) = splits(
        compose_config("run", [f"degradation=[{name}]", "degradation.path=torch_cpu"])["degradation"]
    ).values()
    assert reference is not None
    assert batched is not None
    return reference.build(), batched.build()


def generators(key: str, count: int, seed: int = 0) -> list[np.random.Generator]:
    return [numpy_generator(seed, "degradation", key, f"face {i}") for i in range(count)]


@pytest.mark.parametrize("name", [*SPLITS, *PRESETS])
def test_it_draws_what_the_reference_draws_and_comes_close(name: str, faces: list[Pixels]) -> None:
    reference, batched = both(name)
    expected = [reference(face, g) for face, g in zip(faces, generators(reference.key, 3), strict=True)]
    found = batched.batch(faces, generators(batched.key, 3))
    assert [one.parameters for one in found] == [one.parameters for one in expected]
    apart = np.stack([np.abs(a.lq.astype(int) - b.lq) for a, b in zip(expected, found, strict=True)])
    assert apart.mean() < 0.25  # 8-bit levels; docs/degradations.md has the measured ones
    assert (apart > 1).mean() < 0.01
    for one, other in zip(expected, found, strict=True):
        assert (one.native is None) == (other.native is None)
        if one.native is not None and other.native is not None:
            assert np.abs(one.native.astype(int) - other.native).mean() < 0.25


@pytest.mark.parametrize("name", ["severe", "gfpgan", "difface"])
def test_batch_mates_change_nothing(name: str, faces: list[Pixels]) -> None:
    _, batched = both(name)
    small = [faces[0], np.ascontiguousarray(faces[1][:300, :200]), faces[2]]  # of different sizes too
    together = batched.batch(small, generators(batched.key, 3))
    for i, face in enumerate(small):
        alone = batched(face, generators(batched.key, 3)[i])
        np.testing.assert_array_equal(alone.lq, together[i].lq)


def test_blur_and_resize_differ_from_opencv_by_float_rounding_only(faces: list[Pixels]) -> None:
    """Before anything is rounded to 8 bits: 0-255 scale."""
    for step, most in (
        (GaussianBlur((2, 9), isotropic=0), 2e-3),
        (Down((3, 9)), 2e-3),
        (Down((3, 9), "bicubic"), 2e-3),
    ):
        drawn = step.draw(np.random.default_rng(0))
        expected = step.apply(faces[0].astype(np.float32), drawn, faces[0].shape[:2])
        batched = BatchedPipeline("k", [step])
        image = torch.from_numpy(faces[0]).permute(2, 0, 1).float()
        (found,) = batched._step(step, [image], [drawn], [faces[0].shape[:2]])
        assert np.abs(found.permute(1, 2, 0).numpy() - expected).max() < most


def test_another_image_can_be_degraded_with_what_was_drawn(faces: list[Pixels]) -> None:
    _, batched = both("severe")
    made = batched(faces[0], generators(batched.key, 1)[0])
    np.testing.assert_array_equal(batched.apply(faces[0], made.parameters).lq, made.lq)
    assert not np.array_equal(batched.apply(faces[1], made.parameters).lq, made.lq)


def test_the_paths_never_share_an_identity() -> None:
    ids = set()
    for path in ("opencv", "torch_cpu", "torch_cuda"):
        chosen = ["adapter=[input]", "metric=[psnr]", "degradation=[mild]", f"degradation.path={path}"]
        plan = make(run_request(compose_config("run", chosen), splits_chosen=True))
        ids |= {cell.split_id for cell in plan.cells}
    assert len(ids) == 3


def test_results_of_both_paths_stand_apart_in_one_out(command: Callable, small_faces: Path, tmp_path: Path) -> None:
    data = ["dataset=folder", f"dataset.folder.root={small_faces}", "adapter=[input]", "metric=[psnr]"]
    common = [*data, "degradation=[mild]", f"out={tmp_path / 'out'}", "mlflow.enabled=false", "reference_row=false"]
    for path in ("opencv", "torch_cpu"):
        assert command("run", *common, f"degradation.path={path}").status == 0
    lines = (tmp_path / "out" / "report" / "leaderboard.csv").read_text().splitlines()[1:]
    names = {line.split(",")[2] for line in lines}
    assert len(names) == 2
    assert all(name.startswith("mild~") for name in names)


def test_synthesize_writes_the_same_bytes_as_single_calls(command: Callable, small_faces: Path, tmp_path: Path) -> None:
    data = [
        "dataset=folder",
        f"dataset.folder.root={small_faces}",
        "degradation=[severe]",
        "degradation.path=torch_cpu",
    ]
    assert command("synthesize", *data, f"out={tmp_path}").status == 0
    _, batched = both("severe")
    for file in sorted(small_faces.glob("*.png")):
        image = cv2.imread(str(file))[:, :, ::-1].copy()
        expected = batched(image, numpy_generator(0, "degradation", batched.key, file.stem)).lq
        found = cv2.imread(str(tmp_path / "severe" / "lq" / file.name))[:, :, ::-1]
        np.testing.assert_array_equal(found, expected)
    (identity,) = set(pq.read_table(tmp_path / "severe" / "parameters.parquet")["degradation"].to_pylist())
    assert "BatchedPipeline" in identity
    assert '"device": "cpu"' in identity


def test_one_bad_image_spoils_no_other(command: Callable, faces_folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(faces_folder / "b.png"), np.zeros((8, 8, 3), np.uint8))  # too small to be blurred in torch
    (faces_folder / "c.png").write_bytes(b"no image")
    data = ["dataset=folder", f"dataset.folder.root={faces_folder}", "degradation=[mild]", "degradation.path=torch_cpu"]
    outcome = command("synthesize", *data, f"out={tmp_path / 'lq'}")
    assert outcome.status == 3
    assert sorted(path.stem for path in (tmp_path / "lq" / "mild" / "lq").iterdir()) == ["a", "d", "e"]
    assert "too small to be blurred with 41 x 41" in outcome.stdout


@pytest.fixture
def faces_folder(small_faces: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(small_faces, tmp_path / "faces"))


def test_what_cannot_be_batched_or_is_not_here_is_said() -> None:
    with pytest.raises(ConfigError, match=r"degradation.path: 'torch' is not opencv, torch_cpu, torch_cuda"):
        splits({"path": "torch", "mild": None})
    other = {"_target_": "fakes.Blend"}
    with pytest.raises(ConfigError, match="no batched form"):
        splits({"path": "torch_cpu", "own": other})
    with pytest.raises(ConfigError, match="cpu or cuda"):
        BatchedPipeline("k", [], "tpu")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"steps\.Back"):
        BatchedPipeline("k", [Down(4)])(np.zeros((32, 32, 3), np.uint8), np.random.default_rng(0))
    steps = [Down(40), GaussianNoise(1), Jpeg(90), Back()]
    with pytest.raises(ImageError, match="too small"):
        BatchedPipeline("k", steps)(np.zeros((32, 32, 3), np.uint8), np.random.default_rng(0))
