"""Where and with what something ran: versions, machine, commit.

Reads package metadata and a few system files; imports no library, starts nothing slow.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = (
    "restorebench",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "lpips",
    "pyiqa",
    "torchmetrics",
    "insightface",
    "onnxruntime",
    "spandrel",
    "mlflow",
    "hydra-core",
)
"""Distributions whose version can change a number or how it is recorded."""

_PACKAGE = Path(__file__).resolve().parent.parent


def environment() -> dict[str, Any]:
    """Describe this process as JSON-able data.

    Returns:
        `versions` (library -> version, or None where it is not installed; `python` among them), `platform`,
        `cpu` (model), `cores` (that this process may use), `memory_gib`, `gpus` (model names), `torch_threads` (None
        until torch is loaded), `commit` and `dirty` (of the restorebench checkout; None for an installed wheel).
    """
    torch = sys.modules.get("torch")  # a fact of this process, so not a reason to load it
    commit, dirty = _checkout(_PACKAGE)
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "gpus": _gpus(),
        "torch_threads": torch.get_num_threads() if torch is not None else None,
        "commit": commit,
        "dirty": dirty,
    }


def cores() -> int:
    """Return the number of cores this process may use, which a scheduler may have cut below the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    return round(size / 2**30, 1)


def _gpus() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    return _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()


def _checkout(root: Path) -> tuple[str | None, bool | None]:
    """Return commit and dirty flag of a checkout whose top is `root`, never those of a repository around it."""
    if not (root / ".git").exists():
        return None, None
    git = ["git", "-C", str(root), "--no-optional-locks"]
    commit = _output([*git, "rev-parse", "HEAD"])
    if not commit:
        return None, None
    return commit, bool(_output([*git, "status", "--porcelain", "--untracked-files=no"]))


def _output(command: list[str]) -> str:
    """Return what a command prints, or an empty string when it is absent, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
