"""Image-adaptive 3D lookup tables: a small classifier mixes three learned tables for each photo.

Zeng et al., Learning Image-adaptive 3D Lookup Tables for High Performance Photo Enhancement in Real-time, TPAMI 2020.
Names as in the official files (HuiZeng/Image-Adaptive-3DLUT, commit b491f6df64a588864739a157db271e5c848e1805):
`LUTs.pth` holds `0`, `1`, `2` -> `LUT`, `classifier.pth` holds `model.*`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

_WIDTHS = (3, 16, 32, 64, 128, 128)
_TABLES, _BINS = 3, 33


class _Resize(nn.Module):
    """Brings the photo to 256 x 256, whatever its shape; the first part of the official classifier."""

    def forward(self, image: Tensor) -> Tensor:
        return interpolate(image, size=(256, 256), mode="bilinear", align_corners=False)


class Classifier(nn.Module):
    """Says how much of each table a photo gets.

    Args:
        norms: how many of the five convolutions are followed by instance normalisation: 4 in the paired model,
            1 in the unpaired one.
        dropout: whether one precedes the last layer (it does nothing here, but counts in the official names).
    """

    def __init__(self, norms: int, dropout: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(OrderedDict((str(i), layer) for i, layer in enumerate(_layers(norms, dropout))))

    def forward(self, image: Tensor) -> Tensor:
        """Return the weights `(B, 3)` of the tables for photos `(B, 3, H, W)` in `[0, 1]`."""
        return self.model(image).flatten(1)  # type: ignore[no-any-return]


def _layers(norms: int, dropout: bool) -> Iterator[nn.Module]:
    yield _Resize()
    for number, (inputs, outputs) in enumerate(pairwise(_WIDTHS)):
        yield nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        yield nn.LeakyReLU(0.2)
        if number < norms:
            yield nn.InstanceNorm2d(outputs, affine=True)
    if dropout:
        yield nn.Dropout(0.5)
    yield nn.Conv2d(_WIDTHS[-1], _TABLES, 8)


class ImageAdaptiveLUT(nn.Module):
    """Classifier and tables."""

    luts: Tensor

    def __init__(self, norms: int, dropout: bool) -> None:
        super().__init__()
        self.classifier = Classifier(norms, dropout)
        self.register_buffer("luts", torch.zeros(_TABLES, 3, _BINS, _BINS, _BINS))

    def forward(self, image: Tensor) -> Tensor:
        """Enhance photos `(B, 3, H, W)` RGB in `[0, 1]`; values may leave the range a little."""
        blended = torch.einsum("bt,tcxyz->bcxyz", self.classifier(image), self.luts)
        return lookup(blended, image)


def lookup(lut: Tensor, image: Tensor) -> Tensor:
    """Look every pixel up in a table, trilinearly.

    Args:
        lut: `(B, 3, 33, 33, 33)`, indexed by output channel, then blue, green, red of the input.
        image: `(B, 3, H, W)` RGB in `[0, 1]`.
    """
    grid = (image * 2 - 1).permute(0, 2, 3, 1)[:, None]  # (B, 1, H, W, 3); the last coordinate is the table's first
    return grid_sample(lut, grid, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
