"""What each learned restorer costs for one built-in face: parameters, operations, memory and time.

Every one runs in a process of its own, with a random but valid checkpoint, so that peaks do not mix.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from ..adapters.checkpoints import write

RESTORERS = [
    "gfpgan", "gfpgan_v1", "gpen", "gpen_256", "codeformer", "vqfr_v1", "vqfr", "restoreformer", "restoreformer_plusplus",
    "dfdnet", "psfrgan", "sparnethd", "sparnet", "dr2", "ilvr", "dpe", "realesrgan",
]  # fmt: skip
OFFICIAL_STEPS = {"dr2": ["adapter.dr2.n=8", "adapter.dr2.tau=35", "adapter.dr2.omega=37", "adapter.dr2.steps=100"]}
"""Three of the 26 calls of the official setting; time and operations are those of three."""

PROGRAM = """
import dataclasses, json, sys, time
import torch
from restorebench.bench.configuration import compose_config, run_request
from restorebench.bench.costs import MemoryGrowth, gflops, parameters
from restorebench.bench.images import read
from restorebench.bench.memory import keep_freed_memory
from restorebench.bench.pictures import Inputs, Picture
from restorebench.bench.restoring import Work, as_batch, restore, source_of

name, face, *overrides = sys.argv[1:]
spec = run_request(compose_config("run", [f"adapter=[{name}]", "metric=[]", *overrides]), False).adapters[name]
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
restorer = spec.build()
image = Picture.of(read(__import__("pathlib").Path(face)))
source = source_of(restorer.card, Inputs(image, image, None, {}))
work = [Work("face", source, (512, 512), 0, {"alignment": "ffhq_512"})]
torch.ones(1).to(device)
memory = MemoryGrowth(device)
memory.start()
restorer.load(device)
(first,) = restore(restorer, work, 1, device)
assert first.image is not None, first.error
peak = memory.peak()
keep_freed_memory()
seconds = min(restore(restorer, work, 1, device)[0].seconds for _ in range(2))
with torch.inference_mode():
    operations = gflops(restorer, as_batch(work, device))
print(json.dumps([parameters(restorer) / 1e6, operations, peak, seconds * 1000, "x".join(map(str, source.size)), str(device)]))
"""


@pytest.mark.perf
def test_cost_of_each_restorer(tmp_path: Path) -> None:
    face = Path(__file__).parents[2] / "datasets" / "builtin" / "hopper.png"
    table = Table("restorer", "input", "parameters, M", "GFLOPs", "peak, MiB", "ms per image", "device")
    peaks: dict[str, float] = {}
    for name in RESTORERS:
        (tmp_path / name).mkdir()
        own = [] if name == "realesrgan" else [f"{k}={v}" for k, v in write(name, tmp_path / name).items()]
        command = [sys.executable, "-c", PROGRAM, name, str(face), *own, *OFFICIAL_STEPS.get(name, [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
        parameters, operations, peak, milliseconds, size, device = json.loads(done.stdout.splitlines()[-1])
        peaks[name] = peak
        numbers = f"{parameters:.2f}", f"{operations or 0:,.1f}", f"{peak:,.0f}", f"{milliseconds:,.0f}"
        table.add_row(name, size, *numbers, device)
    Console(width=110).print(table)
    limited = {name: peak for name, peak in peaks.items() if name not in ("dr2", "dfdnet")}
    assert max(limited.values()) < 6 * 1024  # one 512 x 512 image; issue: all but DR2 and DFDNet's dictionary
