"""Resizing beside `Down` and `Back`: with a filter that is drawn, to a side in pixels, with Pillow's filters, or by a border."""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from ..bench.errors import ConfigError, ImageError
from ..bench.images import CV2_FILTER, Filter, resize
from .ranges import Range, bounds, pick, sample, sample_whole, whole_bounds
from .steps import Floats, quantise

PILLOW_FILTER = {
    "pillow_box": Image.Resampling.BOX,
    "pillow_bilinear": Image.Resampling.BILINEAR,
    "pillow_bicubic": Image.Resampling.BICUBIC,
    "pillow_lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's filters widen when they shrink an image, which antialiases; OpenCV's do not, except `area`."""

Sampling = str | Sequence[str]
"""A filter of OpenCV (`bench.images.Filter`) or of Pillow, or several of which one is drawn, all alike."""


@dataclass(frozen=True)
class Resize:
    """Resize by `factor / scale`, sides rounded down.

    Attributes:
        factor: what enlarges; for ranges that are stated as new side / old side.
        scale: what brings down; for ranges that are stated as old side / new side.
        of: what the old side is that of: the `image` as it comes, or the `reference`.
        filter: one or several.
    """

    factor: Range = 1
    scale: Range = 1
    of: Literal["image", "reference"] = "image"
    filter: Sampling = "bilinear"
    name = "resize"

    def __post_init__(self) -> None:
        for what in ("factor", "scale"):
            if bounds(f"resize {what}", getattr(self, what))[0] <= 0:
                raise ConfigError(f"resize {what} is {getattr(self, what)}; it must be above 0")
        if self.of not in ("image", "reference"):
            raise ConfigError(f"resize of is {self.of!r}; image or reference is expected")
        _filters(self.filter)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw factor, scale and filter."""
        factor, scale = sample(generator, self.factor), sample(generator, self.scale)
        return {"factor": factor, "scale": scale, "filter": _draw_filter(generator, self.filter)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Resize."""
        old = image.shape[:2] if self.of == "image" else size
        height, width = (int(side * drawn["factor"] / drawn["scale"]) for side in old)
        return resized(image, (height, width), drawn["filter"])


@dataclass(frozen=True)
class ToSide:
    """Resize so that the shorter side has some pixels; the longer one keeps the proportion, rounded.

    Attributes:
        side: pixels.
        filter: one or several.
    """

    side: Range
    filter: Sampling = "bilinear"
    name = "side"

    def __post_init__(self) -> None:
        if whole_bounds("side", self.side)[0] < 1:
            raise ConfigError(f"side is {self.side}; 1 pixel or more is expected")
        _filters(self.filter)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw side and filter."""
        return {"pixels": sample_whole(generator, self.side), "filter": _draw_filter(generator, self.filter)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Resize."""
        height, width = image.shape[:2]
        factor = drawn["pixels"] / min(height, width)
        return resized(image, (round(height * factor), round(width * factor)), drawn["filter"])


@dataclass(frozen=True)
class Pad:
    """Round to 8 bits and bring a smaller image to the reference's size by a border around it.

    Attributes:
        border: `mirror` (without repeating the edge), `edge` or `constant`.
        value: of the constant border, 0-255.
    """

    border: Literal["mirror", "edge", "constant"] = "mirror"
    value: float = 0
    name = "pad"

    def __post_init__(self) -> None:
        if self.border not in _BORDERS:
            raise ConfigError(f"pad border is {self.border!r}; {', '.join(_BORDERS)} are known")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here."""
        return {}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Centre the image; of an odd border, the smaller half lies above and left."""
        below, right = size[0] - image.shape[0], size[1] - image.shape[1]
        if below < 0 or right < 0:
            raise ImageError(
                f"an image of {image.shape[1]} x {image.shape[0]} cannot be padded to {size[1]} x {size[0]}"
            )
        edges = below // 2, below - below // 2, right // 2, right - right // 2
        fill = (self.value,) * 3
        return np.asarray(
            cv2.copyMakeBorder(quantise(image), *edges, _BORDERS[self.border], value=fill), dtype=np.float32
        )


_BORDERS = {"mirror": cv2.BORDER_REFLECT_101, "edge": cv2.BORDER_REPLICATE, "constant": cv2.BORDER_CONSTANT}


def resized(image: Floats, target: tuple[int, int], how: str) -> Floats:
    """Resize to `target` (height, width) with a filter of OpenCV or Pillow; values may overshoot.

    Raises:
        ImageError: the image would vanish.
    """
    height, width = image.shape[:2]
    if min(target) < 1:
        raise ImageError(f"an image of {width} x {height} is too small to be brought to {target[1]} x {target[0]}")
    if how not in PILLOW_FILTER:
        return resize(image, target, _opencv(how))
    sampling, turned = PILLOW_FILTER[how], (target[1], target[0])
    channels = [Image.fromarray(np.ascontiguousarray(image[:, :, channel])) for channel in range(3)]
    return np.dstack([np.asarray(channel.resize(turned, sampling), dtype=np.float32) for channel in channels])


def _opencv(how: str) -> Filter:
    for known in CV2_FILTER:
        if known == how:
            return known  # type: ignore[return-value]  # the keys are the filter's literals
    raise ConfigError(f"resize filter is {how!r}; known: {', '.join([*CV2_FILTER, *PILLOW_FILTER])}")


def _filters(given: Sampling) -> list[str]:
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ConfigError("resize filter is empty; one or several names are expected")
    for name in names:
        if name not in PILLOW_FILTER:
            _opencv(name)
    return names


def _draw_filter(generator: np.random.Generator, given: Sampling) -> str:
    names = _filters(given)
    return names[pick(generator, len(names))]
