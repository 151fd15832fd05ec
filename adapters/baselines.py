"""Rows every table needs beside the competitors: the input, plain resizing, classic denoising, the reference."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..bench.api import Batch, Card, Weights
from ..bench.errors import ConfigError
from ..bench.images import to_pixels, to_tensor

if TYPE_CHECKING:
    import torch


class _Unchanged:
    """Returns what it is fed; its card says what that is."""

    card: Card
    version = 1
    weights: Weights = MappingProxyType({})

    def load(self, device: torch.device) -> None:
        """Nothing to build."""

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return the images as they came."""
        return batch.images


class Input(_Unchanged):
    """The LQ brought back to size: what a restorer has to beat."""

    card = Card(
        name="Input",
        paper="the degraded image itself",
        task="baseline",
        input="lq",
    )


class Lanczos(_Unchanged):
    """The small image enlarged by Lanczos (OpenCV's 8 x 8 taps)."""

    card = Card(
        name="Lanczos",
        paper="Lanczos resampling of the native LQ, cv2.INTER_LANCZOS4",
        task="baseline",
        input="native",
        final_resize="lanczos",
    )


class Reference(_Unchanged):
    """The reference itself: the score of a perfect result."""

    card = Card(
        name="Reference",
        paper="the ground truth itself",
        task="baseline",
        input="reference",
        ranked=False,
    )


class NLMeans:
    """Non-local means in CIELAB (`cv2.fastNlMeansDenoisingColored`), Buades et al., IPOL 2011.

    Args:
        h: strength on luminance, in 8-bit levels; about the noise sigma.
        h_color: strength on the colour channels.
        template: side in pixels of the compared patches, odd.
        search: side in pixels of the window patches are looked for in, odd.

    Raises:
        ConfigError: a side is even or not positive.
    """

    version = 1
    weights: Weights = MappingProxyType({})
    card = Card(
        name="NL-means",
        paper="Buades et al., Non-Local Means Denoising, IPOL 2011 (OpenCV)",
        task="denoising",
        input="lq",
        knobs={
            "h": "strength on luminance",
            "h_color": "strength on colour",
            "template": "patch side",
            "search": "window side",
        },
    )

    def __init__(self, h: float = 10.0, h_color: float = 10.0, template: int = 7, search: int = 21) -> None:
        for name, side in (("template", template), ("search", search)):
            if side < 1 or side % 2 == 0:
                raise ConfigError(f"nlmeans: {name} is {side}; give an odd number of pixels")
        self.h, self.h_color, self.template, self.search = h, h_color, template, search

    def load(self, device: torch.device) -> None:
        """Nothing to build; OpenCV runs on the CPU."""

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return the images denoised one by one, in 8 bits as OpenCV works."""
        results = []
        for image in to_pixels(batch.images):
            bgr = np.ascontiguousarray(image[:, :, ::-1])  # OpenCV's Lab conversion expects BGR
            clean = cv2.fastNlMeansDenoisingColored(bgr, None, self.h, self.h_color, self.template, self.search)
            results.append(np.ascontiguousarray(clean[:, :, ::-1]).astype(np.uint8, copy=False))
        return to_tensor(results, batch.images.device)
