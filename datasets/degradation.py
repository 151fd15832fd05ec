"""A degradation model composed of steps: x = [(y * k_sigma) down_r + n_delta]_JPEG_q, then back to size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bench.api import Degraded
from ..bench.errors import ConfigError
from ..bench.images import Pixels
from .steps import Step, contents, draw_each, own, prefixes, quantise


@dataclass
class Pipeline:
    """Steps applied one after the other.

    Everything is drawn before the first step is applied, and what was drawn is all that decides the
    result: `apply(image, drawn)` repeats a degradation exactly, on this or another image.

    Attributes:
        key: keys the random draws, so that two splits of one key and one list of steps are the same
            split (`mild` is `x8_mild`).
        steps: what happens, in order.  The last image must have the reference's size.
    """

    key: str
    steps: Sequence[Step]
    version = 1

    @property
    def content(self) -> str:
        """Digest of the files that steps read, such as measured kernels; empty where there are none."""
        return contents(self.steps)

    def __call__(self, image: Pixels, generator: np.random.Generator) -> Degraded:
        """Degrade one `uint8` RGB image `(H, W, 3)` of any size.

        Raises:
            ImageError: the image is too small for a step.
            ConfigError: the steps do not end at the reference's size.
        """
        return self.apply(image, self.draw(generator))

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the parameters of every step, `{"blur_sigma_x": 2.7, "jpeg_quality": 61, ...}`.

        A second step of one name counts up: `blur2_sigma_x`.
        """
        return draw_each(self.steps, generator)

    def apply(self, image: Pixels, drawn: Mapping[str, Any]) -> Degraded:
        """Degrade an image with parameters drawn before.

        Returns:
            `lq` of the image's size; `native`, the smaller 8-bit image that a step brought back to that
            size; the parameters and `native_height`, `native_width`.
        """
        size = image.shape[:2]
        state, native = image.astype(np.float32), None
        for prefix, step in zip(prefixes(self.steps), self.steps, strict=True):
            before, state = state, step.apply(state, own(drawn, prefix), size)
            if before.size < state.size and state.shape[:2] == size:
                native = quantise(before)
        if state.shape[:2] != size:
            height, width = state.shape[:2]
            raise ConfigError(
                f"degradation {self.key}: the steps end at {width} x {height} for an image of "
                f"{size[1]} x {size[0]}; end them with restorebench.datasets.steps.Back"
            )
        height, width = (state if native is None else native).shape[:2]
        return Degraded(quantise(state), native, {**drawn, "native_height": height, "native_width": width})
