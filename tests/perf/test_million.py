"""A million images, stage by stage: seconds, processor seconds and peak memory, as a table for docs/scale.md.

make bench ARGS="-k million"                                    100,002 images
RESTOREBENCH_REFERENCES=71429 make bench ARGS="-k million"      1,000,006 images, about 4 GB below the temporary folder
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.perf

REFERENCES = int(os.environ.get("RESTOREBENCH_REFERENCES", "7143"))
SHARD = 64
STAGES = ("plan", "store", "open", "index", "reduce", "report")


def stage(name: str, out: Path, references: int) -> dict[str, float]:
    """Run one stage in a process of its own."""
    script = Path(__file__).parent / "million.py"
    done = subprocess.run(
        [sys.executable, str(script), name, str(out), str(references), str(SHARD)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_million_images(tmp_path: Path) -> None:
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| stage | images | seconds | processor seconds | memory beyond the libraries, MiB |")
    print("|---|---|---|---|---|")
    found: dict[tuple[str, int], dict[str, float]] = {}
    for references in (REFERENCES // 10, REFERENCES):
        for name in STAGES:
            one = found[name, references] = stage(name, tmp_path / str(references), references)
            grown = one["peak_mib"] - one["before_mib"]
            print(f"| {name} | {one['images']:,} | {one['seconds']:.1f} | {one['cpu_seconds']:.1f} | {grown:.0f} |")
    for name in STAGES:
        few, many = (found[name, references] for references in (REFERENCES // 10, REFERENCES))
        assert many["cpu_seconds"] < 13 * few["cpu_seconds"] + 1, name  # linear
        grown = many["peak_mib"] - few["peak_mib"]
        assert grown < 64 + 0.3e-3 * many["images"], name  # 0.3 KiB an image: its id, its place, a few numbers
