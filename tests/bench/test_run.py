"""`run` from images to tables: what is computed, what is kept, what a failure costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from restorebench.bench.storage import results
from restorebench.bench.storage.store import Store

FAKE = ["metric=[]", "+metric.mae._target_=fakes.Mae", "mlflow.enabled=false", "report.enabled=false"]
BLEND = ["adapter=[input]", "+adapter.blend._target_=fakes.Blend"]
MILD = "degradation=[mild]"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, int]]:
    """Images computed since the last call, by what was done to them."""
    path = tmp_path / "calls.log"
    monkeypatch.setenv("FAKES_LOG", str(path))

    def counts() -> dict[str, int]:
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        found: dict[str, int] = {}
        for line in text.splitlines():
            what, images = line.split()
            found[what] = found.get(what, 0) + int(images)
        return found

    return counts


def run(command, faces: Path, out: Path, *more: str):
    return command("run", "dataset=folder", f"dataset.root={faces}", f"out={out}", *FAKE, *more)


def tables(out: Path) -> dict[tuple[str, str], pd.DataFrame]:
    return {(t.cell.restorer, t.cell.split): t.images for t in results.load(Store(out)).tables}


def values(images: pd.DataFrame, column: str = "mae") -> list[float]:
    return images[next(name for name in images.columns if name.startswith(f"{column}@"))].tolist()


def test_every_image_is_scored_against_its_own_reference(command, faces: Path, tmp_path: Path) -> None:
    outcome = run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert outcome.status == 0
    store = Store(tmp_path / "out")
    images = tables(tmp_path / "out")["blend", "mild"]
    assert images["sample"].tolist() == ["a", "b", "c", "d", "e"]
    for row, value in zip(images.itertuples(), values(images), strict=True):
        restored, hq = store.image(row.restored) / 255, store.image(row.hq) / 255
        assert value == pytest.approx(np.abs(restored - hq).mean(), abs=1e-7)
        expected = np.rint((store.image(row.lq) / 255 * 0.9 + 0.05) * 255)
        assert np.abs(store.image(row.restored) - expected).max() <= 1


def test_a_finished_command_does_nothing_again(command, faces: Path, tmp_path: Path, log) -> None:
    first = run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert log()["restore"] == 5
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "store").rglob("*.json")}
    second = run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert log() == {}
    assert (first.status, second.status) == (0, 0)
    commits = sorted(path for path in files if path.parent.name == "commits")
    assert commits == sorted((tmp_path / "out" / "store" / "commits").glob("*.json"))


def test_a_new_image_a_changed_image_and_a_new_metric_compute_only_what_is_new(
    command, faces: Path, tmp_path: Path, log
) -> None:
    run(command, faces, tmp_path / "out", *BLEND, MILD)
    log()
    image = cv2.imread(str(faces / "a.png"))
    cv2.imwrite(str(faces / "f.png"), image[::-1])
    cv2.imwrite(str(faces / "b.png"), image[:, ::-1])
    run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert log()["restore"] == 2
    run(command, faces, tmp_path / "out", *BLEND, MILD, "+metric.colour._target_=fakes.ColourDistance")
    counts = log()
    assert "restore" not in counts
    assert "score" not in counts
    assert counts["extract"] == 3 * 6  # reference, input and blend of six samples


def test_another_setting_is_another_restorer(command, faces: Path, tmp_path: Path, log) -> None:
    run(command, faces, tmp_path / "out", *BLEND, MILD)
    log()
    run(command, faces, tmp_path / "out", *BLEND, MILD, "+adapter.blend.amount=0.1")  # the default, written out
    assert "restore" not in log()
    run(command, faces, tmp_path / "out", *BLEND, MILD, "+adapter.blend.amount=0.3")
    assert log()["restore"] == 5


def test_references_are_prepared_once_for_all_restorers_and_splits(command, faces: Path, tmp_path: Path, log) -> None:
    run(command, faces, tmp_path / "out", *BLEND, "degradation=[mild,medium,severe]")
    counts = log()
    assert counts["prepare"] == 5
    assert counts["score"] == 5 * (2 * 3 + 1)  # the reference row is the same pixels on every split


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "RuntimeError: the network fell over"),
        ("holes", "NaN or infinite"),
        ("size", "returned 8 x 8, expected 64 x 64"),
        ("dtype", "expected floats"),
        ("shape", "expected (1, 3, H, W)"),
        ("none", "returned NoneType"),
    ],
)
def test_a_broken_restorer_costs_its_own_image_only(
    how: str, reason: str, command, faces: Path, tmp_path: Path
) -> None:
    broken = ["adapter=[input]", "+adapter.broken._target_=fakes.Broken", f"+adapter.broken.how={how}"]
    outcome = run(command, faces, tmp_path / "out", *broken, MILD)
    assert outcome.status == 3
    images = tables(tmp_path / "out")["broken", "mild"].set_index("sample")
    assert images["status"].tolist() == ["failed", "ok", "ok", "ok", "ok"]
    assert reason in images.loc["a", "error"]
    assert tables(tmp_path / "out")["input", "mild"]["status"].eq("ok").all()


def test_a_batch_too_large_for_memory_is_halved_and_says_so(command, faces: Path, tmp_path: Path) -> None:
    broken = ["adapter=[]", "+adapter.broken._target_=fakes.Broken", "+adapter.broken.how=memory"]
    outcome = run(command, faces, tmp_path / "out", *broken, MILD)
    assert outcome.status == 0
    images = tables(tmp_path / "out")["broken", "mild"].set_index("sample")
    assert images["status"].eq("ok").all()
    assert "halved" in images.loc["a", "note"]


def test_a_restorer_that_cannot_be_loaded_fails_its_rows(command, faces: Path, tmp_path: Path) -> None:
    outcome = run(command, faces, tmp_path / "out", "adapter=[input]", "+adapter.x._target_=fakes.Unloadable", MILD)
    assert outcome.status == 3
    assert tables(tmp_path / "out")["x", "mild"]["error"].str.contains("no such device").all()


def test_a_corrupt_image_among_good_ones_is_a_failed_row(command, faces: Path, tmp_path: Path) -> None:
    data = (faces / "c.png").read_bytes()
    (faces / "c.png").write_bytes(data[: len(data) // 2])
    outcome = run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert outcome.status == 3
    images = tables(tmp_path / "out")["blend", "mild"].set_index("sample")
    assert images["status"].to_dict() == {"a": "ok", "b": "ok", "c": "failed", "d": "ok", "e": "ok"}
    assert "c.png" in images.loc["c", "error"]


def test_a_metric_misses_and_fails_image_by_image(command, faces: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(faces / "a.png"), np.full((64, 64, 3), 250, np.uint8))
    cv2.imwrite(str(faces / "b.png"), np.zeros((64, 64, 3), np.uint8))
    outcome = run(command, faces, tmp_path / "out", "adapter=[input]", MILD, "+metric.picky._target_=fakes.Picky")
    images = tables(tmp_path / "out")["input", "mild"].set_index("sample")
    assert np.isnan(values(images, "picky")[0])
    assert "too dark" in images.loc["b", "score_errors"]
    assert "too dark" not in images.loc["a", "score_errors"]
    assert np.isfinite(values(images, "picky")[2:]).all()
    assert outcome.status == 3


def test_several_seeds_of_a_stochastic_restorer_are_several_cells(command, faces: Path, tmp_path: Path) -> None:
    noisy = ["adapter=[input]", "+adapter.noisy._target_=fakes.Noisy", "restorer.seeds=[0,1]", MILD]
    run(command, faces, tmp_path / "out", *noisy)
    found = [t for t in results.load(Store(tmp_path / "out")).tables if t.cell.restorer == "noisy"]
    assert sorted(t.cell.seed for t in found) == [0, 1]
    assert not set(found[0].images["restored"]) & set(found[1].images["restored"])
    run(command, faces, tmp_path / "one", *noisy, "batch=1")
    again = [t for t in results.load(Store(tmp_path / "one")).tables if t.cell.restorer == "noisy"]
    assert again[0].images["restored"].tolist() == found[0].images["restored"].tolist()


def test_a_damaged_image_of_the_store_is_made_again_when_it_is_needed(
    command, faces: Path, tmp_path: Path, log
) -> None:
    run(command, faces, tmp_path / "out", *BLEND, MILD)
    log()
    store = Store(tmp_path / "out")
    sha256 = tables(tmp_path / "out")["blend", "mild"]["restored"][0]
    path = store.image_path(sha256)
    path.write_bytes(path.read_bytes()[:100])
    run(command, faces, tmp_path / "out", *BLEND, MILD)
    assert log()["restore"] == 1
    assert Store(tmp_path / "out").image(sha256).shape == (64, 64, 3)


def test_without_keep_nothing_but_numbers_stays(command, faces: Path, tmp_path: Path, log) -> None:
    run(command, faces, tmp_path / "out", *BLEND, MILD, "keep=false")
    assert not list((tmp_path / "out" / "store").rglob("*.png"))
    log()
    run(command, faces, tmp_path / "out", *BLEND, MILD, "keep=false")
    assert log() == {}


def test_given_lq_images_are_used_as_they_are(command, faces: Path, tmp_path: Path) -> None:
    lq = tmp_path / "lq"
    lq.mkdir()
    for path in faces.glob("*.png"):
        cv2.imwrite(str(lq / path.name), cv2.resize(cv2.imread(str(path)), (16, 16), interpolation=cv2.INTER_AREA))
    outcome = command(
        "run", "dataset=pairs", f"dataset.hq={faces}", f"dataset.lq={lq}", f"out={tmp_path / 'out'}", *FAKE, *BLEND
    )
    assert outcome.status == 0
    images = tables(tmp_path / "out")["input", "given"]
    store = Store(tmp_path / "out")
    small = cv2.imread(str(lq / "a.png"))[:, :, ::-1]
    assert (store.image(images["native"][0]) == small).all()
    expected = cv2.resize(small, (64, 64), interpolation=cv2.INTER_LINEAR)
    assert (store.image(images["lq"][0]) == expected).all()


def test_photos_without_references_report_no_reference(command, faces: Path, tmp_path: Path) -> None:
    outcome = command(
        "run", "dataset=photos", f"dataset.root={faces}", f"out={tmp_path / 'out'}", *FAKE, *BLEND,
        "+metric.moved._target_=fakes.FromLq",
    )  # fmt: skip
    assert outcome.status == 0
    images = tables(tmp_path / "out")["blend", "given"]
    assert images["score_errors"].str.contains("no reference").all()
    assert np.isfinite(values(images, "moved")).all()
