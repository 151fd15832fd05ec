"""Local means under the Gaussian window of SSIM, and the two maps SSIM is made of.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 2004: an 11 x 11 Gaussian window of sigma 1.5,
population covariance, K1 = 0.01, K2 = 0.03, only places where the window fits.  Everything is `float64`: variances
are differences of large numbers, and single precision moves the score of bright flat regions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

RADIUS = 5  # scikit-image: int(truncate * sigma + 0.5) with truncate = 3.5
WINDOW = 2 * RADIUS + 1
SIGMA = 1.5
C1 = 0.01**2  # for a peak of 1
C2 = 0.03**2


class References(NamedTuple):
    """What SSIM needs of its references, each `(B, C, ...)` `float64`.

    Attributes:
        images: `(B, C, H, W)` in `[0, 1]`.
        means: local means, `(B, C, H - 10, W - 10)`.
        energies: local means of the squares, same shape.
    """

    images: torch.Tensor
    means: torch.Tensor
    energies: torch.Tensor


def describe(references: torch.Tensor) -> References:
    """Return the window statistics of images `(B, C, H, W)` in `[0, 1]`, computed once for many comparisons."""
    images = references.double()
    return References(images, local_means(images), local_means(images * images))


def similarity(images: torch.Tensor, references: References) -> tuple[torch.Tensor, torch.Tensor]:
    """Compare images with their references.

    Args:
        images: `(B, C, H, W)` in `[0, 1]`, at least 11 x 11.
        references: their references, from `describe`.

    Returns:
        Means over the valid area of the SSIM map and of its contrast-structure part, `(B, C)` `float64` each.
    """
    import torch

    if images.device.type != "cpu":
        return _similarity(images.double(), references)
    # plane by plane: the temporaries of one plane stay in the cache of a CPU core
    planes = [
        _similarity(plane.double()[None], References(*(part[None] for part in reference)))
        for image, *described in zip(images, *references, strict=True)
        for plane, *reference in zip(image, *described, strict=True)
    ]
    return tuple(torch.stack(values).view(images.shape[:2]) for values in zip(*planes, strict=True))  # type: ignore[return-value]


def _similarity(images: torch.Tensor, references: References) -> tuple[torch.Tensor, torch.Tensor]:
    means = local_means(images)
    powers = means * means + references.means * references.means
    products = means * references.means
    contrast = local_means(images * references.images).sub_(products).mul_(2).add_(C2)
    contrast /= local_means(images * images).add_(references.energies).sub_(powers).add_(C2)
    luminance = products.mul_(2).add_(C1).div_(powers.add_(C1))
    structure = contrast.mean((-2, -1))
    return luminance.mul_(contrast).mean((-2, -1)), structure


def local_means(images: torch.Tensor) -> torch.Tensor:
    """Filter `float64` images `(..., H, W)` with the window; returns `(..., H - 10, W - 10)`.

    OpenCV's separable filter on the CPU, torch convolutions elsewhere; equal to about 1e-15.
    """
    if images.device.type != "cpu":
        return _means_torch(images)
    return _means_opencv(images)


def _means_opencv(images: torch.Tensor) -> torch.Tensor:
    import cv2
    import torch

    height, width = images.shape[-2:]
    # planes stacked into one tall picture: what leaks across a seam lies in the border that is cut off
    tall = images.reshape(-1, width).numpy()
    filtered = cv2.sepFilter2D(tall, cv2.CV_64F, gaussian(), gaussian())
    stacked = torch.from_numpy(filtered).view(*images.shape[:-2], height, width)
    return stacked[..., RADIUS:-RADIUS, RADIUS:-RADIUS]


def _means_torch(images: torch.Tensor) -> torch.Tensor:
    import torch
    from torch.nn import functional

    taps = torch.from_numpy(gaussian()).to(images)
    planes = images.reshape(-1, 1, *images.shape[-2:])
    columns = functional.conv2d(planes, taps.view(1, 1, -1, 1))
    filtered = functional.conv2d(columns, taps.view(1, 1, 1, -1))
    return filtered.view(*images.shape[:-2], *filtered.shape[-2:])


@lru_cache(maxsize=1)
def gaussian() -> NDArray[np.float64]:
    """Return the 11 taps of the window, which sum to 1."""
    offsets = np.arange(-RADIUS, RADIUS + 1)
    taps = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    return np.asarray(taps / taps.sum(), dtype=np.float64)
