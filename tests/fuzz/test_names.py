"""File names, ids and names of data sets may hold anything a file system takes."""

from __future__ import annotations

import html
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import hostile
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import RUN, SPLITS, World

QUICK = settings(
    max_examples=8, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def folder_of(world: World, names: list[str], where: str = "data") -> Path:
    """Copy one face under every name; names the file system refuses are left out."""
    folder = world.folder / where
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in names:
        try:
            shutil.copy(world.faces / "a.png", folder / f"{name}.png")
        except OSError:
            continue
    shutil.copy(world.faces / "b.png", folder / "plain.png")
    return folder


def clear(world: World) -> None:
    for path in world.folder.iterdir():
        if path.name.startswith(("out", "data", "lq", "-", "odd")) or path.name != "home":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@QUICK
@given(names=st.lists(hostile.NAMES, min_size=1, max_size=6))
def test_a_run_on_files_of_any_name_ends_in_plain_words(world: World, harmless: Callable, names: list[str]) -> None:
    clear(world)
    data = folder_of(world, names)
    ended = harmless(*RUN, *SPLITS, f"dataset.root={data}", f"out={world.out}", "mlflow.enabled=false")
    if ended.status == 0:
        table = pd.read_parquet(world.out / "report" / "per_image.parquet")
        assert "plain" in set(table["sample"])


def test_nasty_names_are_scored_and_shown_as_they_are(world: World, harmless: Callable) -> None:
    data = folder_of(world, list(hostile.NASTY_NAMES))
    ended = harmless(*RUN, *SPLITS, f"dataset.root={data}", f"out={world.out}", "mlflow.enabled=false", statuses=(0, 2))
    if ended.status == 2:  # two forms of one name
        assert "have the same id" in ended.output
        (data / "e\u0301.png").unlink()
        harmless(*RUN, *SPLITS, f"dataset.root={data}", f"out={world.out}", "mlflow.enabled=false", statuses=(0,))
    samples = set(pd.read_parquet(world.out / "report" / "per_image.parquet")["sample"])
    assert {"-rf", "<script>alert(1)</script>".replace("/", "_"), "${oc.env:HOME}"} & samples
    page = (world.out / "report" / "index.html").read_text()
    assert "<script>alert(1)" not in page
    assert os.environ.get("HOME", "?") not in samples


def test_nasty_names_of_results_are_paired_and_scored(world: World, harmless: Callable) -> None:
    names = [name for name in hostile.NASTY_NAMES if name != "e\u0301"]
    data, results = folder_of(world, names), folder_of(world, names, "results")
    score = (
        "score",
        f"restored={results}",
        f"reference={data}",
        "metric=psnr",
        f"out={world.out}",
        "mlflow.enabled=false",
    )
    ended = harmless(*score, "threads=1", "device=cpu", "report.figures.enabled=false", statuses=(0,))
    assert ended.status == 0


def test_nasty_names_are_synthesized_below_out(world: World, harmless: Callable) -> None:
    data = folder_of(world, [name for name in hostile.NASTY_NAMES if name != "e\u0301"])
    harmless("synthesize", "dataset=folder", f"dataset.root={data}", *SPLITS, f"out={world.out}", statuses=(0, 3))
    assert (world.out / "soft" / "lq" / "plain.png").exists()


@pytest.mark.parametrize(
    "name", ["../../evil", "/evil", "..", "a/b", "x" * 300, "a\nb", "<b>", "", " ", "é", "-x", "\\"]
)
def test_a_data_set_may_be_called_anything(world: World, harmless: Callable, name: str) -> None:
    quoted = "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
    arguments = (*RUN, *SPLITS, f"dataset.root={world.faces}", f"dataset.folder.name={quoted}", f"out={world.out}")
    figures = "report.figures.enabled=true" if name == "../../evil" else "report.figures.enabled=false"
    harmless(*arguments, "mlflow.enabled=false", "limit=2", figures)


@pytest.mark.parametrize(
    "name",
    ["odd name", "-odd", "odd=1", "odd,{}", "odd'", 'odd"', "odd${x}", "oddé中", "odd%", "odd[1]", "odd\nline", "odd#"],
)
def test_out_may_be_called_anything(world: World, harmless: Callable, name: str) -> None:
    out = world.folder / name
    data = ("dataset=folder", f"dataset.root={world.faces}")
    harmless(*RUN, *SPLITS, *data[1:], f"out={out}", "mlflow.enabled=false", "limit=2", out=out, statuses=(0,))
    assert (out / "report" / "leaderboard.csv").exists()


def test_links_in_a_data_set_lead_nowhere_else(world: World, harmless: Callable) -> None:
    data = folder_of(world, ["a"])
    (data / "loop").symlink_to(data)
    (data / "gone.png").symlink_to(world.folder / "nowhere.png")
    (data / "device.png").symlink_to("/dev/null")
    os.mkfifo(data / "pipe.png")
    harmless(*RUN, *SPLITS, f"dataset.root={data}", f"out={world.out}", "mlflow.enabled=false", statuses=(3,))


def test_an_output_folder_with_links_out_of_it_writes_nothing_there(world: World, harmless: Callable) -> None:
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir()
    (world.out / "soft").mkdir(parents=True)
    (world.out / "soft" / "lq").symlink_to(elsewhere)
    harmless(
        "synthesize", "dataset=folder", f"dataset.root={world.faces}", *SPLITS, f"out={world.out}", statuses=(2, 3)
    )
    assert not list(elsewhere.iterdir())


def test_the_page_shows_names_as_text(world: World, harmless: Callable) -> None:
    name = "<img src=x onerror=alert(1)>"
    arguments = (*RUN, *SPLITS, f"dataset.root={world.faces}", f"dataset.folder.name='{name}'", f"out={world.out}")
    harmless(*arguments, "mlflow.enabled=false", "limit=2", statuses=(0,))
    page = (world.out / "report" / "index.html").read_text()
    assert name not in page
    assert html.escape(name) in page or "onerror" not in page or "\\u003c" in page


def test_images_of_every_kind_among_good_ones_cost_their_own_rows(world: World, harmless: Callable) -> None:
    data = world.folder / "data"
    data.mkdir()
    for number, content in enumerate(hostile.special_files().values()):
        (data / f"bad{number:03}.png").write_bytes(content)
    draw = random.Random(7)
    for number, (kind, suffix) in enumerate(hostile.FORMATS.items()):
        hostile.picture("RGB", (20, 20), number).save(data / f"good{number}{suffix}", kind)
        cut = bytearray((data / f"good{number}{suffix}").read_bytes())
        del cut[draw.randrange(1, len(cut)) :]
        (data / f"cut{number}{suffix}").write_bytes(cut)
    harmless(*RUN, *SPLITS, f"dataset.root={data}", f"out={world.out}", "mlflow.enabled=false", statuses=(3,))
    table = pd.read_parquet(world.out / "report" / "per_image.parquet")
    good = table[table["sample"].str.startswith("good")]
    assert (good["status"] == "ok").all()
    assert len(good) == 5 * 3 * 2
    bad = table[table["sample"].str.startswith("bad") & (table["status"] == "failed")]
    assert bad["sample"].nunique() >= 28
    assert bad["error"].str.len().gt(10).all()
    assert not bad["error"].str.contains("\n").any()
