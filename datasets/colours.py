"""Colour: jitter as in training code, and what a camera gets wrong."""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import cv2
import numpy as np

from ..bench.errors import ConfigError
from .ranges import Range, bounds, pick, sample
from .steps import Floats

_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)  # torchvision's weights, which its jitter uses
_ORDERS = tuple(permutations(("brightness", "contrast", "saturation", "hue")))


@dataclass(frozen=True)
class ColourShift:
    """Add one number to each channel, then clip.  GFP-GAN's own colour jitter.

    Attributes:
        shift: the range on the 0-255 scale; each channel draws its own.
    """

    shift: Range
    name = "shift"

    def __post_init__(self) -> None:
        bounds("shift", self.shift)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw three numbers."""
        return {channel: sample(generator, self.shift) for channel in ("red", "green", "blue")}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Shift each channel."""
        return np.clip(image + np.array([drawn["red"], drawn["green"], drawn["blue"]], np.float32), 0, 255)


@dataclass(frozen=True)
class ColourJitter:
    """Change brightness, contrast, saturation and hue, each once, in an order that is drawn.  torchvision's definitions.

    Attributes:
        brightness: factor of all values.
        contrast: factor of the distance from the mean luminance.
        saturation: factor of the distance from the pixel's luminance.
        hue: turn of the colour circle, in -0.5..0.5.
    """

    brightness: Range
    contrast: Range
    saturation: Range
    hue: Range
    name = "jitter"

    def __post_init__(self) -> None:
        for what in ("brightness", "contrast", "saturation"):
            if bounds(f"jitter {what}", getattr(self, what))[0] < 0:
                raise ConfigError(f"jitter {what} is {getattr(self, what)}; it must not be negative")
        low, high = bounds("jitter hue", self.hue)
        if low < -0.5 or high > 0.5:
            raise ConfigError(f"jitter hue is {self.hue}; it lies in -0.5..0.5")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the order and the four numbers."""
        order = ",".join(_ORDERS[pick(generator, len(_ORDERS))])
        return {"order": order, **{what: sample(generator, getattr(self, what)) for what in _ORDERS[0]}}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Change one after the other, clipping each time."""
        for what in drawn["order"].split(","):
            image = _JITTER[what](image, drawn[what])
        return image


def _brightness(image: Floats, factor: float) -> Floats:
    return _blend(image, np.zeros(1, np.float32), factor)


def _contrast(image: Floats, factor: float) -> Floats:
    return _blend(image, np.mean(image @ _LUMA, keepdims=True), factor)


def _saturation(image: Floats, factor: float) -> Floats:
    return _blend(image, (image @ _LUMA)[:, :, None], factor)


def _hue(image: Floats, turn: float) -> Floats:
    hsv = cv2.cvtColor(image / np.float32(255), cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = np.mod(hsv[:, :, 0] + np.float32(360 * turn), 360)
    return np.asarray(np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, 0, 255), dtype=np.float32)


def _blend(image: Floats, other: Floats, factor: float) -> Floats:
    return np.clip(np.float32(factor) * image + np.float32(1 - factor) * other, 0, 255)


_JITTER: Mapping[str, Callable[[Floats, float], Floats]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
}


@dataclass(frozen=True)
class Gray:
    """Replace the colours by their luminance (OpenCV's weights 0.299, 0.587, 0.114)."""

    name = "gray"

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here."""
        return {}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Return three equal channels."""
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.repeat(np.asarray(gray, dtype=np.float32)[:, :, None], 3, axis=2)


@dataclass(frozen=True)
class SwapChannels:
    """Swap red and blue, as code does that hands RGB to a library that expects BGR."""

    name = "swap"

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Nothing is random here."""
        return {}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Return the channels in opposite order."""
        return np.ascontiguousarray(image[:, :, ::-1])


@dataclass(frozen=True)
class Exposure:
    """Expose longer or shorter, in linear light (sRGB decoded and encoded again); what is too bright is clipped.

    Attributes:
        stops: each stop doubles the light.
    """

    stops: Range
    name = "exposure"

    def __post_init__(self) -> None:
        bounds("exposure stops", self.stops)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the stops."""
        return {"stops": sample(generator, self.stops)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Multiply the light."""
        return _encoded(_linear(image) * np.float32(2 ** drawn["stops"]))


@dataclass(frozen=True)
class WhiteBalance:
    """Balance for another illuminant: gains of the channels in linear light, green fixed.

    Attributes:
        warmth: stops between red and blue; above 0 is warmer (red gains half of it, blue loses half).
        tint: stops of red and blue together; above 0 is more magenta.
    """

    warmth: Range
    tint: Range = 0
    name = "balance"

    def __post_init__(self) -> None:
        bounds("balance warmth", self.warmth)
        bounds("balance tint", self.tint)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw both."""
        return {"warmth": sample(generator, self.warmth), "tint": sample(generator, self.tint)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Multiply the light of red and blue."""
        warm, tint = drawn["warmth"] / 2, drawn["tint"]
        return _encoded(_linear(image) * np.array([2 ** (tint + warm), 1, 2 ** (tint - warm)], np.float32))


@dataclass(frozen=True)
class Contrast:
    """Pull the values towards middle gray (127.5) or push them away, then clip; on encoded values.

    Attributes:
        factor: below 1 flattens.
    """

    factor: Range
    name = "contrast"

    def __post_init__(self) -> None:
        if bounds("contrast factor", self.factor)[0] < 0:
            raise ConfigError(f"contrast factor is {self.factor}; it must not be negative")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the factor."""
        return {"factor": sample(generator, self.factor)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Scale about middle gray."""
        return _blend(image, np.full(1, 127.5, np.float32), drawn["factor"])


def _linear(image: Floats) -> Floats:
    """Decode sRGB (IEC 61966-2-1): 0-255 to light in 0..1."""
    value = np.clip(image, 0, 255) / np.float32(255)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _encoded(light: Floats) -> Floats:
    """Inverse of `_linear`, clipped."""
    light = np.clip(light, 0, 1)
    return (255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)).astype(np.float32)
