"""Noise beside the plain colour Gaussian: Laplace, Poisson, and gray noise that is the same in all channels."""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bench.errors import ConfigError
from .ranges import Range, bounds, probability, sample
from .steps import SEEDS, Floats, quantise


@dataclass(frozen=True)
class AdditiveNoise:
    """Add independent noise to each pixel, then clip; gray noise adds one value to all channels.

    Attributes:
        delta: standard deviation (Gaussian) or diversity `b` (Laplace, whose deviation is `b` times the root of 2)
            on the 0-255 scale.
        law: `gaussian` or `laplace`.
        gray: probability of gray noise.
    """

    delta: Range
    law: Literal["gaussian", "laplace"] = "gaussian"
    gray: float = 0.0
    name = "noise"

    def __post_init__(self) -> None:
        if bounds("noise delta", self.delta)[0] < 0:
            raise ConfigError(f"noise delta is {self.delta}; it must not be negative")
        if self.law not in ("gaussian", "laplace"):
            raise ConfigError(f"noise law is {self.law!r}; gaussian or laplace is expected")
        probability("noise gray", self.gray)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the strength, the seed of the noise field and whether it is gray."""
        delta, seed = sample(generator, self.delta), int(generator.random() * SEEDS)
        return {"law": self.law, "delta": delta, "seed": seed, "gray": generator.random() < self.gray}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Add the field of the recorded seed."""
        generator = np.random.Generator(np.random.PCG64(drawn["seed"]))
        shape = (*image.shape[:2], 1) if drawn["gray"] else image.shape
        if drawn["law"] == "gaussian":
            field = generator.standard_normal(shape, dtype=np.float32)
        else:
            field = generator.laplace(size=shape).astype(np.float32)
        return np.clip(image + np.float32(drawn["delta"]) * field, 0, 255)


@dataclass(frozen=True)
class PoissonNoise:
    """Add shot noise, whose variance grows with brightness, then clip; gray noise is that of the luminance.

    The image `y`, rounded to 8 bits and scaled to 0..1, becomes `Poisson(y v) / v`, with `v` the number of distinct
    values rounded up to a power of two; the difference is multiplied by `scale` and added.  BasicSR's definition,
    which Real-ESRGAN uses; `v` is 256 for most photos.

    Attributes:
        scale: factor of the noise; at 1 its deviation is `255 sqrt(y / v)` on the 0-255 scale.
        gray: probability of gray noise.
    """

    scale: Range
    gray: float = 0.0
    name = "poisson"

    def __post_init__(self) -> None:
        if bounds("poisson scale", self.scale)[0] < 0:
            raise ConfigError(f"poisson scale is {self.scale}; it must not be negative")
        probability("poisson gray", self.gray)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the factor, the seed of the noise and whether it is gray."""
        scale, seed = sample(generator, self.scale), int(generator.random() * SEEDS)
        return {"scale": scale, "seed": seed, "gray": generator.random() < self.gray}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Add the noise of the recorded seed."""
        generator = np.random.Generator(np.random.PCG64(drawn["seed"]))
        source = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None] if drawn["gray"] else image
        counted: NDArray[np.uint8] = quantise(np.asarray(source, dtype=np.float32))
        level = counted / 255.0
        values = 2 ** np.ceil(np.log2(len(np.unique(counted))))
        noise = generator.poisson(level * values) / values - level
        return np.asarray(np.clip(image + drawn["scale"] * 255 * noise, 0, 255), dtype=np.float32)
