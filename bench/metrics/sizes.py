"""The smallest image a metric is defined for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    import torch


def require_side(images: torch.Tensor, smallest: int, metric: str) -> None:
    """Refuse images `(..., H, W)` with a side below `smallest` pixels.

    Raises:
        ImageError: the message becomes the reason in the table.
    """
    height, width = images.shape[-2:]
    if min(height, width) < smallest:
        raise ImageError(f"{metric} needs at least {smallest} x {smallest} pixels, this image has {width} x {height}")
