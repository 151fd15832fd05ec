"""Blur kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float64]
"""Square array of odd side, rows are y, sum 1."""


def gaussian(size: int, sigma_x: float, sigma_y: float, theta: float) -> Kernel:
    r"""Return a rotated anisotropic Gaussian kernel.

    `k(p) ~ exp(-p^T C^-1 p / 2)` with `C = R(theta) diag(sigma_x^2, sigma_y^2) R(theta)^T` and `p` the
    offset `(x, y)` from the centre, truncated to the square and normalised to sum 1.  The form used by
    GFP-GAN's and BasicSR's degradation code; there the kernel is truncated too, at 2 sigma for size 41
    and sigma 10.

    Args:
        size: odd side of the kernel, pixels.
        sigma_x: standard deviation along the first axis, pixels, above 0.
        sigma_y: standard deviation along the second axis, pixels, above 0.
        theta: angle of the first axis, radians.

    Returns:
        `(size, size)` array, rows are y.
    """
    return _unit(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, theta)))


def generalized(size: int, sigma_x: float, sigma_y: float, theta: float, beta: float) -> Kernel:
    """Return a generalised Gaussian kernel, `k(p) ~ exp(-d^beta / 2)` with `d` = `p^T C^-1 p` as in `gaussian`.

    `beta` 1 is the Gaussian, below it peaks with heavy tails, above it a flat top.  Real-ESRGAN (arXiv
    2107.10833), section 3.1; the exponent follows BasicSR's code.
    """
    return _unit(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, theta) ** beta))


def plateau(size: int, sigma_x: float, sigma_y: float, theta: float, beta: float) -> Kernel:
    """Return a plateau kernel, `k(p) ~ 1 / (1 + d^beta)` with `d` as in `generalized`.  Same source."""
    return _unit(1 / (1 + _distance(size, sigma_x, sigma_y, theta) ** beta))


def sinc(size: int, cutoff: float) -> Kernel:
    """Return a circular low-pass kernel, which rings: `k(r) ~ cutoff J1(cutoff r) / (2 pi r)`.

    Args:
        size: odd side of the kernel, pixels.
        cutoff: radians per pixel; pi passes everything.  Real-ESRGAN, section 3.4.
    """
    from scipy.special import j1

    offsets = np.arange(size) - (size - 1) / 2
    radius = np.hypot(offsets[None, :], offsets[:, None])
    apart = np.where(radius > 0, radius, 1)  # at the centre J1(x) / x tends to 1/2
    return _unit(np.where(radius > 0, cutoff * j1(cutoff * apart) / (2 * np.pi * apart), cutoff**2 / (4 * np.pi)))


def side(sigma: float) -> int:
    """Return the odd side imgaug 0.4 gives a Gaussian kernel: 3.3, 2.9 or 2.6 sigma, at least 5 pixels.

    Along each axis 90, 85 or 81 % of the mass lie within; the rest is cut off.
    """
    reach = 3.3 if sigma < 3 else 2.9 if sigma < 5 else 2.6
    return int(max(reach * sigma, 5)) // 2 * 2 + 1


def trajectory(size: int, points: NDArray[np.float64], weights: NDArray[np.float64]) -> Kernel:
    """Return the kernel of a camera that moves along a path while the shutter is open.

    Each point's weight is shared among the four pixels around it, nearer ones getting more.

    Args:
        size: odd side of the kernel, pixels.
        points: `(n, 2)` offsets `(x, y)` from the centre, pixels, within `(size - 1) / 2`.
        weights: `(n,)` exposure at each point, not negative.
    """
    at = points + (size - 1) / 2
    low = np.clip(np.floor(at + 1e-9).astype(int), 0, size - 2)
    part = np.clip(at - low, 0, 1)
    kernel = np.zeros((size, size))
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            np.add.at(kernel, (low[:, 1] + dy, low[:, 0] + dx), weights * share)
    return _unit(kernel)


def line(size: int, angle: float, direction: float) -> Kernel:
    """Return the kernel of a straight motion.

    Args:
        size: odd length of the line, pixels.
        angle: degrees, clockwise from upwards.
        direction: -1..1; the exposure changes linearly along the line, 0 is even, 1 and -1 begin or end at none.

    imgaug's `MotionBlur` turns an image of the line instead of sharing out its points; same line, same weights.
    """
    along = np.arange(size) - (size - 1) / 2
    start = (direction + 1) / 2
    turn = np.deg2rad(angle)
    points = np.stack([-along * np.sin(turn), along * np.cos(turn)], axis=1)
    return trajectory(size, points, np.linspace(start, 1 - start, size))


def shake(size: int, bend: float, seed: int) -> Kernel:
    """Return the kernel of an unsteady hand: a path of even speed whose heading is a random walk.

    Args:
        size: odd side of the square that the path just fits, pixels.
        bend: standard deviation of the heading between start and end, radians; 0 is a straight line.
        seed: what the heading is drawn from.

    Ours, after the idea of Boracchi and Foi, "Modeling the performance of image restoration from motion blur"
    (TIP 2012); their model also has impulses and changing speed.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    count = 8 * size  # points lie closer than a pixel
    heading = generator.random() * 2 * np.pi + np.cumsum(generator.standard_normal(count)) * bend / np.sqrt(count)
    points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
    points -= (points.min(axis=0) + points.max(axis=0)) / 2
    return trajectory(size, points * ((size - 1) / 2 / np.abs(points).max()), np.ones(count))


def _distance(size: int, sigma_x: float, sigma_y: float, theta: float) -> NDArray[np.float64]:
    """Return `p^T C^-1 p` at each offset from the centre."""
    offsets = np.arange(size) - (size - 1) / 2
    x, y = offsets[None, :], offsets[:, None]
    along = np.cos(theta) * x + np.sin(theta) * y
    across = -np.sin(theta) * x + np.cos(theta) * y
    return np.asarray((along / sigma_x) ** 2 + (across / sigma_y) ** 2, dtype=np.float64)


def _unit(kernel: NDArray[np.float64]) -> Kernel:
    """Normalise to sum 1, so that brightness is kept."""
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)
