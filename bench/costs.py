"""What a restorer costs: parameters, floating-point operations and memory, measured where it runs.

Measured once per restorer and worker, on its first images.  Costs never enter the leaderboard, because
they vary from machine to machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .api import Batch, Restorer
from .memory import give_back_freed_memory

if TYPE_CHECKING:
    import torch

SLOW_SECONDS = 5.0
"""Operations are counted by one more forward pass; above this many seconds an image it is not worth it."""


@dataclass(frozen=True)
class Cost:
    """One restorer on one device.

    Attributes:
        parameters: number of weights, None where it has no network.
        gflops: 1e9 operations per image at the size it was run (a multiply-add counts as two), None where
            there is no network or an image takes longer than `SLOW_SECONDS`.
        memory_mib: growth of the process (CPU) or of the allocated memory (GPU) from before loading to the
            peak of the first batch.
    """

    parameters: int | None = None
    gflops: float | None = None
    memory_mib: float | None = None


class MemoryGrowth:
    """Peak memory since `start`, in MiB."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0.0

    def start(self) -> None:
        """Forget earlier peaks."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device) / 2**20
        else:
            give_back_freed_memory()
            _forget_peak()
            self._before = _status("VmRSS")

    def peak(self) -> float | None:
        """Return the growth, or None where the system does not tell."""
        import torch

        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / 2**20 - self._before
        peak = _status("VmHWM")
        return max(0.0, peak - self._before) if peak else None


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    except OSError:
        return


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)


def parameters(restorer: object) -> int | None:
    """Count the weights of every network a restorer holds, those of restorers inside it included."""
    counted = {id(weight): weight.numel() for network in _networks(restorer, 3) for weight in network.parameters()}
    return sum(counted.values()) or None


def _networks(holder: object, depth: int) -> Iterator[torch.nn.Module]:
    import torch

    if isinstance(holder, torch.nn.Module):
        yield holder
    elif depth and hasattr(holder, "__dict__"):
        for value in vars(holder).values():
            yield from _networks(value, depth - 1)


def gflops(restorer: Restorer, batch: Batch) -> float | None:
    """Count the operations of one image by one more forward pass, whose output is thrown away."""
    from torch.utils.flop_counter import FlopCounterMode

    one = Batch(batch.ids[:1], batch.images[:1].clone(), batch.seeds[:1], batch.meta[:1])
    with _untouched_randomness(), FlopCounterMode(display=False) as counter:
        try:
            restorer.restore(one)
        except Exception:  # counting is a courtesy; the result that matters exists already
            return None
    return counter.get_total_flops() / 1e9 or None


@contextmanager
def _untouched_randomness() -> Iterator[None]:
    import torch

    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
