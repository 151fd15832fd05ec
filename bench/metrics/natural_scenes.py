"""Natural scene statistics of NIQE: how the local contrast of 96-pixel blocks is distributed.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE SPL 2013.  Each block at two
scales gives 18 numbers: the parameters of an asymmetric generalised Gaussian (AGGD) fitted to the normalised
contrast and to its products with four neighbours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

BLOCK = 96  # of the authors' release; halved at the second scale
FEATURES = 36
_TAPS = 7
_SIGMA = 7 / 6
# right, down, down-right, down-left; each neighbour wraps round inside its block, as in the release
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(200, 10001) / 1000  # candidates for the AGGD's shape, as in the release
# MATLAB's imresize by 0.5: the cubic kernel (a = -0.5), twice as wide, at half-pixel places
_HALVING = np.array(
    [-0.01171875, -0.03515625, 0.11328125, 0.43359375, 0.43359375, 0.11328125, -0.03515625, -0.01171875]
)


def block_features(gray: torch.Tensor) -> torch.Tensor:
    """Describe every whole block of gray images.

    Args:
        gray: `(B, H, W)` `float64` in 0-255, at least 96 x 96; what exceeds whole blocks is left out.

    Returns:
        `(B, blocks, 36)` `float64`; NaN where a block is too flat to be fitted.
    """
    import torch

    height, width = (side // BLOCK * BLOCK for side in gray.shape[-2:])
    gray = gray[..., :height, :width].contiguous()
    fine = _describe(_contrast(gray), BLOCK)
    coarse = _describe(_contrast(_halved(gray)), BLOCK // 2)
    return torch.cat([fine, coarse], -1)


def _contrast(gray: torch.Tensor) -> torch.Tensor:
    """Return mean-subtracted, contrast-normalised images."""
    means = _blurred(gray)
    variances = _blurred(gray * gray).sub_(means * means).abs_()
    return (gray - means).div_(variances.sqrt_().add_(1))


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """Filter `(B, H, W)` with a 7 x 7 Gaussian; borders are repeated."""
    import torch

    if images.device.type == "cpu":
        import cv2

        filtered = [
            cv2.sepFilter2D(image, cv2.CV_64F, _gaussian(), _gaussian(), borderType=cv2.BORDER_REPLICATE)
            for image in images.numpy()
        ]
        return torch.from_numpy(np.stack(filtered))
    margin = _TAPS // 2
    padded = torch.nn.functional.pad(images[:, None], (margin,) * 4, mode="replicate")
    return _separable(padded, _gaussian(), stride=1)[:, 0]


def _halved(images: torch.Tensor) -> torch.Tensor:
    """Halve `(B, H, W)` as MATLAB's imresize does; borders are mirrored."""
    import torch

    margin = len(_HALVING) // 2 - 1
    # mirrored with the border pixel repeated, which torch's reflect padding does not do
    rows, columns = (
        torch.cat([torch.arange(margin).flip(0), torch.arange(side), side - 1 - torch.arange(margin)]).to(images.device)
        for side in images.shape[-2:]
    )
    return _separable(images[:, rows][:, :, columns][:, None], _HALVING, stride=2)[:, 0]


def _separable(images: torch.Tensor, taps: NDArray[np.float64], stride: int) -> torch.Tensor:
    """Filter `(B, 1, H, W)` along columns and rows, where the taps fit; weighted sums of shifted views."""
    for axis in (-2, -1):
        length = (images.shape[axis] - len(taps)) // stride + 1
        shifted = (
            images.narrow(axis, offset, (length - 1) * stride + 1).unfold(axis, 1, stride).squeeze(-1)
            for offset in range(len(taps))
        )
        total = next(shifted) * float(taps[0])
        for view, tap in zip(shifted, taps[1:], strict=True):
            total.add_(view, alpha=float(tap))
        images = total
    return images


def _describe(contrast: torch.Tensor, block: int) -> torch.Tensor:
    """Return the 18 features of each block, `(B, blocks, 18)`."""
    import torch

    batch, height, width = contrast.shape
    blocks = contrast.view(batch, height // block, block, width // block, block)
    maps = [blocks, *(blocks * blocks.roll(shift, dims=(2, 4)) for shift in _NEIGHBOURS)]
    (shape, left, right), *products = (_fit(values) for values in maps)
    features = [shape, (left + right) / 2]
    for shape, left, right in products:
        mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
        features += [shape, mean, left, right]
    return torch.stack(features, -1).flatten(1, 2)


def _fit(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fit an AGGD to each block of `(B, rows, block, columns, block)` by moment matching.

    Returns:
        Shape, left scale and right scale, `(B, rows, columns)` each.
    """
    import torch

    def total(values: torch.Tensor) -> torch.Tensor:
        return values.sum(2).sum(-1)

    size = blocks.shape[2] * blocks.shape[4]
    sizes = blocks.abs()
    squares = total(blocks * blocks)
    signed = total(blocks * sizes)
    left = ((squares - signed) / 2 / total((blocks < 0).double())).sqrt()
    right = ((squares + signed) / 2 / total((blocks > 0).double())).sqrt()
    ratio = left / right
    moment = (total(sizes) / size).square() / (squares / size)
    moment = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1).square()
    shape = _nearest_shape(moment)
    scale = (torch.lgamma(1 / shape) - torch.lgamma(3 / shape)).exp().sqrt()
    return shape, left * scale, right * scale


def _nearest_shape(moment: torch.Tensor) -> torch.Tensor:
    """Return the candidate shape whose moment ratio is nearest; NaN stays NaN."""
    import torch

    ratios = torch.from_numpy(_ratios()).to(moment.device)
    shapes = torch.from_numpy(_SHAPES).to(moment.device)
    above = torch.searchsorted(ratios, moment.contiguous()).clamp_(1, len(ratios) - 1)
    below = above - 1
    nearer = torch.where(moment - ratios[below] <= ratios[above] - moment, below, above)
    return torch.where(moment.isnan(), moment, shapes[nearer])


@lru_cache(maxsize=1)
def _ratios() -> NDArray[np.float64]:
    """Moment ratio of each candidate shape, rising with it."""
    from scipy.special import gammaln

    return np.exp(2 * gammaln(2 / _SHAPES) - gammaln(1 / _SHAPES) - gammaln(3 / _SHAPES))


@lru_cache(maxsize=1)
def _gaussian() -> NDArray[np.float64]:
    """Return the taps whose outer product is the 7 x 7 window.

    A flat region has the contrast `x (1 - sum)`, of which little but the sign enters the fit.  With a window that
    sums to 1 it would be the sign of rounding errors; the sum of pyiqa's window, which is rounded to single
    precision, decides it as there.
    """
    offsets = np.arange(_TAPS) - _TAPS // 2
    taps = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    taps /= taps.sum()
    rounded = np.outer(taps, taps).astype(np.float32).sum(dtype=np.float64)
    return np.asarray(taps * np.sqrt(rounded), dtype=np.float64)
