"""Images per second of each stage on a GPU, and how busy it is: `pytest -m gpu -s tests/perf`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import restorebench
from restorebench.bench.configuration import compose_config, run_request
from restorebench.bench.images import read, to_tensor

from .corpus import make
from .measuring import Report

pytestmark = pytest.mark.gpu

METRICS = ("psnr", "ssim", "lpips_alex", "niqe", "identity")
BATCH = 16


def per_second(work: Callable[[], object], images: int, times: int = 5) -> float:
    """Return images per second of the median run, the GPU's queue emptied."""
    work()
    taken = []
    for _ in range(times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return images / sorted(taken)[times // 2]


def test_images_per_second_of_each_stage(tmp_path: Path, report: Report) -> None:
    device = torch.device("cuda")
    corpus = make(tmp_path / "files", BATCH)
    files = [corpus.reference / name for name in corpus.names]
    images = [read(file) for file in files]
    damaged = [read(corpus.restored["s0"]["r0"] / name) for name in corpus.names]
    reference, restored = to_tensor(images, device), to_tensor(damaged, device)
    request = run_request(compose_config("run", [f"metric=[{','.join(METRICS)},fid]"]), splits_chosen=False)
    built = {name: spec.build() for name, spec in request.metrics.items()}
    meta = [{"alignment": "ffhq_512"}] * BATCH
    rates = {
        "decode, one core": per_second(lambda: [read(file) for file in files], BATCH),
        "transfer": per_second(lambda: to_tensor(images, device), BATCH),
    }
    with torch.inference_mode():
        for name in METRICS:
            built[name].load(device)
            state = built[name].prepare(reference, meta) if "reference" in built[name].needs else None
            rates[name] = per_second(lambda m=built[name], s=state: m.score(restored, s, None, meta), BATCH)
        extractor = built["fid"].extractor
        extractor.load(device)
        rates["Inception features"] = per_second(lambda: extractor.extract(restored), BATCH)
    slowest = min(rates, key=lambda name: rates[name])
    rows = [[name, f"{rate:,.0f}"] for name, rate in rates.items()]
    report.table("gpu", ["stage", "images per second"], rows, f"512 x 512, batches of {BATCH}; bound by: {slowest}")


def test_the_gpu_is_busy(tmp_path: Path, report: Report) -> None:
    """The share of a `score` in which some kernel runs, start-up apart."""
    from torch.profiler import ProfilerActivity, profile

    corpus = make(tmp_path / "files", 128)
    settings = ("mlflow.enabled=false", "report.enabled=false", "alignment=ffhq_512", "batch=16")

    def score(out: str) -> None:
        folder = corpus.restored["s0"]["r0"]
        restorebench.score(folder, corpus.reference, [*METRICS, "fid"], *settings, out=tmp_path / out)

    score("warm")
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        start = time.perf_counter()
        score("measured")
        torch.cuda.synchronize()
        wall = time.perf_counter() - start
    busy = sum(event.self_device_time_total for event in profiled.key_averages()) / 1e6 / wall
    row = ["six metrics, 128 pairs", f"{128 / wall:,.0f}", f"{busy:.0%}"]
    report.table("gpu-busy", ["score", "pairs per second", "GPU busy"], [row], "start of the command included")
    assert 0 < busy <= 1
