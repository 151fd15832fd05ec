"""What `restorebench doctor` looks at on a machine: each check says what it found and what helps."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from . import weights
from .errors import listing
from .provenance import cores

ROOM_GIB = 2.0
"""Free space below which a folder is worth a warning: the weights of all restorers and metrics take about 1 GiB."""

MEMORY_GIB = 4.0
"""Memory below which a run of the learned restorers at 512 x 512 is likely to be killed; measured peaks: 1 to 3 GiB."""

EXTRAS = {
    "ray": ("ray", "executor=ray"),
    "s3": ("s3fs", "data and results below s3://"),
    "slurm": ("hydra_plugins.hydra_submitit_launcher", "sweeps as SLURM jobs"),
    "postgres": ("psycopg2", "mlflow.uri=postgresql://"),
    "landmarks": ("dlib", "landmarks for DFDNet where no files are given"),
    "dpe": ("tensorflow", "converting Deep Photo Enhancer's checkpoint"),
}
"""Extra -> the module that shows it is installed, and what it is for."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what it is.
        status: `ok`; `warn` = something is slower or will be fetched; `fail` = something will not work.
        found: what is there.
        advice: what helps, empty where nothing is needed.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def examine(folder: Path | None = None) -> list[Check]:
    """Check everything a run relies on.

    Args:
        folder: where results would be written; default: the working directory.
    """
    where = folder or Path.cwd()
    checks: Sequence[tuple[str, Callable[[], Check]]] = (
        ("python", _python),
        ("torch", _torch),
        ("gpu", _gpu),
        ("memory", _memory),
        ("opencv", _opencv),
        ("mlflow", _mlflow),
        ("space for results", lambda: _room("space for results", where)),
        ("space for weights", lambda: _room("space for weights", weights.home())),
        ("weights", _weights),
        ("data sets", _data_sets),
        *((f"extra {name}", lambda name=name: _extra(name)) for name in EXTRAS),
    )
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check that breaks is itself a finding."""
    try:
        return check()
    except (Exception, SystemExit) as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "make install, or reinstall restorebench")


def _python() -> Check:
    found = f"{platform.python_version()}, {cores()} cores, {sys.executable}"
    return Check("python", "ok", found)


def _torch() -> Check:
    import torch
    from packaging.version import Version

    if Version(torch.__version__).release < (2, 6):  # the first whose weights_only=True is safe: CVE-2025-32434
        return Check(
            "torch", "fail", str(torch.__version__), "pip install 'torch>=2.6': older ones run code in checkpoints"
        )
    return Check("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _gpu() -> Check:
    import torch

    if not torch.cuda.is_available():
        built = (
            "torch is built without CUDA"
            if torch.version.cuda is None
            else f"torch is built for CUDA {torch.version.cuda}"
        )
        seen = shutil.which("nvidia-smi") is not None
        advice = "everything works on the CPU, networks slowly"
        if seen:
            advice = "nvidia-smi is here: check its driver against torch's CUDA, and CUDA_VISIBLE_DEVICES"
        return Check("gpu", "warn", f"none; {built}", advice)
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        found.append(f"{torch.cuda.get_device_name(index)} ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)")
    return Check("gpu", "ok", f"CUDA {torch.version.cuda}: {listing(found)}")


def _memory() -> Check:
    free, total = _memory_gib()
    found = f"{free:.1f} of {total:.1f} GiB free"
    if free < MEMORY_GIB:
        return Check("memory", "warn", found, "close other programs, or lower batch=4 and shard=16")
    return Check("memory", "ok", found)


def _memory_gib() -> tuple[float, float]:
    """Return free and total memory, the smaller of the machine's and the control group's."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    told = {line.partition(":")[0]: int(line.split()[1]) / 2**20 for line in lines if "kB" in line}
    free, total = told["MemAvailable"], told["MemTotal"]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        group = Path("/sys/fs/cgroup")
        try:
            most = int((group / limit).read_text()) / 2**30
            left = most - int((group / used).read_text()) / 2**30
        except (OSError, ValueError):  # no such file, or `max`
            continue
        free, total = min(free, left), min(total, most)
    return free, total


def _opencv() -> Check:
    try:
        import cv2
    except ImportError as error:  # the build with windows needs libGL, which servers do not have
        command = "pip install --force-reinstall --no-deps opencv-python-headless"
        return Check("opencv", "fail", str(error), command)
    return Check("opencv", "ok", str(cv2.__version__))


def _mlflow() -> Check:
    version = metadata.version("mlflow")
    if importlib.util.find_spec("mlflow") is None:
        return Check("mlflow", "fail", "cannot be imported", "pip install mlflow, or run with mlflow.enabled=false")
    return Check("mlflow", "ok", f"{version}, SQLite inside out unless mlflow.uri says otherwise")


def _room(name: str, folder: Path) -> Check:
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    found = f"{free:.1f} GiB free in {folder}"
    problem = _not_writable(there)
    if problem:
        return Check(
            name, "fail", f"{folder} cannot be written ({problem})", "choose another: out=DIR, RESTOREBENCH_HOME=DIR"
        )
    if free < ROOM_GIB:
        return Check(name, "warn", found, f"make room: below {ROOM_GIB:g} GiB downloads and results may not fit")
    return Check(name, "ok", found)


def _not_writable(folder: Path) -> str:
    """Try it: the rights that are shown mean little to root and on a read-only disk."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".restorebench-") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _weights() -> Check:
    checks = weights.verify()
    states = Counter(check.state for check in checks)
    found = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + f" in {weights.home()}"
    damaged = [check.detail for check in checks if check.state == "damaged"]
    if damaged:
        return Check("weights", "fail", found, "; ".join(damaged))
    if states["absent"]:
        return Check("weights", "warn", found, "fetched on first use; all at once: restorebench weights fetch all")
    return Check("weights", "ok", found)


def _data_sets() -> Check:
    from .images import read
    from .sharing.shipped import choices
    from .spec import Spec

    builtin = choices("dataset")["builtin"]
    samples = Spec.of(builtin, "dataset.builtin").build().samples()
    for sample in samples:
        read(sample.hq)
    own = "others: dataset=folder dataset.root=DIR, or restorebench list datasets"
    return Check("data sets", "ok", f"builtin: {len(samples)} faces; {own}")


def _extra(name: str) -> Check:
    module, use = EXTRAS[name]
    here = (
        importlib.util.find_spec(module.partition(".")[0]) is not None and importlib.util.find_spec(module) is not None
    )
    if here:
        return Check(f"extra {name}", "ok", f"installed, for {use}")
    return Check(f"extra {name}", "ok", f"not installed; only for {use}", f"pip install 'restorebench[{name}]'")
