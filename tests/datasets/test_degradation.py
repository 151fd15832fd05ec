"""A pipeline draws first, applies later, and what was drawn is all that decides the result."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import Pixels, read, resize
from restorebench.bench.seeds import numpy_generator
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.steps import Back, Down, GaussianBlur, GaussianNoise, Jpeg

FULL = Pipeline("full", [GaussianBlur([1, 6]), Down([2, 6]), GaussianNoise([0, 15]), Jpeg([40, 90]), Back()])


def test_it_returns_the_lq_at_size_the_native_image_and_all_it_drew(texture: Pixels) -> None:
    lq, native, parameters = FULL(texture, np.random.default_rng(5))
    assert lq.shape == texture.shape
    assert lq.dtype == np.uint8
    assert native is not None
    assert native.dtype == np.uint8
    assert native.shape[:2] == tuple(int(side / parameters["down_scale"]) for side in texture.shape[:2])
    assert (parameters["native_height"], parameters["native_width"]) == native.shape[:2]
    assert list(parameters) == [
        "blur_kind", "blur_sigma_x", "blur_sigma_y", "blur_theta", "down_scale", "noise_delta", "noise_seed",
        "jpeg_quality", "native_height", "native_width",
    ]  # fmt: skip


def test_the_lq_is_the_native_image_brought_back(texture: Pixels) -> None:
    lq, native, _ = FULL(texture, np.random.default_rng(5))
    assert native is not None
    np.testing.assert_array_equal(lq, resize(native, (131, 173), "bilinear"))


def test_equal_generators_give_equal_bytes_and_the_input_stays(texture: Pixels) -> None:
    before = texture.copy()
    first, second = (FULL(texture, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(first.lq, second.lq)
    np.testing.assert_array_equal(texture, before)
    assert not np.array_equal(first.lq, FULL(texture, np.random.default_rng(9)).lq)


def test_recorded_parameters_repeat_a_degradation_exactly(texture: Pixels) -> None:
    made = FULL(texture, np.random.default_rng(11))
    again = FULL.apply(texture, json.loads(json.dumps(made.parameters)))
    np.testing.assert_array_equal(again.lq, made.lq)
    assert again.parameters == made.parameters


@pytest.mark.parametrize("name", ["x4_severe", "mild", "x16_medium"])
def test_a_split_equals_the_recipe_stated_with_scipy_and_pillow(
    name: str, split: Callable[[str], Pipeline], faces: dict[str, Path]
) -> None:
    """x = [(y * k_sigma) down_r + n_delta]_JPEG_q, then back: blur by SciPy, JPEG by Pillow, the rest by hand."""
    image = read(faces["henner"])
    made = split(name)(image, numpy_generator(0, "degradation", name, "henner"))
    drawn = made.parameters
    side = np.arange(-20, 21)
    x, y = np.meshgrid(side, side)
    cos, sin = np.cos(drawn["blur_theta"]), np.sin(drawn["blur_theta"])
    kernel = np.exp(
        -(((x * cos + y * sin) / drawn["blur_sigma_x"]) ** 2 + ((y * cos - x * sin) / drawn["blur_sigma_y"]) ** 2) / 2
    )
    kernel /= kernel.sum()
    blurred = np.dstack([ndimage.correlate(image[:, :, c].astype(float), kernel, mode="mirror") for c in range(3)])
    r = int(drawn["down_scale"])  # even: bilinear sampling falls halfway between the two middle pixels
    rows = (blurred[r // 2 - 1 :: r] + blurred[r // 2 :: r]) / 2
    small = (rows[:, r // 2 - 1 :: r] + rows[:, r // 2 :: r]) / 2
    field = np.random.Generator(np.random.PCG64(drawn["noise_seed"])).standard_normal(small.shape, dtype=np.float32)
    noisy = np.rint(np.clip(small + drawn["noise_delta"] * field, 0, 255)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=drawn["jpeg_quality"], subsampling="4:2:0")
    native = np.asarray(Image.open(file).convert("RGB"))
    lq = np.asarray(Image.fromarray(native).resize((512, 512), Image.Resampling.BILINEAR))

    assert made.native is not None
    assert made.native.shape == native.shape == (512 // r, 512 // r, 3)
    # a pixel on the verge of rounding may fall the other way before JPEG and move its 8 x 8 block
    off = np.abs(made.native.astype(int) - native)
    assert (off <= 1).mean() > 0.99
    assert off.mean() < 0.05
    assert np.abs(made.lq.astype(int) - lq).mean() < 0.3  # both round, to 8 bits and in different places


def test_repeated_steps_are_counted_in_the_records(texture: Pixels) -> None:
    twice = Pipeline("twice", [GaussianBlur(1), Jpeg(90), GaussianBlur([2, 3]), Jpeg(40)])
    parameters = twice(texture, np.random.default_rng(0)).parameters
    assert parameters["blur_sigma_x"] == 1
    assert 2 <= parameters["blur2_sigma_x"] <= 3
    assert (parameters["jpeg_quality"], parameters["jpeg2_quality"]) == (90, 40)


def test_without_a_smaller_image_there_is_no_native_one(texture: Pixels) -> None:
    made = Pipeline("full size", [GaussianBlur(2), Down(1), Jpeg(50), Back()])(texture, np.random.default_rng(0))
    assert made.native is None
    assert made.parameters["native_height"] == 131


def test_no_steps_change_nothing(texture: Pixels) -> None:
    np.testing.assert_array_equal(Pipeline("none", [])(texture, np.random.default_rng(0)).lq, texture)


def test_steps_that_forget_to_go_back_are_refused(texture: Pixels) -> None:
    with pytest.raises(ConfigError, match=r"steps end at 43 x 32 for an image of 173 x 131.*Back"):
        Pipeline("short", [Down(4)])(texture, np.random.default_rng(0))


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 2**32))
def test_any_size_is_degraded_or_refused_as_too_small(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    generator = np.random.default_rng(seed)
    scale = FULL.draw(np.random.default_rng(seed))["down_scale"]
    if min(height, width) < scale:
        with pytest.raises(ImageError, match="too small"):
            FULL(image, generator)
    else:
        assert FULL(image, generator).lq.shape == image.shape
