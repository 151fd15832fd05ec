"""`synthesize`: what lies on the disk afterwards, whatever the order, the company or an interruption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from restorebench.bench.api import Degraded, Sample
from restorebench.bench.errors import ConfigError, DatasetError, ImageError, StoreError
from restorebench.bench.images import encode_png, pixel_digest, read
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec
from restorebench.bench.synthesis import COLUMNS, write_split
from restorebench.datasets.faces import BuiltinFaces

CONF = Path(__file__).resolve().parents[2] / "conf" / "degradation"


def spec_of(name: str) -> Spec:
    return Spec.of(yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")), name)


MEDIUM = spec_of("medium")


class Picky:
    """A third party's degradation with opinions about single images."""

    version = 1
    key = "picky"

    def __init__(self, clash: bool = False) -> None:
        self.clash = clash

    def __call__(self, image: Any, generator: np.random.Generator) -> Degraded:
        if image.shape[0] == 3:
            raise ImageError("three rows are too few")
        if image.shape[0] == 4:
            raise RuntimeError("surprise")
        if image.shape[0] == 5:
            return Degraded(image, None, {"extra": 0.5})
        return Degraded(image, None, {"seed" if self.clash else "level": int(generator.integers(9))})


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Twelve small textures, some in subfolders, one with a name from elsewhere."""
    made = []
    for index in range(12):
        noise = np.random.default_rng(index).integers(0, 256, (9, 7, 3), dtype=np.uint8)
        image = np.asarray(cv2.resize(noise, (60 + index, 70), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        id_ = f"földer {index % 2}/ünïcode {index:02}" if index % 3 == 0 else f"{index:02}"
        path = tmp_path / "hq" / f"{id_}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(image))
        made.append(Sample(id_, path))
    return made


def table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).set_index("id")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_faces_become_lossless_images_and_a_row_each(tmp_path: Path) -> None:
    faces = BuiltinFaces().samples()
    done = write_split(faces, "medium", MEDIUM, 0, tmp_path)
    assert (done.written, done.unchanged, done.failed) == (5, 0, 0)
    rows = table(done.parameters)
    assert list(rows.index) == [sample.id for sample in faces]
    degradation = MEDIUM.build()
    for sample in faces:
        assert sample.hq is not None
        made = degradation(read(sample.hq), numpy_generator(0, "degradation", "x8_medium", sample.id))
        np.testing.assert_array_equal(read(done.folder / "lq" / f"{sample.id}.png"), made.lq)
        np.testing.assert_array_equal(read(done.folder / "native" / f"{sample.id}.png"), made.native)
        row = rows.loc[sample.id]
        assert row.lq_sha256 == pixel_digest(made.lq)
        assert row.native_sha256 == pixel_digest(made.native)
        assert row.hq_sha256 == pixel_digest(read(sample.hq))
        assert {key: row[key] for key in made.parameters} == dict(made.parameters)
    assert set(rows.status) == {"ok"}
    assert (rows[["height", "width"]] == 512).all(axis=None)
    assert (rows[["native_height", "native_width"]] == 64).all(axis=None)


def test_the_table_says_what_made_it(samples: list[Sample], tmp_path: Path) -> None:
    rows = table(write_split(samples, "mine", MEDIUM, 7, tmp_path / "out").parameters)
    assert set(rows.columns) >= set(COLUMNS) - {"id"}
    assert set(rows.split) == {"mine"}
    assert set(rows.seed) == {7}
    assert set(rows.opencv) == {cv2.__version__}
    assert set(rows.numpy) == {np.__version__}
    assert all("GaussianBlur" in text and text.endswith("v1 seed=7") for text in rows.degradation)


def test_order_company_and_threads_change_no_byte(samples: list[Sample], tmp_path: Path) -> None:
    whole = write_split(samples, "s", MEDIUM, 0, tmp_path / "whole")
    reverse = write_split(samples[::-1], "s", MEDIUM, 0, tmp_path / "reverse", workers=3)
    some = write_split(samples[3:5], "s", MEDIUM, 0, tmp_path / "some")
    images = {name: data for name, data in files(whole.folder).items() if name.endswith(".png")}
    assert len(images) == 24
    assert {name: data for name, data in files(reverse.folder).items() if name.endswith(".png")} == images
    pd.testing.assert_frame_equal(table(reverse.parameters).sort_index(), table(whole.parameters).sort_index())
    few = {name: data for name, data in files(some.folder).items() if name.endswith(".png")}
    assert few.items() <= images.items()
    assert len(few) == 4


def test_a_repeated_call_rewrites_nothing_and_a_damaged_file_is_mended(samples: list[Sample], tmp_path: Path) -> None:
    first = write_split(samples, "s", MEDIUM, 0, tmp_path)
    before = files(first.folder)
    lq = first.folder / "lq"
    stamps = {path: path.stat().st_mtime_ns for path in lq.rglob("*.png")}
    again = write_split(samples, "s", MEDIUM, 0, tmp_path)
    assert (again.written, again.unchanged) == (0, 12)
    assert {path: path.stat().st_mtime_ns for path in lq.rglob("*.png")} == stamps
    (lq / "01.png").write_bytes(b"half a fi")
    (lq / "02.png").unlink()
    mended = write_split(samples, "s", MEDIUM, 0, tmp_path)
    assert (mended.written, mended.unchanged) == (2, 10)
    assert files(first.folder) == before


def test_another_seed_makes_other_images(samples: list[Sample], tmp_path: Path) -> None:
    one, other = (write_split(samples, "s", MEDIUM, seed, tmp_path / str(seed)) for seed in (0, 1))
    assert not set(table(one.parameters).lq_sha256) & set(table(other.parameters).lq_sha256)


def test_without_native_only_the_lq_is_written(samples: list[Sample], tmp_path: Path) -> None:
    done = write_split(samples, "s", MEDIUM, 0, tmp_path / "out", native=False)
    assert not (done.folder / "native").exists()
    assert table(done.parameters).native_sha256.notna().all()


def test_bad_images_are_rows_and_the_rest_is_done(samples: list[Sample], tmp_path: Path) -> None:
    corrupt, gone = samples[1], samples[2]
    assert corrupt.hq is not None
    first = write_split(samples, "s", MEDIUM, 0, tmp_path)
    corrupt.hq.write_bytes(corrupt.hq.read_bytes()[:300])
    tiny = tmp_path / "tiny.png"
    tiny.write_bytes(encode_png(np.zeros((4, 90, 3), np.uint8)))
    changed = [
        *samples[:2],
        replace(gone, hq=tmp_path / "gone.png"),
        *samples[3:],
        Sample("tiny", tiny),
        Sample("lq", None),
    ]
    done = write_split(changed, "s", MEDIUM, 0, tmp_path)
    assert (done.written, done.unchanged, done.failed) == (0, 10, 4)
    rows = table(done.parameters)
    failed = rows[rows.status == "failed"].error
    assert set(failed.index) == {corrupt.id, gone.id, "tiny", "lq"}
    assert "damaged" in failed[corrupt.id]
    assert "gone.png" in failed[gone.id]
    assert "tiny.png: an image of 90 x 4 is too small" in failed["tiny"]
    assert "no reference" in failed["lq"]
    assert rows.loc[list(failed.index), "lq_sha256"].isna().all()
    assert not (first.folder / "lq" / f"{corrupt.id}.png").exists(), "an image without a row would contradict the table"
    assert not (first.folder / "native" / f"{corrupt.id}.png").exists()


@pytest.mark.parametrize("bad", ["../x", "/x", "a/../../x", "a//x", "./x", "", "C:\\x", "..\\x", "C:/x", "a\0b"])
def test_no_id_leads_out_of_the_folder(bad: str, samples: list[Sample], tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    before = files(tmp_path)
    done = write_split([samples[0], replace(samples[1], id=bad)], "s", MEDIUM, 0, out)
    assert done.failed == 1
    assert "cannot be a file name" in table(done.parameters).loc[bad].error
    after = {name for name in files(tmp_path) if not name.startswith("deep/out/s/")}
    assert after == set(before)


@pytest.mark.parametrize("split", ["..", "a/b", "", "/tmp"])
def test_a_split_is_named_like_a_folder(split: str, samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a folder"):
        write_split(samples, split, MEDIUM, 0, tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "out" / "s").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "s" / "lq").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="leads out"):
        write_split(samples, "s", MEDIUM, 0, tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_unwritable_out_is_a_store_error(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        write_split(samples, "s", MEDIUM, 0, tmp_path / "file")


def test_photos_without_references_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no reference images"):
        write_split([Sample("a", None, tmp_path / "a.png")], "s", MEDIUM, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_any_degradation_that_fits_the_contract_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its errors fail single images, and parameters that only some images have become columns with gaps."""
    monkeypatch.setattr(Spec, "build", lambda self: Picky(**self.arguments))
    samples = []
    for rows in (2, 3, 4, 5):
        path = tmp_path / f"{rows}.png"
        path.write_bytes(encode_png(np.zeros((rows, 8, 3), np.uint8)))
        samples.append(Sample(str(rows), path))
    target = "restorebench.datasets.degradation.Pipeline"
    done = write_split(samples, "s", Spec(target, {}), 0, tmp_path / "out")
    table_ = table(done.parameters)
    assert list(table_.status) == ["ok", "failed", "failed", "ok"]
    assert table_.error["3"].endswith("3.png: three rows are too few")
    assert table_.error["4"] == "degradation: RuntimeError: surprise"
    assert 0 <= table_.level["2"] < 9
    assert table_.extra["5"] == 0.5
    assert pd.isna(table_.level["5"])
    with pytest.raises(ConfigError, match="seed are named like columns"):
        write_split(samples, "s", Spec(target, {"clash": True}), 0, tmp_path / "out")


def test_rows_are_gathered_over_many_blocks(tmp_path: Path) -> None:
    """One file under 600 ids: three blocks of rows, the first of them without a single good image."""
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encode_png(np.full((16, 16, 3), 90, np.uint8)))
    samples = [Sample(f"{i:03}", good if i >= 300 else bad) for i in range(600)]
    done = write_split(samples, "s", spec_of("x4_mild"), 0, tmp_path / "out")
    rows = table(done.parameters)
    assert list(rows.index) == [sample.id for sample in samples]
    assert (done.written, done.failed) == (300, 300)
    assert rows.blur_sigma_x[300:].between(1, 3).all()
    assert rows.noise_seed[300:].nunique() == 300
    assert rows.lq_sha256[300:].notna().all()
