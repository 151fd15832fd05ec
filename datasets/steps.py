"""Steps a degradation is composed of.

A step draws its numbers first and applies them later: `draw` never sees an image, so that ranges can be
checked without degrading anything, and what was drawn is enough to degrade another image alike.
Between steps an image is `float32` RGB `(H, W, 3)` on the 0-255 scale; it is rounded to 8 bits where an
8-bit file would be written: before JPEG, and before it is brought back to size.

What a parameter may be drawn from stands in `ranges`.  More steps: `blurs`, `resizing`, `noises`,
`colours`; several as one: `combine`.
"""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bench.errors import ConfigError, ImageError
from ..bench.images import Filter, Pixels, resize
from .kernels import Kernel, gaussian
from .ranges import Range, bounds, probability, sample, sample_whole, whole_bounds

Floats = NDArray[np.float32]
"""`float32` RGB image `(H, W, 3)`, 0-255."""

SEEDS = 2**53  # so that a recorded seed survives JSON and a float column


class Step(Protocol):
    """One stage of a degradation.

    Attributes:
        name: prefix of its parameters in records, such as `blur` in `blur_sigma_x`; no underscores.
    """

    @property
    def name(self) -> str:
        """Prefix of the step's parameters."""
        ...

    def draw(self, generator: np.random.Generator) -> Mapping[str, Any]:
        """Draw what is random; JSON-able."""
        ...

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Return the degraded image; `size` is the reference's `(height, width)`.

        Raises:
            ImageError: this image cannot be degraded so, such as one too small to be brought down.
        """
        ...


@dataclass(frozen=True)
class GaussianBlur:
    """Blur with an iso- or anisotropic Gaussian; the border is mirrored without its edge (reflect101).

    Attributes:
        sigma: standard deviation, pixels of the reference; an anisotropic kernel draws it twice.
        size: odd side of the kernel, pixels.
        isotropic: probability of an isotropic kernel; the others are turned by an angle in [-pi, pi].
    """

    sigma: Range
    size: int = 41
    isotropic: float = 0.5
    name = "blur"

    def __post_init__(self) -> None:
        if bounds("blur sigma", self.sigma)[0] <= 0:
            raise ConfigError(f"blur sigma is {self.sigma}; it must be above 0 pixels")
        if self.size < 1 or self.size % 2 == 0:
            raise ConfigError(f"blur size is {self.size}; the side of a kernel is odd")
        probability("blur isotropic", self.isotropic)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the kernel's kind, two sigmas and an angle; an isotropic one uses the first sigma only."""
        isotropic = generator.random() < self.isotropic
        sigma_x, sigma_y = sample(generator, self.sigma), sample(generator, self.sigma)
        theta = sample(generator, (-math.pi, math.pi))
        if isotropic:
            return {"kind": "isotropic", "sigma_x": sigma_x, "sigma_y": sigma_x, "theta": 0.0}
        return {"kind": "anisotropic", "sigma_x": sigma_x, "sigma_y": sigma_y, "theta": theta}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel."""
        return np.asarray(
            cv2.filter2D(image, -1, self.kernel(drawn), borderType=cv2.BORDER_REFLECT_101), dtype=np.float32
        )

    def kernel(self, drawn: Mapping[str, Any]) -> Kernel:
        """Return the kernel that was drawn."""
        return gaussian(self.size, drawn["sigma_x"], drawn["sigma_y"], drawn["theta"])


@dataclass(frozen=True)
class Down:
    """Bring the image down to `int(side / scale)`.

    Attributes:
        scale: reference side / native side; below 1 enlarges.
        filter: OpenCV's `bilinear` reads 2 x 2 pixels and does not antialias: what the blur left is folded.
    """

    scale: Range
    filter: Filter = "bilinear"
    name = "down"

    def __post_init__(self) -> None:
        if bounds("down scale", self.scale)[0] <= 0:
            raise ConfigError(f"down scale is {self.scale}; it must be above 0")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the scale."""
        return {"scale": sample(generator, self.scale)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Resize the image as it comes, whatever the reference's size."""
        return resize(image, self.native((image.shape[0], image.shape[1]), drawn), self.filter)

    def native(self, size: tuple[int, int], drawn: Mapping[str, Any]) -> tuple[int, int]:
        """Return the `(height, width)` that an image of `size` is brought down to.

        Raises:
            ImageError: nothing would be left.
        """
        height, width = size
        native = int(height / drawn["scale"]), int(width / drawn["scale"])
        if min(native) < 1:
            raise ImageError(f"an image of {width} x {height} is too small to be brought down {drawn['scale']:g} times")
        return native


@dataclass(frozen=True)
class GaussianNoise:
    """Add independent Gaussian noise to each pixel and channel, then clip.

    Attributes:
        delta: standard deviation on the 0-255 scale.
    """

    delta: Range
    name = "noise"

    def __post_init__(self) -> None:
        if bounds("noise delta", self.delta)[0] < 0:
            raise ConfigError(f"noise delta is {self.delta}; it must not be negative")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the deviation and the seed of the noise field."""
        return {"delta": sample(generator, self.delta), "seed": int(generator.random() * SEEDS)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Add the field of the recorded seed."""
        field = np.random.Generator(np.random.PCG64(drawn["seed"])).standard_normal(image.shape, dtype=np.float32)
        return np.clip(image + np.float32(drawn["delta"]) * field, 0, 255)


@dataclass(frozen=True)
class Jpeg:
    """Compress as JPEG with 4:2:0 chroma, libjpeg's (and OpenCV's) default.

    Attributes:
        quality: 1-100; whole numbers are drawn, both ends included.
    """

    quality: Range
    name = "jpeg"

    def __post_init__(self) -> None:
        low, high = whole_bounds("jpeg quality", self.quality)
        if low < 1 or high > 100:
            raise ConfigError(f"jpeg quality is {self.quality}; whole numbers in 1..100 are expected")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the quality."""
        return {"quality": sample_whole(generator, self.quality)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Round to 8 bits, encode and decode."""
        settings = [
            *(cv2.IMWRITE_JPEG_QUALITY, int(drawn["quality"])),  # OpenCV 5 refuses floats
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        ]
        ok, data = cv2.imencode(".jpg", quantise(image)[:, :, ::-1], settings)
        if not ok:
            raise ImageError(f"OpenCV could not compress an image of {image.shape[1]} x {image.shape[0]} as JPEG")
        decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.float32)
        return np.ascontiguousarray(decoded[:, :, ::-1])


@dataclass(frozen=True)
class Back:
    """Round to 8 bits and resize to the reference's size: `lq == resize(native, size, filter)`.

    Attributes:
        filter: `bilinear` in GFP-GAN's and CodeFormer's code.
    """

    filter: Filter = "bilinear"
    name = "back"

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here."""
        return {}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Resize to `size`."""
        return resize(quantise(image), size, self.filter).astype(np.float32)


@dataclass(frozen=True)
class Quantise:
    """Clip and bring to 8 bits where a script does so between steps.

    Attributes:
        how: `round` (half to even) or `truncate`, which darkens by half a level.
    """

    how: Literal["round", "truncate"] = "round"
    name = "quantise"

    def __post_init__(self) -> None:
        if self.how not in ("round", "truncate"):
            raise ConfigError(f"quantise how is {self.how!r}; round or truncate is expected")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here."""
        return {}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Return whole numbers in 0-255."""
        return quantise(image if self.how == "round" else np.floor(image)).astype(np.float32)


def quantise(image: Floats) -> Pixels:
    """Clip to 0-255 and round half to even to 8 bits."""
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def draw_each(steps: Sequence[Step], generator: np.random.Generator) -> dict[str, Any]:
    """Draw the parameters of every step, `{"blur_sigma_x": 2.7, "jpeg_quality": 61, ...}`."""
    return {
        f"{prefix}{key}": value
        for prefix, step in zip(prefixes(steps), steps, strict=True)
        for key, value in step.draw(generator).items()
    }


def contents(steps: Sequence[Step]) -> str:
    """Return the digests of files that steps read, inner ones too; they belong into the identity of a degradation."""
    found = []
    for step in steps:
        inner = [*getattr(step, "steps", ()), *([step.step] if hasattr(step, "step") else [])]
        found += [getattr(step, "content", ""), contents(inner)]
    return " ".join(filter(None, found))


def prefixes(steps: Sequence[Step]) -> list[str]:
    """Return what the parameters of each step begin with; a second step of one name counts up: `blur2_`."""
    seen: Counter[str] = Counter()
    found = []
    for step in steps:
        seen[step.name] += 1
        count = seen[step.name]
        found.append(f"{step.name}{count if count > 1 else ''}_")
    return found


def own(drawn: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return what one step has drawn, as it drew it."""
    return {key.removeprefix(prefix): value for key, value in drawn.items() if key.startswith(prefix)}
