"""Peak memory from 100 to 5,000 images, each run in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .corpus import make
from .measuring import Report

pytestmark = pytest.mark.perf

PROGRAM = """
import json, resource, sys, time
import restorebench

restored, reference, out, metrics, *settings = sys.argv[1:]
start = time.perf_counter()
restorebench.score(restored, reference, metrics.split(","), "mlflow.enabled=false", *settings, out=out)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([peak, time.perf_counter() - start]))
"""


def peak(folder: Path, count: int, side: int, metrics: str, *settings: str) -> tuple[float, float]:
    """Return the peak in MiB, and the seconds, of a `score` with report."""
    corpus = make(folder, count, side)
    arguments = [str(corpus.restored["s0"]["r0"]), str(corpus.reference), str(folder / "out"), metrics, *settings]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found, seconds = json.loads(done.stdout.splitlines()[-1])
    return found, seconds


def test_peak_memory_is_flat(tmp_path: Path, report: Report) -> None:
    rows, peaks = [], {}
    for count in (100, 1000, 5000):
        peaks[count], seconds = peak(tmp_path / f"small{count}", count, 128, "psnr,ssim,lpips_alex,niqe")
        rows.append([f"{count:,} of 128 x 128, four metrics", f"{peaks[count]:,.0f}", f"{seconds / count * 1000:,.1f}"])
    large = {}
    for count in (32, 96):
        metrics = "psnr,ssim,lpips_alex,niqe,fid,identity"
        large[count], seconds = peak(tmp_path / f"large{count}", count, 512, metrics, "alignment=ffhq_512")
        rows.append([f"{count} of 512 x 512, six metrics", f"{large[count]:,.0f}", f"{seconds / count * 1000:,.1f}"])
    note = "Whole process with report. Two sides of every pair; a table of 5,000 rows and the page are part of it."
    report.table("memory", ["pairs", "peak, MiB", "ms per pair"], rows, note)
    assert peaks[5000] < 1.15 * peaks[100]
    assert large[96] < 1.1 * large[32]
