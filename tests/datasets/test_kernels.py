import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, ndimage, special
from scipy.stats import multivariate_normal

from restorebench.datasets.kernels import gaussian, generalized, line, plateau, shake, side, sinc, trajectory


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


def test_beta_1_is_the_gaussian_and_a_larger_one_flattens_the_top() -> None:
    np.testing.assert_allclose(generalized(21, 3, 2, 0.4, 1), gaussian(21, 3, 2, 0.4), atol=1e-15)
    flat, peaked = generalized(41, 6, 6, 0, 4), generalized(41, 6, 6, 0, 0.5)
    assert flat[20, 20] / flat[20, 23] < 1.01
    assert peaked[20, 20] / peaked[20, 23] == pytest.approx(math.exp(0.25))  # three pixels are half a sigma


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_generalized_and_plateau_follow_their_formulas_pixel_by_pixel(beta: float) -> None:
    size, sigma_x, sigma_y, theta = 9, 2.0, 0.8, 0.7
    rotation = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    inverse = np.linalg.inv(rotation @ np.diag([sigma_x**2, sigma_y**2]) @ rotation.T)
    bell, table = np.zeros((size, size)), np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            p = np.array([column - 4, row - 4])
            distance = float(p @ inverse @ p)
            bell[row, column] = math.exp(-0.5 * distance**beta)
            table[row, column] = 1 / (1 + distance**beta)
    np.testing.assert_allclose(generalized(size, sigma_x, sigma_y, theta, beta), bell / bell.sum(), atol=1e-12)
    np.testing.assert_allclose(plateau(size, sigma_x, sigma_y, theta, beta), table / table.sum(), atol=1e-12)


@pytest.mark.parametrize("cutoff", [math.pi / 5, math.pi / 3, 3.0])
def test_sinc_is_the_inverse_transform_of_a_disc_of_frequencies(cutoff: float) -> None:
    """k(r) = 1/(2 pi) times the integral of w J0(w r) over 0..cutoff, by numerical integration."""

    def at(x: int, y: int) -> float:
        radius = math.hypot(x, y)
        return float(integrate.quad(lambda w: w * special.j0(w * radius), 0, cutoff)[0])

    expected = np.array([[at(x, y) for x in range(-3, 4)] for y in range(-3, 4)])
    np.testing.assert_allclose(sinc(7, cutoff), expected / expected.sum(), atol=1e-9)


@pytest.mark.parametrize(("sigma", "expected"), [(0.5, 5), (2, 7), (2.9, 9), (4, 11), (5, 13), (15, 39)])
def test_the_side_of_an_imgaug_kernel(sigma: float, expected: int) -> None:
    assert side(sigma) == expected


def test_a_point_of_a_trajectory_is_shared_among_four_pixels() -> None:
    kernel = trajectory(5, np.array([[0.25, -1.5]]), np.ones(1))
    assert kernel[0, 2] == pytest.approx(0.75 * 0.5)
    assert kernel[0, 3] == pytest.approx(0.25 * 0.5)
    assert kernel[1, 2] == pytest.approx(0.75 * 0.5)
    assert kernel[1, 3] == pytest.approx(0.25 * 0.5)
    assert kernel.sum() == pytest.approx(1)


def test_straight_lines_up_and_across_are_ramps() -> None:
    upright = np.zeros((5, 5))
    upright[:, 2] = np.linspace(0.75, 0.25, 5) / 2.5
    np.testing.assert_allclose(line(5, 0, 0.5), upright, atol=1e-9)
    np.testing.assert_allclose(line(5, 180, 0.5), upright[::-1], atol=1e-9)
    across = np.zeros((5, 5))
    across[2] = 0.2
    np.testing.assert_allclose(line(5, 90, 0), across, atol=1e-9)


@pytest.mark.parametrize("angle", [30, 77, 200])
def test_a_turned_line_is_nearly_the_turned_image_of_a_line(angle: float) -> None:
    """imgaug's way: bilinear rotation, clockwise, of an image of the upright line."""
    upright = line(15, 0, 0.4)
    turned = np.clip(ndimage.rotate(upright, -angle, reshape=False, order=1), 0, None)
    turned /= turned.sum()
    made = line(15, angle, 0.4)
    assert np.abs(made - turned).sum() < 0.25  # total variation: both blur the line by less than a pixel, differently
    np.testing.assert_allclose(ndimage.center_of_mass(made), ndimage.center_of_mass(turned), atol=0.3)


@given(half=st.integers(1, 17), bend=st.floats(0, 8), seed=st.integers(0, 2**53 - 1))
def test_a_shake_is_one_connected_path_that_just_fits_its_square(half: int, bend: float, seed: int) -> None:
    size = 2 * half + 1
    kernel = shake(size, bend, seed)
    assert kernel.shape == (size, size)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    assert ndimage.label(kernel > 0, np.ones((3, 3)))[1] == 1
    rows, columns = kernel.sum(axis=1) > 0, kernel.sum(axis=0) > 0
    assert (rows[0] and rows[-1]) or (columns[0] and columns[-1])


def test_a_shake_without_bend_is_straight_and_one_with_more_bend_is_less_so() -> None:
    def crookedness(bend: float) -> float:
        """Spread across the main axis of the path, over its spread along it, on average."""
        ratios = []
        for seed in range(40):
            kernel = shake(21, bend, seed)
            y, x = np.mgrid[:21, :21]
            across, along = np.linalg.eigvalsh(np.cov(np.stack([x.ravel(), y.ravel()]), aweights=kernel.ravel()))
            ratios.append(across / along)
        return float(np.mean(ratios))

    assert crookedness(0) < 0.02 < crookedness(1.5) < crookedness(6)
