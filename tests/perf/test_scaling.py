"""Cost against the number of images, their size and the number of workers; draws docs/images/scaling.svg."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import pytest

import restorebench
from restorebench.bench.provenance import cores

from .corpus import make
from .measuring import Report

pytestmark = pytest.mark.perf

METRICS = ["psnr", "ssim", "lpips_alex", "niqe", "fid", "identity"]
FIGURE = "images/scaling.svg"
COUNTS = (16, 32, 64, 128)
SIDES = (128, 256, 512, 1024)
SETTINGS = ("mlflow.enabled=false", "alignment=ffhq_512", "report.enabled=false")


def seconds(folder: Path, count: int, side: int, rounds: int, *settings: str) -> float:
    """Return the median time of a `score` of six metrics."""
    corpus = make(folder, count, side)
    taken = []
    for number in range(rounds):
        out = folder / f"out{number}"
        start = time.perf_counter()
        restorebench.score(corpus.restored["s0"]["r0"], corpus.reference, METRICS, *SETTINGS, *settings, out=out)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def test_scaling(tmp_path: Path, rounds: int, report: Report) -> None:
    seconds(tmp_path / "warm", 4, 128, 1)
    by_count = [seconds(tmp_path / f"n{count}", count, 256, rounds) for count in COUNTS]
    by_side = [seconds(tmp_path / f"s{side}", 16, side, rounds) for side in SIDES]
    workers = [n for n in (1, 2, 4) if n <= cores()]
    by_workers = [
        seconds(tmp_path / f"w{n}", 64, 256, rounds, "executor=processes", f"executor.workers={n}", "threads=1")
        for n in workers
    ]
    per_image, fixed = np.polyfit(COUNTS, by_count, 1)
    exponent = np.polyfit(np.log(COUNTS), np.log(np.array(by_count) - min(fixed, min(by_count) / 2)), 1)[0]
    megapixels = [side**2 / 1e6 for side in SIDES]
    per_megapixel, at_zero = np.polyfit(megapixels, np.array(by_side) / 16, 1)
    rows = [
        ["images (256 x 256)", f"{COUNTS[0]} to {COUNTS[-1]}", f"{per_image * 1000:.0f} ms an image + {fixed:.1f} s"],
        ["side", f"{SIDES[0]} to {SIDES[-1]}", f"{per_megapixel * 1000:.0f} ms a megapixel + {at_zero * 1000:.0f} ms"],
        *(
            [f"workers, one thread each: {n}", "64 images", f"{t:.1f} s, {by_workers[0] / t:.2f} times as fast as one"]
            for n, t in zip(workers, by_workers, strict=True)
        ),
    ]
    note = f"Six metrics, both sides. The time grows with the number of images to the power of {exponent:.2f}."
    report.table("scaling", ["against", "from", "cost"], rows, note)
    if report.page:
        draw(report.page.parent / FIGURE, by_count, [s / 16 for s in by_side], workers, by_workers, exponent)
    assert 0.85 < exponent < 1.15


def draw(
    file: Path,
    by_count: list[float],
    by_side: list[float],
    workers: list[int],
    by_workers: list[float],
    exponent: float,
) -> None:
    """Three panels, each with a straight line for what perfect scaling would be."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "restorebench"
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.loglog(COUNTS, by_count, "o-", label=f"slope {exponent:.2f} without the fixed cost")
    left.loglog(COUNTS, [by_count[-1] * n / COUNTS[-1] for n in COUNTS], ":", color="gray", label="proportional")
    left.set(xlabel="images of 256 x 256", ylabel="seconds", xticks=COUNTS, xticklabels=COUNTS)
    slope = np.polyfit(np.log(SIDES[1:]), np.log(by_side[1:]), 1)[0] / 2
    middle.loglog(SIDES, by_side, "o-", label=f"slope {slope:.2f} per pixel from 256 on")
    middle.loglog(
        SIDES, [by_side[-1] * (side / SIDES[-1]) ** 2 for side in SIDES], ":", color="gray", label="proportional"
    )
    middle.set(xlabel="side, pixels", ylabel="seconds per image", xticks=SIDES, xticklabels=SIDES)
    right.plot(workers, [by_workers[0] / t for t in by_workers], "o-", label="measured")
    right.plot(workers, workers, ":", color="gray", label="proportional")
    right.set(xlabel="workers of one thread", ylabel="times as fast as one", xticks=workers)
    for panel in (left, middle):
        panel.minorticks_off()
    for panel in (left, middle, right):
        panel.legend(frameon=False, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
