"""pdflatex (Debian: texlive-latex-recommended, texlive-science) takes every table, whatever the names in it."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from handmade import GAP, Writer, sha, table_metric

from restorebench.bench import cli
from restorebench.reports.build import build
from restorebench.reports.comparisons import comparisons
from restorebench.reports.leaderboard import Board, board
from restorebench.reports.tables.arrange import arrange
from restorebench.reports.tables.choices import Choices, FigureChoices
from restorebench.reports.tables.latex import latex, preview
from restorebench.reports.tables.preset import Preset, preset

pytestmark = pytest.mark.browser

CONF = Path(__file__).resolve().parents[2] / "conf" / "table"
PRESETS = sorted(path.stem for path in CONF.glob("*.yaml"))
PACKAGES = {
    "pdflatex": "texlive-latex-base texlive-latex-recommended texlive-science",
    "pdftotext": "poppler-utils",
    "pdftoppm": "poppler-utils",
}
NAMES = [
    "a_b%c&d#e$f{g}h~i^j\\k",
    "é e\u0301 ñ Š ø ß Ω Α σ 中 😀 \u200b",
    "=1+1 -- ,, ?` !` '' ``",
    "[x]* \\input{/etc/passwd} \\end{document}",
    "<img src=x onerror=alert(1)>",
    "x" * 90,
    "plain",
]
OVERFULL = 2.0
"""Points that a line may stick out: less than a letter."""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing; install it: apt-get install {PACKAGES[name]}")
    return found


def compiled(folder: Path, name: str = "preview") -> str:
    """Run pdflatex as a user would; return the text of its pages."""
    command = [program("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(too_wide, default=0) <= OVERFULL, log
    assert "Warning" not in re.sub(r"LaTeX Warning: (Label|There were undefined|Reference).*", "", log), log
    text = subprocess.run(
        [program("pdftotext"), "-layout", f"{name}.pdf", "-"], cwd=folder, capture_output=True, check=True
    ).stdout
    return text.decode()


def ink(folder: Path, name: str = "preview") -> list[float]:
    """Share of dark pixels of each page."""
    import cv2

    subprocess.run([program("pdftoppm"), "-r", "50", "-gray", "-png", f"{name}.pdf", name], cwd=folder, check=True)
    pages = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob(f"{name}-*.png"))]
    return [float((page < 128).mean()) for page in pages]


def shipped(name: str) -> Preset:
    return preset(name, yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")))


# -- a store with the sets, splits and metrics that the presets name --------------------------------------------

SETS = ["celeba_test", "celeba_test_codeformer", "celeba_test_daefr", "lfw_test", "webphoto_test", "wider_test"]
SETS += ["celebchild_test", "celebadult_test", "fivek_dpe"]
METRICS = [
    "psnr",
    "ssim",
    "lpips_vgg",
    "niqe",
    "identity_deg",
    "identity_cos",
    "deg_vqfr",
    "lmd_dlib68",
    "kid",
    "precision",
]
METRICS += ["clipiqa", "maniqa", "musiq", "dists", "fid_ffhq", "fid"]
SPLITS = [f"x{scale}_{severity}" for scale in (4, 8, 16) for severity in ("mild", "medium", "severe")]
COUNT = 24
IDS = {
    "psnr": "psnr(rgb,peak=1,crop=0) v1",
    "ssim": "ssim(rgb,peak=1,window=gaussian11,sigma=1.5,covariance=population,area=valid) v1",
    "lpips_vgg": "lpips(net=vgg,version=0.1,range=[-1,1]) v1",
    "niqe": "niqe(parameters=release,luma=bt601-round,block=96,crop=0) v1",
    "fid_ffhq": "fid(resize=legacy,reference=ffhq512,n=70000,x) v1",
    "deg_vqfr": "deg(recipe=vqfr,x) v1",
}
"""Identities as the shipped metrics have them, so that numbers in print find their columns."""


def cells(writer: Writer, names: list[str], dataset: str, split: str, metrics: list[str], severity: int = 0) -> None:
    rng = np.random.default_rng(len(dataset) + severity)
    infos = [
        table_metric(name, higher=name in ("psnr", "ssim"), metric_id=IDS.get(name, f"{name} v1")) for name in metrics
    ]
    card = {"name": dataset}
    for i, name in enumerate(names):
        scores = {metric: rng.normal(25 - 3 * i, 0.5, COUNT) for metric in metrics}
        facts = {"dataset": dataset, "split": split, "split_id": split, "severity": severity, "dataset_card": card}
        writer.cell(name, scores, metrics=infos, failed={"s003": "100% #_{boom}"} if i == 3 else {}, **facts)
    perfect = {metric: [math.inf if metric == "psnr" else 0.0] * COUNT for metric in metrics}
    facts = {"dataset": dataset, "split": split, "split_id": split, "severity": severity, "dataset_card": card}
    writer.cell("reference", perfect, metrics=infos, ranked=False, card={"input": "reference"}, **facts)


@pytest.fixture(scope="module")
def published_sets(tmp_path_factory: pytest.TempPathFactory) -> Board:
    writer = Writer(tmp_path_factory.mktemp("sets") / "out")
    for dataset in SETS:
        cells(writer, [*NAMES[:3], "plain"], dataset, "given", METRICS)
    for severity, split in enumerate(SPLITS):
        cells(writer, [*NAMES[:3], "plain"], "faces", split, ["psnr", "ssim", "lpips_vgg", "fid"], severity)
    writer.plan(metrics=METRICS, sort=["lpips_vgg"])
    return board(writer.load())


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_finds_its_numbers_and_compiles(published_sets: Board, name: str, tmp_path: Path) -> None:
    from dataclasses import replace

    layout = replace(shipped(name), published=True, intervals=name == "wide")
    tables = arrange(published_sets, layout, comparisons(published_sets))
    assert tables
    (tmp_path / f"{name}.tex").write_text(latex(tables), encoding="utf-8")
    (tmp_path / "preview.tex").write_text(preview([name]), encoding="utf-8")
    text = compiled(tmp_path)
    assert "plain" in text
    assert "PSNR" in text or "FID" in text
    if name in ("gfpgan_table1", "survey_table7", "pmrf_table", "bfrffusion_table"):
        assert "DFDNet [" in text or "CodeFormer [" in text
        assert "numbers as printed there, not ranked" in " ".join(text.split())
    assert min(ink(tmp_path)) > 0.001  # no page is empty


# -- a store of names that mean something to TeX ----------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    writer = Writer(tmp_path / "out")
    for severity, split in enumerate(["mild", "hard/x_4 %"]):
        for dataset in ("faces", "LFW_Test & co {é}"):
            cells(writer, NAMES, dataset, split, ["psnr", "we_ird%^\\m"], severity)
    writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(5)})
    writer.cell("a", metrics=[GAP], features=[[1.0]] * 5, dataset="few")
    writer.plan(metrics=["psnr"], sort=["psnr"])
    layouts = tuple(shipped(name) for name in ("default", "wide", "per_dataset"))
    build(tmp_path / "out", shown=Choices(presets=layouts, figures=FigureChoices(enabled=False)))
    return tmp_path / "out" / "report" / "tables"


def test_names_that_mean_something_to_tex_are_printed(hostile: Path) -> None:
    text = compiled(hostile)
    for shown in (
        "a_b%c&d#e$f{g}h~i^j\\k",
        "[U+4E2D]",
        "[U+1F600]",
        "\\input{/etc/passwd}",
        "<img src=x",
        "WE_IRD%^\\M",
    ):
        # an underscore is a rule in TeX's own fonts, and no letter
        assert shown.replace("_", " ") in text.replace("˜", "~").replace("ˆ", "^"), shown
    assert "root:" not in text
    assert min(ink(hostile)) > 0.001


def test_one_file_compiles_with_nothing_but_the_preamble_that_it_names(hostile: Path) -> None:
    needs = re.search(
        r"^% Needs in the preamble: (.*)$", (hostile / "wide.tex").read_text(encoding="utf-8"), re.MULTILINE
    )
    document = rf"\documentclass{{article}}{needs[1]}\begin{{document}}\input{{wide}}\ref{{tab:wide-few-standard}}\end{{document}}"
    (hostile / "paper.tex").write_text(document, encoding="utf-8")
    assert "mild" in compiled(hostile, "paper")


# -- a real run -------------------------------------------------------------------------------------------------


def test_the_tables_of_a_real_run_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "out"
    run = ["run", "adapter=[input,lanczos]", "dataset=[builtin]", "degradation=[x4_mild,x8_mild]", f"out={out}"]
    run += ["metric=[psnr,ssim]", "mlflow.enabled=false", "report.table=[default,wide,per_dataset]"]
    assert cli.main(run) == 0
    assert "input" in compiled(out / "report" / "tables")
    again = [
        "report",
        f"out={out}",
        "report.table=dr2_table",
        "report.table.digits.psnr=1",
        "report.table.intervals=true",
    ]
    assert cli.main(again) == 0
    text = compiled(out / "report" / "tables")
    assert re.search(r"Input +\d\d\.\d +0\.\d{4}", text)
    assert "Not in these results: metric lpips vgg, metric fid" in " ".join(text.split())
