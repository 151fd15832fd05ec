"""Several output folders become one, or every disagreement is told and nothing is written."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import restorebench
from restorebench.bench.errors import StoreError
from restorebench.bench.sharing import merge_tables
from restorebench.bench.sharing.merge import merge
from restorebench.bench.storage import results
from restorebench.bench.storage.store import Commit, Store

PLAIN = [
    "metric=[]",
    "mlflow.enabled=false",
    "report.enabled=false",
    "threads=1",
    "executor=inline",
    "dataset=folder",
    "degradation=[mild]",
]
MAE = "+metric.mae._target_=fakes.Mae"
COLOUR = "+metric.colour._target_=fakes.ColourDistance"


def run(faces: Path, out: Path, adapters: str, *more: str) -> Path:
    restorebench.run(f"dataset.folder.root={faces}", f"adapter={adapters}", *PLAIN, *more, out=out)
    return out


def csv(out: Path) -> str:
    restorebench.report(out, "report.figures.enabled=false")
    return (out / "report" / "leaderboard.csv").read_text()


def files(out: Path) -> dict[str, bytes]:
    kept = ("commits", "cells", "images", "features", "plans")
    found = [path for kind in kept for path in (out / "store" / kind).rglob("*") if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def halves(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two restorers apart, and both in one folder."""
    folder = tmp_path_factory.mktemp("halves")
    one = run(small_faces, folder / "one", "[input]", MAE, COLOUR)
    two = run(small_faces, folder / "two", "[lanczos]", MAE, COLOUR)
    both = run(small_faces, folder / "both", "[input,lanczos]", MAE, COLOUR)
    return one, two, both


def test_the_merged_report_is_that_of_everything_in_one_folder(halves: tuple[Path, Path, Path], tmp_path: Path) -> None:
    one, two, both = halves
    done = merge([one, two], tmp_path)
    assert not done.conflicts
    assert csv(tmp_path) == csv(both)
    assert [*Store(tmp_path).verify()] == []


def test_images_are_linked_and_a_second_merge_adds_nothing(halves: tuple[Path, Path, Path], tmp_path: Path) -> None:
    one, two, _ = halves
    assert merge([one, two], tmp_path).added["images"] > 0
    before = files(tmp_path)
    image = next((tmp_path / "store" / "images").rglob("*.png"))
    assert image.stat().st_nlink > 1
    assert not merge([one, two], tmp_path).added.total()
    assert not merge([two], tmp_path).added.total()
    assert files(tmp_path) == before


def test_a_folder_can_take_in_another_one(halves: tuple[Path, Path, Path], tmp_path: Path) -> None:
    one, two, both = halves
    own = Path(shutil.copytree(one, tmp_path / "own"))
    merge([two], own)
    assert csv(own) == csv(both)


def test_a_merge_that_was_cut_short_goes_on(
    halves: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, both = halves
    whole = merge_tables.write
    with monkeypatch.context() as patch:
        patch.setattr(
            "restorebench.bench.sharing.merge._write_table", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            merge([one, two], tmp_path)
    assert whole is merge_tables.write
    merge([one, two], tmp_path)
    assert csv(tmp_path) == csv(both)


def test_halves_of_a_set_become_the_whole_and_what_was_not_computed_is_no_miss(
    small_faces: Path, tmp_path: Path
) -> None:
    parts = {"first": "abc", "second": "cde"}
    for part, names in parts.items():
        folder = tmp_path / "faces" / part
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(small_faces / f"{name}.png", folder)
    run(tmp_path / "faces" / "first", tmp_path / "a", "[input]", MAE)
    run(
        tmp_path / "faces" / "second",
        tmp_path / "b",
        "[input]",
        MAE,
        "+metric.mae2._target_=fakes.Mae",
        "+metric.mae2.scale=2",
    )
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    rows = pd.read_csv(io.StringIO(csv(tmp_path / "c")))
    table = next(t for t in results.load(Store(tmp_path / "c")).tables if t.cell.restorer == "input")
    assert [*table.texts("sample")] == list("abcde")
    lacking = [
        name
        for name, text in zip(table.texts("sample"), table.texts("score_errors"), strict=True)
        if "not computed where" in text
    ]
    assert lacking == ["a", "b"]
    assert not any(row.metric.endswith("_missed") for row in rows.itertuples())


def damage(out: Path, factor: float) -> None:
    """Change every score of a store by a factor, as another machine would, in commits and tables."""
    store = Store(out)
    for path in [*(out / "store" / "commits").glob("*.json")]:
        content = store._read(path.stem)
        path.unlink()
        scores = {
            key: {name: value * factor for name, value in values.items()} for key, values in content["scores"].items()
        }
        rows = {
            key: row * np.float32(factor)
            for file, keys in content["features"].items()
            for key, row in zip(keys, store.feature_file(file), strict=True)
        }
        plain = {kind: content[kind] for kind in ("files", "degraded", "restored", "images")}
        Store(out).commit(Commit(**plain, scores=scores, features=rows))
    for table in results.load(Store(out)).tables:
        frame = table.frame()
        columns = [column for column in frame.columns if "@" in column]
        frame[columns] *= factor
        import pyarrow as pa

        path = out / "store" / "cells" / f"{table.cell.key}.parquet"
        arrow = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        about = table.rows.about
        merge_tables.write(path, about, merge_tables.Stream(arrow.schema, [arrow]))


@pytest.fixture
def rounded(halves: tuple[Path, Path, Path], tmp_path: Path) -> Path:
    other = Path(shutil.copytree(halves[0], tmp_path / "rounded"))
    damage(other, 1 + 1e-6)
    return other


def test_every_conflict_is_told_with_both_values_and_nothing_is_written(
    halves: tuple[Path, Path, Path], rounded: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "merged"
    status, told, error = command("merge", halves[0], rounded, f"out={out}")
    assert status == 2
    assert not out.exists()
    lines = [line for line in told.splitlines() if " · mild · " in line]
    assert len(lines) == 5  # five faces; the reference scores 0, which no factor changes
    assert lines[0].startswith("conflict: input · folder · mild · a: mae: 0.")
    assert f"in {halves[0]}" in lines[0]
    assert f"in {rounded}" in lines[0]
    assert "(relative difference 1.0e-06, as float rounding on another device or library does)" in lines[0]
    assert any(line.startswith("conflict: features ") for line in told.splitlines())
    assert "--prefer first|last" in error


@pytest.mark.parametrize(("prefer", "winner"), [("first", 0), ("last", 1)])
def test_a_preference_decides_and_stays_decided(
    halves: tuple[Path, Path, Path], rounded: Path, tmp_path: Path, prefer: str, winner: int
) -> None:
    sources = [halves[0], rounded]
    out = tmp_path / "merged"
    assert merge(sources, out, prefer).conflicts
    assert csv(out) == csv(sources[winner])
    assert [*Store(out).verify()] == []
    before = files(out)
    merge(sources, out, prefer)
    assert files(out) == before
    assert csv(out) == csv(sources[winner])


def test_a_restorer_that_failed_on_one_machine_is_a_conflict(small_faces: Path, tmp_path: Path) -> None:
    broken = ["+adapter.it._target_=fakes.Broken", "+adapter.it.victim=a", MAE]
    run(small_faces, tmp_path / "a", "[input]", *broken, "+adapter.it.how=raise")
    run(small_faces, tmp_path / "b", "[input]", *broken, "+adapter.it.how=raise", "limit=2")
    assert not merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c").conflicts
    table = next(t for t in results.load(Store(tmp_path / "c")).tables if t.cell.restorer == "it")
    assert [*table.texts("status")] == ["failed", "ok", "ok", "ok", "ok"]


def test_a_folder_without_results_is_one_line(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    status, _, error = command("merge", tmp_path / "nothing", f"out={tmp_path / 'out'}")
    assert status == 2
    assert (
        error
        == f"restorebench: {tmp_path / 'nothing'}: holds no finished results to merge; is it the out=DIR of a command?\n"
    )
    with pytest.raises(StoreError):
        merge([tmp_path], tmp_path / "out")
