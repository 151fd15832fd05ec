"""Blur kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gaussian(size: int, sigma_x: float, sigma_y: float, theta: float) -> NDArray[np.float64]:
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
    offsets = np.arange(size) - (size - 1) / 2
    x, y = offsets[None, :], offsets[:, None]
    along = np.cos(theta) * x + np.sin(theta) * y
    across = -np.sin(theta) * x + np.cos(theta) * y
    kernel = np.exp(-0.5 * ((along / sigma_x) ** 2 + (across / sigma_y) ** 2))
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)
