"""What the field's scripts do to colours before they compare: luma, and matching mean and spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .niqe import luma

if TYPE_CHECKING:
    import torch

Channels = Literal["rgb", "yiq", "yiq8", "ycbcr"]
"""`yiq`: `0.299 R + 0.587 G + 0.114 B`; `yiq8`: the same, rounded to 8 bits; `ycbcr`: MATLAB's Y, 16-235."""


def channels(images: torch.Tensor, which: Channels) -> torch.Tensor:
    """Return what is compared of images `(B, 3, H, W)` in `[0, 1]`: `(B, 3 or 1, H, W)` `float64` in `[0, 1]`."""
    if which == "yiq":
        red, green, blue = images.double().unbind(1)
        return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]
    if which == "yiq8":
        return luma(images)[:, None].div_(255)
    if which == "ycbcr":
        return studio_luma(images)[:, None].div_(255)
    return images.double()


def studio_luma(images: torch.Tensor) -> torch.Tensor:
    """Return MATLAB's Y `(B, H, W)` `float64` in 16-235, not rounded, of images `(B, 3, H, W)` in `[0, 1]`."""
    red, green, blue = images.double().unbind(1)
    return 65.481 * red + 128.553 * green + 24.966 * blue + 16


def matched(images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Give images `(B, C, H, W)` the mean and standard deviation of their references, channel by channel.

    As VQFR's `correct_mean_var`: the mean is moved first and the values are then scaled about zero, which moves the
    mean again, so it is all done twice.  Nothing is clipped or rounded.
    """
    places = (-2, -1)
    mean, spread = references.mean(places, keepdim=True), references.std(places, keepdim=True)
    for _ in range(2):
        images = images - images.mean(places, keepdim=True) + mean
        images = images / images.std(places, keepdim=True) * spread
    return images
