"""Jitter equals torchvision's; what a camera does equals scikit-image and hand calculation."""

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from restorebench.bench.errors import ConfigError
from restorebench.bench.images import Pixels
from restorebench.datasets.colours import (
    ColourJitter,
    ColourShift,
    Contrast,
    Exposure,
    Gray,
    SwapChannels,
    WhiteBalance,
)

SIZE = (131, 173)
JITTER = ColourJitter([0.5, 1.5], [0.5, 1.5], [0, 1.5], [-0.1, 0.1])


@pytest.fixture
def image(texture: Pixels) -> Any:
    return texture.astype(np.float32)


@pytest.mark.parametrize(
    "drawn",
    [
        {
            "order": "brightness,contrast,saturation,hue",
            "brightness": 1.4,
            "contrast": 0.6,
            "saturation": 1.3,
            "hue": 0.08,
        },
        {
            "order": "hue,saturation,contrast,brightness",
            "brightness": 0.7,
            "contrast": 1.5,
            "saturation": 0.2,
            "hue": -0.1,
        },
        {
            "order": "contrast,hue,brightness,saturation",
            "brightness": 1.0,
            "contrast": 1.2,
            "saturation": 0.0,
            "hue": 0.5,
        },
    ],
)
def test_jitter_is_torchvision_s_in_the_order_drawn(image: Any, drawn: dict[str, Any]) -> None:
    expected = torch.from_numpy(image / 255).permute(2, 0, 1)
    for what in drawn["order"].split(","):
        expected = getattr(tv, f"adjust_{what}")(expected, drawn[what])
    made = JITTER.apply(image, drawn, SIZE)
    np.testing.assert_allclose(made, expected.permute(1, 2, 0).numpy() * 255, rtol=0, atol=0.01)


def test_jitter_draws_all_24_orders() -> None:
    rng = np.random.default_rng(0)
    assert len({JITTER.draw(rng)["order"] for _ in range(500)}) == 24


def test_a_shift_moves_each_channel_by_its_own_number(image: Any) -> None:
    made = ColourShift([-20, 20]).apply(image, {"red": 20.0, "green": -7.5, "blue": 0.0}, SIZE)
    np.testing.assert_allclose(made, np.clip(image + np.array([20, -7.5, 0]), 0, 255), atol=1e-4)


def test_gray_is_the_luminance_in_all_channels(image: Any) -> None:
    expected = image @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(Gray().apply(image, {}, SIZE), np.dstack([expected] * 3), atol=1e-3)


def test_swapping_twice_changes_nothing(image: Any) -> None:
    once = SwapChannels().apply(image, {}, SIZE)
    np.testing.assert_array_equal(once[:, :, 0], image[:, :, 2])
    np.testing.assert_array_equal(SwapChannels().apply(once, {}, SIZE), image)


def decode(value: Any) -> Any:
    """sRGB to light, pixel by pixel, from the standard's text."""
    return np.vectorize(lambda v: v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)(value / 255)


def encode(light: Any) -> Any:
    return 255 * np.vectorize(lambda v: 12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)(light)


@pytest.mark.parametrize("stops", [-1.5, 0.0, 0.5])
def test_a_stop_doubles_the_light(image: Any, stops: float) -> None:
    made = Exposure([-2, 2]).apply(image, {"stops": stops}, SIZE)
    np.testing.assert_allclose(made, encode(np.clip(decode(image) * 2**stops, 0, 1)), rtol=0, atol=0.01)


def test_balance_warms_red_cools_blue_and_leaves_green(image: Any) -> None:
    made = WhiteBalance([-1, 1]).apply(image, {"warmth": 0.5, "tint": 0.1}, SIZE)
    light = decode(image) * [2**0.35, 1, 2**-0.15]
    np.testing.assert_allclose(made, encode(np.clip(light, 0, 1)), rtol=0, atol=0.01)
    np.testing.assert_allclose(made[:, :, 1], image[:, :, 1], atol=0.01)


def test_contrast_scales_about_middle_gray(image: Any) -> None:
    made = Contrast([0.5, 1]).apply(image, {"factor": 0.6}, SIZE)
    np.testing.assert_allclose(made, 127.5 + 0.6 * (image - 127.5), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColourShift([5, -5]), "shift"),
        (lambda: ColourJitter(-1, 1, 1, 0), "brightness"),
        (lambda: ColourJitter(1, 1, 1, [-0.6, 0]), "hue"),
        (lambda: Exposure("dark"), "exposure stops"),  # type: ignore[arg-type]
        (lambda: WhiteBalance(1, tint=[1, 0]), "tint"),
        (lambda: Contrast(-1), "negative"),
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
