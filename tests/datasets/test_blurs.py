"""Each blur equals a statement of it in SciPy."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from restorebench.bench.errors import ConfigError
from restorebench.bench.images import Pixels
from restorebench.datasets import kernels
from restorebench.datasets.blurs import AverageBlur, KernelBlur, LineMotion, MedianBlur, ShakeMotion, SincBlur
from restorebench.datasets.steps import GaussianBlur

SIZE = (131, 173)


def correlated(image: Pixels, kernel: NDArray[Any]) -> NDArray[np.float64]:
    channels = [ndimage.correlate(image[:, :, c].astype(float), kernel, mode="mirror") for c in range(3)]
    return np.dstack(channels)


@pytest.mark.parametrize(
    ("step", "drawn", "kernel"),
    [
        (
            KernelBlur(2),
            {"family": "gaussian", "sigma_x": 2.5, "sigma_y": 1.0, "theta": 0.3, "size": 15},
            kernels.gaussian(15, 2.5, 1.0, 0.3),
        ),
        (
            KernelBlur(2, family="generalized"),
            {"family": "generalized", "sigma_x": 2.0, "sigma_y": 2.0, "theta": 0.0, "beta": 3.0, "size": 9},
            kernels.generalized(9, 2, 2, 0, 3),
        ),
        (
            KernelBlur(2, family="plateau"),
            {"family": "plateau", "sigma_x": 1.5, "sigma_y": 2.0, "theta": -1.0, "beta": 2.0, "size": 7},
            kernels.plateau(7, 1.5, 2, -1, 2),
        ),
        (SincBlur(1), {"cutoff": 1.2, "size": 13}, kernels.sinc(13, 1.2)),
        (LineMotion(9), {"size": 9, "angle": 40.0, "direction": 0.7}, kernels.line(9, 40, 0.7)),
        (ShakeMotion(11), {"size": 11, "bend": 2.0, "seed": 5}, kernels.shake(11, 2, 5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_kernel_is_correlated_with_a_mirrored_border(
    step: Any, drawn: dict[str, Any], kernel: NDArray[Any], texture: Pixels
) -> None:
    made = step.apply(texture.astype(np.float32), drawn, SIZE)
    np.testing.assert_allclose(made, correlated(texture, kernel), rtol=0, atol=1e-3)


@pytest.mark.parametrize("side", [3, 7, 15])
def test_average_is_the_mean_of_a_square(side: int, texture: Pixels) -> None:
    made = AverageBlur(side).apply(texture.astype(np.float32), {"size": side}, SIZE)
    channels = [ndimage.uniform_filter(texture[:, :, c].astype(float), side, mode="mirror") for c in range(3)]
    np.testing.assert_allclose(made, np.dstack(channels), rtol=0, atol=1e-3)


def test_an_even_square_reaches_further_up_and_left() -> None:
    image = np.zeros((9, 9, 3), np.float32)
    image[4, 4] = 16
    made = AverageBlur(4).apply(image, {"size": 4}, (9, 9))[:, :, 0]
    assert np.argwhere(made > 0.5).min(axis=0).tolist() == [3, 3]
    assert np.argwhere(made > 0.5).max(axis=0).tolist() == [6, 6]


@pytest.mark.parametrize("side", [3, 5, 15])
def test_median_is_that_of_the_rounded_image_with_repeated_edges(side: int, texture: Pixels) -> None:
    image = texture.astype(np.float32) + np.float32(0.3)
    made = MedianBlur(side).apply(image, {"size": side}, SIZE)
    np.testing.assert_array_equal(made, ndimage.median_filter(texture, size=(side, side, 1), mode="nearest"))


def test_an_even_size_becomes_the_next_odd_one_where_a_centre_is_needed() -> None:
    generator = np.random.default_rng(0)
    for step in (
        MedianBlur([4, 4]),
        LineMotion([4, 4]),
        ShakeMotion([4, 4]),
        SincBlur(1, size=4),
        KernelBlur(1, size=4),
    ):
        assert step.draw(generator)["size"] == 5
    assert AverageBlur(4).draw(generator)["size"] == 4


def test_a_kernel_without_a_size_grows_with_its_sigma() -> None:
    step = KernelBlur([3, 15], size=None, isotropic=1)
    for seed in range(20):
        drawn = step.draw(np.random.default_rng(seed))
        assert drawn["size"] == kernels.side(drawn["sigma_x"])


def test_the_gaussian_of_the_classic_model_is_one_of_these(texture: Pixels) -> None:
    """Same kernel, same draws."""
    image = texture.astype(np.float32)
    for seed in range(5):
        classic, step = GaussianBlur([1, 9]), KernelBlur([1, 9])
        drawn = step.draw(np.random.default_rng(seed))
        same = classic.draw(np.random.default_rng(seed))
        assert {key: drawn[key] for key in same} == same
        np.testing.assert_array_equal(step.apply(image, drawn, SIZE), classic.apply(image, same, SIZE))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KernelBlur(0), "blur sigma is 0"),
        (lambda: KernelBlur(1, beta=[0, 1]), "blur beta"),
        (lambda: KernelBlur(1, family="round"), "family is 'round'"),  # type: ignore[arg-type]
        (lambda: KernelBlur(1, size=[2.5, 3]), "whole numbers"),
        (lambda: KernelBlur(1, isotropic=2), "0..1"),
        (lambda: SincBlur([0, 1]), "cutoff"),
        (lambda: SincBlur(math.pi + 0.1), "cutoff"),
        (lambda: AverageBlur(0), "1 pixels or more"),
        (lambda: LineMotion(1), "3 pixels or more"),
        (lambda: LineMotion(5, direction=[-2, 0]), "direction"),
        (lambda: ShakeMotion(5, bend=-1), "bend"),
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
