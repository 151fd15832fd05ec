"""Resizing with Pillow, as the official scripts that read images with it do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from ..bench.images import to_pixels, to_tensor

if TYPE_CHECKING:
    import torch

_FILTER = {
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def pillow_resized(
    images: torch.Tensor, size: tuple[int, int], how: Literal["bicubic", "box", "lanczos"]
) -> torch.Tensor:
    """Resize images in 8 bits; unlike OpenCV's, Pillow's filters (cubic a = -0.5) antialias when they shrink.

    Args:
        images: `(B, 3, H, W)` in `[0, 1]`; those of the wanted size are returned as they are.
        size: target `(height, width)`.
        how: filter.
    """
    if images.shape[2:] == size:
        return images
    height, width = size
    resized = [Image.fromarray(pixels).resize((width, height), _FILTER[how]) for pixels in to_pixels(images)]
    return to_tensor([np.asarray(image) for image in resized], images.device)
