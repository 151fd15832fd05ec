"""What the pages show works: links, make targets, commands, and the examples run as a reader would run them."""

import csv
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from restorebench.bench.api import Batch, PairMetric, Restorer
from restorebench.bench.cli import HYDRA_COMMANDS, PLAIN_COMMANDS, main
from restorebench.bench.spec import Spec
from restorebench.reports.leaderboard import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
HYDRA = re.compile(rf"restorebench ({'|'.join(HYDRA_COMMANDS)})\b")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    fence = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = (Block(page.name, *match) for page in PAGES for match in fence.findall(page.read_text(encoding="utf-8")))
    return [block for block in found if block.language == language]


def commands() -> Iterator[str]:
    """Yield the command lines of all pages, without comments."""
    for block in blocks("bash"):
        yield from (line for raw in block.text.splitlines() if (line := re.sub(r"\s+#.*|^#.*", "", raw).strip()))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A reader's folder, outside the package, with the files of the pages in it."""
    folder = tmp_path_factory.mktemp("reader")
    for block in blocks("yaml"):
        group, name = re.match(r"# @package (\w+)\.(\w+)\n", block.text).groups()
        (folder / "my_conf" / group).mkdir(parents=True, exist_ok=True)
        (folder / "my_conf" / group / f"{name}.yaml").write_text(block.text, encoding="utf-8")
    for block in blocks("python"):
        named = re.match(r"# (\w+\.py)\n", block.text)
        if named:
            (folder / named[1]).write_text(block.text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield folder


def imported(reader: Path, name: str) -> ModuleType:
    module = importlib.import_module(name)
    assert Path(str(module.__file__)).parent == reader
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_of_the_tree(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_page_of_outputs_explains_every_column_of_the_leaderboard_and_no_other() -> None:
    text = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    section = text.partition("## leaderboard.csv")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(COLUMNS)


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {line.split()[1] for line in commands() if line.startswith("make ")}
    assert shown
    assert shown <= targets


def test_the_makefile_has_the_targets_that_people_are_told_of() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= {"help", "install", "demo", "test", "lint", "bench", "clean"}


def test_every_command_that_is_shown_exists() -> None:
    shown = {line.split("restorebench", 1)[1].split()[0] for line in commands() if "restorebench " in line}
    assert shown
    assert shown <= {*HYDRA_COMMANDS, *PLAIN_COMMANDS}


@pytest.mark.parametrize("line", [line for line in commands() if HYDRA.search(line)])
def test_every_selection_that_is_shown_composes(
    line: str, reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(reader)
    assert main([*shlex.split(line.split("restorebench", 1)[1]), "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["out"]


def test_every_configuration_that_is_shown_builds_something_that_is_shown(reader: Path) -> None:
    shown = blocks("yaml")
    assert shown
    for block in shown:
        assert re.match(r"# @package (adapter|metric|dataset|degradation)\.\w+\n", block.text), block.page
        content = yaml.safe_load(block.text)
        filled = {key: str(reader) if value == "???" else value for key, value in content.items()}
        assert Spec.of(filled, block.page).build() is not None


def test_the_adapter_of_the_readme_has_fifteen_lines_at_most() -> None:
    (text,) = (block.text for block in blocks("python") if "class Median" in block.text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 15


def test_the_adapter_of_the_readme_is_a_restorer_that_removes_an_outlier(reader: Path) -> None:
    median = imported(reader, "my_restorers").Median(size=3)
    assert isinstance(median, Restorer)
    image = torch.full((1, 3, 8, 8), 0.5)
    image[0, :, 4, 4] = 1.0
    median.load(torch.device("cpu"))
    assert torch.equal(median.restore(Batch(("a",), image, (0,), ({},))), torch.full((1, 3, 8, 8), 0.5))


def test_the_adapter_of_the_readme_gets_onto_the_leaderboard(reader: Path) -> None:
    (line,) = {line for line in commands() if "--config-dir" in line and "median" in line}
    prefix, _, arguments = line.partition("restorebench ")
    assert prefix == "PYTHONPATH=. "
    less = ["degradation=[mild]", "metric=[psnr]", "limit=1", "mlflow.enabled=false"]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("restorebench")), *shlex.split(arguments), *less],
        capture_output=True,
        text=True,
        check=False,
        cwd=reader,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (reader / "out" / "report" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        psnr = {row["restorer"]: float(row["value"]) for row in csv.DictReader(file) if row["metric"] == "psnr"}
    assert psnr.keys() == {"input", "median", "reference"}
    assert 15 < psnr["median"] < 60
    assert psnr["median"] != psnr["input"]


def test_the_adapter_of_the_page_draws_from_the_seed_alone(reader: Path) -> None:
    noisy = imported(reader, "noisy").Noisy(sigma=10.0)
    assert isinstance(noisy, Restorer)
    images = torch.full((2, 3, 16, 16), 0.5)
    together = noisy.restore(Batch(("a", "b"), images, (1, 2), ({}, {})))
    alone = noisy.restore(Batch(("b",), images[1:], (2,), ({},)))
    assert torch.equal(together[1:], alone)
    assert not torch.equal(together[0], together[1])
    assert float((together - images).std()) == pytest.approx(10 / 255, rel=0.1)


def test_the_metric_of_the_page_measures_what_it_says(reader: Path) -> None:
    metric = imported(reader, "mae").MeanAbsoluteError(border=2)
    assert isinstance(metric, PairMetric)
    reference = torch.zeros(1, 3, 8, 8)
    restored = reference + 10 / 255
    restored[:, :, 0] = 1.0  # inside the border that is left out
    state = metric.prepare(reference, [{}])
    scores = metric.score(restored, state, None, [{}])
    assert set(scores) == {column.name for column in metric.columns}
    assert float(scores["mae"]) == pytest.approx(10.0, rel=1e-5)


def test_the_dataset_of_the_page_pairs_by_name(reader: Path, tmp_path: Path) -> None:
    for name in ("b_hq", "a_hq", "a_lq", "b_lq"):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / f"{name}.png")
    samples = imported(reader, "flat").Flat(str(tmp_path)).samples()
    assert [(s.id, s.hq.name, s.lq.name) for s in samples] == [
        ("a", "a_hq.png", "a_lq.png"),
        ("b", "b_hq.png", "b_lq.png"),
    ]
