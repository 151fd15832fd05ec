"""What is paid beside the networks: in scoring, and for planning, hashing, manifests and logging."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import restorebench
from restorebench.bench.configuration import compose_config, run_request
from restorebench.bench.evaluate import device_of, set_arithmetic
from restorebench.bench.images import read, to_tensor
from restorebench.bench.lanes import Lanes
from restorebench.bench.memory import keep_freed_memory
from restorebench.bench.metrics.psnr import Psnr
from restorebench.bench.pictures import Picture
from restorebench.bench.plan import make as make_plan
from restorebench.bench.provenance import cores
from restorebench.bench.scoring import Scorer, Subject
from restorebench.bench.storage.store import Commit, Store

from .corpus import Corpus, make
from .measuring import Report, alternating, ratio

pytestmark = pytest.mark.perf

BATCH = 4
SIX = "metric=[psnr,ssim,lpips_alex,niqe,fid,identity]"


def test_six_metrics_cost_little_more_than_the_bare_forwards_of_their_networks(
    tmp_path: Path, pairs: int, rounds: int, report: Report
) -> None:
    keep_freed_memory()
    corpus = make(tmp_path / "files", max(4, pairs // 2))
    sides = [
        [read(folder / name) for name in corpus.names] for folder in (corpus.restored["s0"]["r0"], corpus.reference)
    ]
    lanes = Lanes(cores(), at_once=False)
    set_arithmetic(cores())
    plan = make_plan(run_request(compose_config("run", [SIX, "dataset=builtin"]), splits_chosen=False))
    scorer = Scorer(plan.job.metrics, Store(tmp_path / "out"), device_of("cpu"), BATCH, lanes)

    def scored() -> None:
        scorer.forget()
        pictures = [[Picture.of(image) for image in side] for side in sides]
        subjects = [
            Subject(name, r, h, None, {"alignment": "ffhq_512"}, {}, {})
            for name, r, h in zip(corpus.names, *pictures, strict=True)
        ]
        for start in range(0, len(subjects), 16):
            part = subjects[start : start + 16]
            scorer.score(part, Commit())
            assert not any(subject.errors for subject in part)

    networks = forwards()
    inputs = {side: resized([*sides[0], *sides[1]], side) for side in (512, 299, 112)}

    def bare(name: str) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                for batch in inputs[networks[name][1]]:
                    networks[name][0](batch)

        return run

    ways = {"ours": scored, **{name: bare(name) for name in networks}}
    for way in ways.values():
        way()
    seconds = alternating(ways, rounds * 3)
    count = len(corpus.names)
    sums = [sum(parts) for parts in zip(*(seconds[name] for name in networks), strict=True)]
    times = 1 / ratio(sums, seconds["ours"])
    rows = [[f"bare {name}, both sides", _ms(statistics.median(seconds[name]), count)] for name in networks]
    rows += [["bare forwards together", _ms(statistics.median(sums), count)]]
    rows += [
        ["six metrics", _ms(statistics.median(seconds["ours"]), count)],
        ["times the bare forwards", f"{times:.2f}"],
    ]
    note = (
        f"{count} pairs of 512 x 512 in memory, batches of {BATCH}, {cores()} threads, median of {rounds * 3} rounds."
    )
    report.table("forwards", ["ms per pair", ""], rows, note)
    assert times <= 1.3


def forwards() -> dict[str, tuple[Callable[[torch.Tensor], object], int]]:
    """Networks of the metrics and the side of the images they take."""
    request = run_request(compose_config("run", [SIX]), splits_chosen=False)
    built = {name: spec.build() for name, spec in request.metrics.items()}
    plugins = {"AlexNet": built["lpips_alex"], "Inception": built["fid"].extractor, "recogniser": built["identity"]}
    for plugin in plugins.values():
        plugin.load(torch.device("cpu"))
    return {
        "AlexNet": (plugins["AlexNet"]._network, 512),
        "Inception": (plugins["Inception"]._network, 299),
        "recogniser": (plugins["recogniser"]._recogniser, 112),
    }


def resized(images: list[object], side: int) -> list[torch.Tensor]:
    """Batches of images, channels last."""
    whole = to_tensor(images)  # type: ignore[arg-type]
    scaled = torch.nn.functional.interpolate(whole, (side, side), mode="bilinear")
    return [batch.contiguous(memory_format=torch.channels_last) for batch in scaled.split(BATCH)]


def test_the_harness_costs_less_than_5_ms_an_image(tmp_path: Path, rounds: int, report: Report) -> None:
    """The growth of the time of `score` from 32 to 160 images, less that of reading and scoring in a plain loop."""
    few, many = (make(tmp_path / f"files{count}", count) for count in (32, 160))
    outs = (tmp_path / f"out{number}" for number in range(1000))

    def ours(corpus: Corpus) -> Callable[[], object]:
        settings = ["mlflow.enabled=false", "report.enabled=false", "threads=1", "keep=false", "reference_row=false"]
        folder = corpus.restored["s0"]["r0"]
        return lambda: restorebench.score(folder, corpus.reference, ["psnr"], *settings, out=next(outs))

    def plain(corpus: Corpus) -> Callable[[], None]:
        metric = Psnr()

        def run() -> None:
            set_arithmetic(1)
            for start in range(0, len(corpus.names), BATCH):
                names = corpus.names[start : start + BATCH]
                folders = corpus.restored["s0"]["r0"], corpus.reference
                restored, reference = (to_tensor([read(folder / name) for name in names]) for folder in folders)
                metric.score(restored, metric.prepare(reference, []), None, [])

        return run

    ways = {"few": ours(few), "many": ours(many), "plain few": plain(few), "plain many": plain(many)}
    for way in ways.values():
        way()
    seconds = alternating(ways, rounds * 2 + 1, time.process_time)
    images = len(many.names) - len(few.names)
    growth = [m - f for m, f in zip(seconds["many"], seconds["few"], strict=True)]
    expected = [m - f for m, f in zip(seconds["plain many"], seconds["plain few"], strict=True)]
    whole, work = (statistics.median(part) / images * 1000 for part in (growth, expected))
    rows = [["score, PSNR alone", f"{whole:.2f}"], ["reading and PSNR in a plain loop", f"{work:.2f}"]]
    rows += [["the harness", f"{whole - work:.2f}"]]
    fixed = statistics.median(seconds["few"]) - len(few.names) * whole / 1000
    note = f"512 x 512, one thread, from {len(few.names)} to {len(many.names)} images; {fixed:.2f} s a command besides."
    report.table("overhead", ["CPU ms per image", ""], rows, note)
    assert whole - work < 5


def _ms(seconds: float, count: int) -> str:
    return f"{seconds / count * 1000:,.1f}"
