"""Blurs beside the plain Gaussian: other kernels, average, median, motion.

All mirror the border without its edge (reflect101), as OpenCV does by default, except the median.
"""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from ..bench.errors import ConfigError
from . import kernels
from .ranges import Range, bounds, probability, sample, sample_whole, whole_bounds
from .steps import SEEDS, Floats, quantise


@dataclass(frozen=True)
class KernelBlur:
    """Blur with an iso- or anisotropic kernel whose size, angle and family are free too.

    Attributes:
        sigma: standard deviation, pixels; an anisotropic kernel draws it twice.
        family: `gaussian`, `generalized` or `plateau`, see `kernels`.
        beta: exponent of the other two families.
        size: odd side of the kernel, pixels; None: grows with the first sigma as in imgaug, see `kernels.side`.
        isotropic: probability of an isotropic kernel.
        theta: angle of the others, radians.
    """

    sigma: Range
    family: Literal["gaussian", "generalized", "plateau"] = "gaussian"
    beta: Range = 1
    size: Range | None = 41
    isotropic: float = 0.5
    theta: Range = (-math.pi, math.pi)
    name = "blur"

    def __post_init__(self) -> None:
        for what in ("sigma", "beta"):
            if bounds(f"blur {what}", getattr(self, what))[0] <= 0:
                raise ConfigError(f"blur {what} is {getattr(self, what)}; it must be above 0")
        if self.family not in ("gaussian", "generalized", "plateau"):
            raise ConfigError(f"blur family is {self.family!r}; gaussian, generalized or plateau is expected")
        if self.size is not None:
            _whole_from(1, "blur size", self.size)
        probability("blur isotropic", self.isotropic)
        bounds("blur theta", self.theta)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the kernel's kind, two sigmas, angle, exponent and size."""
        isotropic = generator.random() < self.isotropic
        sigma_x, sigma_y = sample(generator, self.sigma), sample(generator, self.sigma)
        theta, beta = sample(generator, self.theta), sample(generator, self.beta)
        size = sample_whole(generator, 1 if self.size is None else self.size)
        return {
            "family": self.family,
            "kind": "isotropic" if isotropic else "anisotropic",
            "sigma_x": sigma_x,
            "sigma_y": sigma_x if isotropic else sigma_y,
            "theta": 0.0 if isotropic else theta,
            **({} if self.family == "gaussian" else {"beta": beta}),
            "size": kernels.side(sigma_x) if self.size is None else _odd(size),
        }

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel."""
        return correlate(image, self.kernel(drawn))

    def kernel(self, drawn: Mapping[str, Any]) -> kernels.Kernel:
        """Return the kernel that was drawn."""
        shape = drawn["size"], drawn["sigma_x"], drawn["sigma_y"], drawn["theta"]
        if drawn["family"] == "gaussian":
            return kernels.gaussian(*shape)
        make = kernels.generalized if drawn["family"] == "generalized" else kernels.plateau
        return make(*shape, drawn["beta"])


@dataclass(frozen=True)
class SincBlur:
    """Cut off high frequencies sharply, which leaves ringing as sharpening or JPEG 2000 do.

    Attributes:
        cutoff: radians per pixel, in (0, pi].
        size: odd side of the kernel, pixels.
    """

    cutoff: Range
    size: Range = 21
    name = "sinc"

    def __post_init__(self) -> None:
        low, high = bounds("sinc cutoff", self.cutoff)
        if low <= 0 or high > math.pi:
            raise ConfigError(f"sinc cutoff is {self.cutoff}; radians in (0, pi] are expected")
        _whole_from(1, "sinc size", self.size)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw cutoff and size."""
        return {"cutoff": sample(generator, self.cutoff), "size": _odd(sample_whole(generator, self.size))}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel."""
        return correlate(image, self.kernel(drawn))

    def kernel(self, drawn: Mapping[str, Any]) -> kernels.Kernel:
        """Return the kernel that was drawn."""
        return kernels.sinc(drawn["size"], drawn["cutoff"])


@dataclass(frozen=True)
class AverageBlur:
    """Replace each pixel by the mean of a square; an even square reaches further up and left.

    Attributes:
        size: side, pixels.
    """

    size: Range
    name = "average"

    def __post_init__(self) -> None:
        _whole_from(1, "average size", self.size)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the size."""
        return {"size": sample_whole(generator, self.size)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Average each channel."""
        side = drawn["size"]
        return np.asarray(cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


@dataclass(frozen=True)
class MedianBlur:
    """Replace each pixel by the median of a square, channel by channel, after rounding to 8 bits; edges are repeated.

    Attributes:
        size: side, pixels; an even one becomes the next odd one, as in imgaug.
    """

    size: Range
    name = "median"

    def __post_init__(self) -> None:
        _whole_from(1, "median size", self.size)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the size."""
        return {"size": _odd(sample_whole(generator, self.size))}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Take the median of each channel."""
        return np.asarray(cv2.medianBlur(quantise(image), drawn["size"]), dtype=np.float32)


@dataclass(frozen=True)
class LineMotion:
    """Blur along a straight line.

    Attributes:
        size: length, pixels; an even one becomes the next odd one, as in imgaug.
        angle: degrees, clockwise from upwards.
        direction: -1..1, see `kernels.line`.
    """

    size: Range
    angle: Range = (0, 360)
    direction: Range = (-1, 1)
    name = "motion"

    def __post_init__(self) -> None:
        _whole_from(3, "motion size", self.size)
        bounds("motion angle", self.angle)
        low, high = bounds("motion direction", self.direction)
        if low < -1 or high > 1:
            raise ConfigError(f"motion direction is {self.direction}; it lies in -1..1")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw length, angle and direction."""
        size = _odd(sample_whole(generator, self.size))
        return {"size": size, "angle": sample(generator, self.angle), "direction": sample(generator, self.direction)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel."""
        return correlate(image, self.kernel(drawn))

    def kernel(self, drawn: Mapping[str, Any]) -> kernels.Kernel:
        """Return the kernel that was drawn."""
        return kernels.line(drawn["size"], drawn["angle"], drawn["direction"])


@dataclass(frozen=True)
class ShakeMotion:
    """Blur along the path of an unsteady hand, see `kernels.shake`.

    Attributes:
        size: side of the square that the path just fits, pixels; an even one becomes the next odd one.
        bend: standard deviation of the heading between start and end, radians.
    """

    size: Range
    bend: Range = (0, 6)
    name = "shake"

    def __post_init__(self) -> None:
        _whole_from(3, "shake size", self.size)
        if bounds("shake bend", self.bend)[0] < 0:
            raise ConfigError(f"shake bend is {self.bend}; it must not be negative")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw size, bend and the seed of the path."""
        size = _odd(sample_whole(generator, self.size))
        return {"size": size, "bend": sample(generator, self.bend), "seed": int(generator.random() * SEEDS)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel."""
        return correlate(image, self.kernel(drawn))

    def kernel(self, drawn: Mapping[str, Any]) -> kernels.Kernel:
        """Return the kernel that was drawn."""
        return kernels.shake(drawn["size"], drawn["bend"], drawn["seed"])


def correlate(image: Floats, kernel: kernels.Kernel) -> Floats:
    """Convolve each channel with a kernel that is not turned over."""
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101), dtype=np.float32)


def _odd(size: int) -> int:
    return size if size % 2 else size + 1


def _whole_from(least: int, what: str, span: Range) -> None:
    if whole_bounds(what, span)[0] < least:
        raise ConfigError(f"{what} is {span}; {least} pixels or more are expected")
