"""Each step equals a statement of it in NumPy, SciPy or Pillow."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import Pixels, resize
from restorebench.datasets.kernels import gaussian
from restorebench.datasets.ranges import bounds, sample
from restorebench.datasets.steps import Back, Down, GaussianBlur, GaussianNoise, Jpeg, quantise

SIZE = (131, 173)


def bilinear(image: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """Sample at `(i + 0.5) * side / target - 0.5`, between the two nearest pixels, edges repeated."""
    result = image.astype(np.float64)
    for axis, target in enumerate(size):
        side = image.shape[axis]
        at = np.clip((np.arange(target) + 0.5) * side / target - 0.5, 0, side - 1)
        low = np.floor(at).astype(int)
        weight = (at - low).reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        high = np.minimum(low + 1, side - 1)
        result = np.take(result, low, axis) * (1 - weight) + np.take(result, high, axis) * weight
    return result


@pytest.mark.parametrize("size", [41, 7])
def test_blur_is_a_correlation_with_a_mirrored_border(texture: Pixels, size: int) -> None:
    step = GaussianBlur([2, 9], size=size)
    drawn = {"kind": "anisotropic", "sigma_x": 8.5, "sigma_y": 3.0, "theta": 0.6}
    kernel = gaussian(size, 8.5, 3.0, 0.6)
    expected = np.dstack([ndimage.correlate(texture[:, :, c].astype(float), kernel, mode="mirror") for c in range(3)])
    np.testing.assert_allclose(step.apply(texture.astype(np.float32), drawn, SIZE), expected, rtol=0, atol=1e-3)


def test_blur_works_on_images_smaller_than_its_kernel() -> None:
    image = np.random.default_rng(1).uniform(0, 255, (3, 5, 3)).astype(np.float32)
    drawn = {"kind": "isotropic", "sigma_x": 6.0, "sigma_y": 6.0, "theta": 0.0}
    kernel = gaussian(41, 6, 6, 0)
    expected = np.dstack([ndimage.correlate(image[:, :, c].astype(float), kernel, mode="mirror") for c in range(3)])
    np.testing.assert_allclose(GaussianBlur(6).apply(image, drawn, (3, 5)), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("scale", [2, 4, 8, 3.7, 0.8])
def test_down_is_bilinear_sampling_at_half_pixel_centres(texture: Pixels, scale: float) -> None:
    small = Down(scale).apply(texture.astype(np.float32), {"scale": scale}, SIZE)
    assert small.shape == (int(131 / scale), int(173 / scale), 3)
    np.testing.assert_allclose(small, bilinear(texture, small.shape[:2]), rtol=0, atol=1e-2)  # cv2: float32 positions


def test_down_refuses_an_image_that_would_vanish() -> None:
    with pytest.raises(ImageError, match=r"7 x 20 is too small to be brought down 8 times"):
        Down(8).apply(np.zeros((20, 7, 3), np.float32), {"scale": 8.0}, (20, 7))


def test_noise_is_normal_with_the_drawn_deviation_in_every_channel() -> None:
    gray = np.full((256, 256, 3), 128, np.float32)
    noise = GaussianNoise([0, 20]).apply(gray, {"delta": 12.5, "seed": 7}, (256, 256)) - gray
    assert noise.std(axis=(0, 1)) == pytest.approx([12.5] * 3, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    np.testing.assert_allclose(np.corrcoef(noise.reshape(-1, 3).T), np.eye(3), atol=0.02)


def test_noise_is_the_field_of_its_recorded_seed_clipped_to_the_range() -> None:
    image = np.full((9, 8, 3), 250, np.float32)
    field = np.random.Generator(np.random.PCG64(99)).standard_normal((9, 8, 3), dtype=np.float32)
    noisy = GaussianNoise(20).apply(image, {"delta": 20.0, "seed": 99}, (9, 8))
    np.testing.assert_allclose(noisy, np.minimum(250 + 20 * field, 255), rtol=1e-6)
    assert noisy.max() == 255


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
def test_jpeg_equals_pillow_at_the_same_quality_and_chroma(texture: Pixels, quality: int) -> None:
    file = io.BytesIO()
    Image.fromarray(texture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    expected = np.asarray(Image.open(file)).astype(int)
    made = Jpeg([1, 100]).apply(texture.astype(np.float32), {"quality": quality}, SIZE).astype(int)
    assert np.abs(made - expected).max() <= 1


def test_jpeg_rounds_before_it_encodes() -> None:
    """A value of 127.5 becomes 128 (half to even), one of 260 becomes 255."""
    image = np.full((16, 16, 3), 127.5, np.float32)
    image[:, 8:] = 260
    made = Jpeg(100).apply(image, {"quality": 100}, (16, 16))
    np.testing.assert_allclose(made[:, :8], 128, atol=1)
    np.testing.assert_allclose(made[:, 8:], 255, atol=1)


def test_back_rounds_and_resizes(texture: Pixels) -> None:
    native = resize(texture, (16, 21), "area").astype(np.float32) + np.float32(0.3)
    made = Back().apply(native, {}, SIZE)
    np.testing.assert_array_equal(made, resize(quantise(native), SIZE, "bilinear"))
    np.testing.assert_allclose(made, bilinear(quantise(native), SIZE), rtol=0, atol=1)


def test_a_number_takes_as_many_draws_as_a_range() -> None:
    """So that fixing one parameter leaves all others as they were."""

    def after(*steps: Any) -> float:
        generator = np.random.default_rng(3)
        for step in steps:
            step.draw(generator)
        return generator.random()

    free = after(GaussianBlur([1, 3]), Down([2, 8]), GaussianNoise([0, 5]), Jpeg([50, 70]), Back())
    fixed = after(GaussianBlur(2, isotropic=1), Down(4), GaussianNoise(3), Jpeg(60), Back())
    assert free == fixed


def test_jpeg_quality_reaches_both_ends_as_whole_numbers() -> None:
    generator = np.random.default_rng(0)
    drawn = [Jpeg([50, 53]).draw(generator)["quality"] for _ in range(200)]
    assert set(drawn) == {50, 51, 52, 53}
    assert all(type(quality) is int for quality in drawn)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianBlur([3, 1]), r"blur sigma is \[3, 1\]"),
        (lambda: GaussianBlur([0, 1]), "above 0 pixels"),
        (lambda: GaussianBlur(1, size=40), "size is 40"),
        (lambda: GaussianBlur(1, isotropic=1.5), "isotropic is 1.5"),
        (lambda: Down(0), "above 0"),
        (lambda: Down([1, 2, 3]), "number or"),
        (lambda: GaussianNoise(-1), "negative"),
        (lambda: GaussianNoise("loud"), "'loud'"),  # type: ignore[arg-type]
        (lambda: Jpeg([0, 50]), "1..100"),
        (lambda: Jpeg([30.5, 50]), "whole numbers"),
        (lambda: Jpeg(float("nan")), "number or"),
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_single_number_is_a_range_of_one_point() -> None:
    assert bounds("x", 4) == (4.0, 4.0)
    assert sample(np.random.default_rng(0), 4) == 4.0
