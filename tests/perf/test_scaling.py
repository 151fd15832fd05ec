"""Cost against the number of images, their size and the number of workers; draws docs/images/scaling.svg."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import restorebench
from restorebench.bench.provenance import cores

from .corpus import Corpus, make
from .measuring import Report, alternating

pytestmark = pytest.mark.perf

METRICS = ["psnr", "ssim", "lpips_alex", "niqe", "fid", "identity"]
FIGURE = "images/scaling.svg"
COUNTS = (16, 32, 64, 128)
SIDES = (128, 256, 512, 1024)
IMAGES = 8
"""Of each size."""
SETTINGS = ("mlflow.enabled=false", "alignment=ffhq_512", "report.enabled=false")


def scoring(corpus: Corpus, outs: Iterator[Path], *settings: str) -> Callable[[], object]:
    """Return a `score` of six metrics, without report, into a new folder each time."""
    folder = corpus.restored["s0"]["r0"]
    return lambda: restorebench.score(folder, corpus.reference, METRICS, *SETTINGS, *settings, out=next(outs))


def test_scaling(tmp_path: Path, rounds: int, report: Report) -> None:
    """By number and size in CPU time of one thread, which other processes do not touch; by workers on the clock."""
    outs = (tmp_path / f"out{number}" for number in range(10_000))
    sets = {("count", n): make(tmp_path / f"n{n}", n, 256) for n in COUNTS}
    sets |= {("side", side): make(tmp_path / f"s{side}", IMAGES, side) for side in SIDES}
    alone = {key: scoring(corpus, outs, "threads=1") for key, corpus in sets.items()}
    alone["count", COUNTS[0]]()  # imports
    seconds = {key: statistics.median(taken) for key, taken in alternating(alone, rounds, time.process_time).items()}
    by_count, by_side = ([seconds[kind, n] for n in of] for kind, of in (("count", COUNTS), ("side", SIDES)))
    workers = [n for n in (1, 2, 4) if n <= cores()]
    crews = {
        n: scoring(sets["count", 64], outs, "threads=1", "executor=processes", f"executor.workers={n}") for n in workers
    }
    by_workers = {n: statistics.median(taken) for n, taken in alternating(crews, rounds).items()}

    per_image, fixed = np.polyfit(COUNTS, by_count, 1)
    exponent = slope(COUNTS, [taken - min(max(fixed, 0), 0.9 * min(by_count)) for taken in by_count])
    megapixels = [side**2 / 1e6 for side in SIDES]
    per_megapixel, at_zero = np.polyfit(megapixels, np.array(by_side) / IMAGES, 1)
    rows = [
        [f"{COUNTS[0]} to {COUNTS[-1]} images of 256 x 256", f"{per_image * 1000:.0f} ms an image and {fixed:.1f} s"],
        [
            f"{IMAGES} images of side {SIDES[0]} to {SIDES[-1]}",
            f"{per_megapixel * 1000:.0f} ms a megapixel and {at_zero * 1000:.0f} ms an image",
        ],
        *([f"64 images, workers: {n}", f"{t:.1f} s on the clock, start included"] for n, t in by_workers.items()),
    ]
    note = f"Six metrics, both sides, one thread a worker. Time grows with the number of images to the power of {exponent:.2f}."
    report.table("scaling", ["score", "CPU time"], rows, note)
    if report.page:
        per_image_by_side = [taken / IMAGES for taken in by_side]
        model = [at_zero + per_megapixel * size for size in megapixels]
        draw(report.page.parent / FIGURE, by_count, per_image_by_side, model, list(by_workers.values()), exponent)
    assert 0.85 < exponent < 1.15


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of the line through points on double logarithmic paper."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def draw(
    file: Path,
    by_count: list[float],
    by_side: list[float],
    model: list[float],
    by_workers: list[float],
    exponent: float,
) -> None:
    """Three panels, each with a dotted line for what is to be expected."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "restorebench"
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.loglog(COUNTS, by_count, "o-", label=f"slope {exponent:.2f} without the fixed part")
    left.loglog(COUNTS, [by_count[-1] * n / COUNTS[-1] for n in COUNTS], ":", color="gray", label="proportional")
    left.set(xlabel="images of 256 x 256", ylabel="CPU seconds", xticks=COUNTS, xticklabels=COUNTS)
    left.set_yticks(by_count, [f"{taken:.0f}" for taken in by_count])
    middle.loglog(SIDES, by_side, "o-", label="measured")
    middle.loglog(SIDES, model, ":", color="gray", label="a constant and the pixels")
    middle.set(xlabel="side, pixels", ylabel="CPU seconds per image", xticks=SIDES, xticklabels=SIDES)
    middle.set_yticks(by_side, [f"{taken:.2f}" for taken in by_side])
    workers = [2**n for n in range(len(by_workers))]
    right.plot(workers, [by_workers[0] / taken for taken in by_workers], "o-", label="measured, start included")
    right.plot(workers, workers, ":", color="gray", label="proportional")
    right.set(xlabel="workers of one thread", ylabel="times as fast as one", xticks=workers)
    for panel in (left, middle):
        panel.minorticks_off()
    for panel in (left, middle, right):
        panel.legend(frameon=False, fontsize=8, loc="upper left")
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
