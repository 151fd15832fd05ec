import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from restorebench.datasets.kernels import gaussian


@pytest.mark.parametrize(("sigma_x", "sigma_y", "theta"), [(1, 1, 0), (6, 2, 0.3), (10, 4, -2.5), (0.5, 3, math.pi)])
def test_a_kernel_is_the_normal_density_of_the_rotated_covariance(sigma_x: float, sigma_y: float, theta: float) -> None:
    rotation = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    covariance = rotation @ np.diag([sigma_x**2, sigma_y**2]) @ rotation.T
    y, x = np.mgrid[-20:21, -20:21]
    density = multivariate_normal([0, 0], covariance).pdf(np.stack([x, y], axis=-1))
    np.testing.assert_allclose(gaussian(41, sigma_x, sigma_y, theta), density / density.sum(), rtol=0, atol=1e-12)


def test_a_kernel_keeps_brightness_and_is_symmetric_about_its_centre() -> None:
    kernel = gaussian(41, 7, 3, 0.7)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


def test_the_first_sigma_lies_along_the_angle() -> None:
    """At theta = 0 the first axis is x, so the kernel is wider in x; a quarter turn swaps the axes."""
    wide = gaussian(41, 8, 2, 0)
    assert (wide[20] > 1e-4).sum() > (wide[:, 20] > 1e-4).sum()
    np.testing.assert_allclose(gaussian(41, 8, 2, math.pi / 2), wide.T, atol=1e-12)
