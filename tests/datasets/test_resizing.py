"""Resizing equals Pillow's and OpenCV's own, at sizes that can be computed by hand."""

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import Pixels
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.resizing import PILLOW_FILTER, Pad, Resize, ToSide
from restorebench.datasets.steps import Down

SIZE = (131, 173)


@pytest.mark.parametrize("how", sorted(PILLOW_FILTER))
@pytest.mark.parametrize("scale", [3.7, 0.6])
def test_pillow_s_filters_are_pillow_s(texture: Pixels, how: str, scale: float) -> None:
    image = texture // 2 + 60  # away from black and white, where Pillow clips its first pass
    drawn = {"factor": 1.0, "scale": scale, "filter": how}
    made = Resize(scale=scale, filter=how).apply(image.astype(np.float32), drawn, SIZE)
    size = int(173 / scale), int(131 / scale)
    expected = np.asarray(Image.fromarray(image).resize(size, PILLOW_FILTER[how]), dtype=float)
    assert np.abs(made - expected).max() <= 1.25  # Pillow rounds 8-bit images after each of its two passes
    assert np.abs(made - expected).mean() < 0.4


def test_opencv_s_filters_are_opencv_s(texture: Pixels) -> None:
    image = texture.astype(np.float32)
    made = Resize(filter="area").apply(image, {"factor": 0.3, "scale": 1.0, "filter": "area"}, SIZE)
    np.testing.assert_array_equal(made, cv2.resize(image, (51, 39), interpolation=cv2.INTER_AREA))


def test_a_scale_is_that_of_the_classic_model(texture: Pixels) -> None:
    image = texture.astype(np.float32)
    made = Resize(scale=2.6).apply(image, {"factor": 1.0, "scale": 2.6, "filter": "bilinear"}, SIZE)
    np.testing.assert_array_equal(made, Down(2.6).apply(image, {"scale": 2.6}, SIZE))


def test_a_factor_may_be_of_the_reference(texture: Pixels) -> None:
    small = texture[:20, :20].astype(np.float32)
    made = Resize(of="reference").apply(small, {"factor": 0.5, "scale": 4.0, "filter": "bicubic"}, SIZE)
    assert made.shape == (131 // 8, 173 // 8, 3)
    back = Resize(of="reference").apply(small, {"factor": 1.0, "scale": 1.0, "filter": "bicubic"}, SIZE)
    assert back.shape[:2] == SIZE


def test_the_shorter_side_gets_the_pixels_drawn(texture: Pixels) -> None:
    made = ToSide(40).apply(texture.astype(np.float32), {"pixels": 40, "filter": "nearest"}, SIZE)
    assert made.shape[:2] == (40, 53)


def test_one_of_several_filters_is_drawn_all_alike() -> None:
    rng = np.random.default_rng(0)
    names = [ToSide([32, 255], ["nearest", "area"]).draw(rng)["filter"] for _ in range(400)]
    assert 150 < names.count("nearest") < 250
    assert set(names) == {"nearest", "area"}


def test_an_image_that_would_vanish_is_refused() -> None:
    with pytest.raises(ImageError, match="5 x 20 is too small"):
        Resize(scale=8).apply(
            np.zeros((20, 5, 3), np.float32), {"factor": 1.0, "scale": 8.0, "filter": "area"}, (20, 5)
        )


@pytest.mark.parametrize(("border", "mode"), [("mirror", "reflect"), ("edge", "edge"), ("constant", "constant")])
def test_a_border_brings_a_small_image_to_size(texture: Pixels, border: Any, mode: Any) -> None:
    small = texture[:100, :150]
    made = Pad(border).apply(small.astype(np.float32), {}, SIZE)
    np.testing.assert_array_equal(made, np.pad(small, ((15, 16), (11, 12), (0, 0)), mode=mode))


def test_a_padded_pipeline_ends_at_the_reference_s_size(texture: Pixels) -> None:
    made = Pipeline("padded", [Down(2), Pad("constant", value=9)])(texture, np.random.default_rng(0))
    assert made.lq.shape == texture.shape
    assert (made.lq[0, 0] == 9).all()
    assert made.native is not None
    assert made.native.shape[:2] == (65, 86)


def test_a_larger_image_cannot_be_padded() -> None:
    with pytest.raises(ImageError, match="cannot be padded"):
        Pad().apply(np.zeros((9, 4, 3), np.float32), {}, (8, 8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize(factor=0), "resize factor"),
        (lambda: Resize(scale=-1), "resize scale"),
        (lambda: Resize(of="both"), "of is 'both'"),  # type: ignore[arg-type]
        (lambda: Resize(filter="cubic"), "filter is 'cubic'; known: .*pillow_bicubic"),
        (lambda: Resize(filter=[]), "empty"),
        (lambda: ToSide([0, 5]), "1 pixel or more"),
        (lambda: ToSide(8, filter=["area", "sharp"]), "'sharp'"),
        (lambda: Pad("wrap"), "border is 'wrap'"),  # type: ignore[arg-type]
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
