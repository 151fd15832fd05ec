"""The precision a network computes in.  Half of it is faster on some devices and moves the third digit of a score."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]


def stated(precision: Precision) -> str:
    """Return what the identity of a metric says of it: nothing for single precision."""
    return "" if precision == "float32" else f",precision={precision}"


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Run convolutions and products in this precision; weights, sums and results stay in single."""
    if precision == "float32":
        return nullcontext()
    import torch

    return torch.autocast(device.type, torch.bfloat16)
