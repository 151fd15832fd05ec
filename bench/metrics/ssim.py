"""Structural similarity at one and at five scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..api import Column, Meta, Weights
from .sizes import require_side
from .structure import WINDOW, References, describe, similarity

if TYPE_CHECKING:
    import torch

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003, table of section 3.2


class Ssim:
    """SSIM of Wang et al. (IEEE TIP 2004) on RGB: mean over the valid area, then over the channels.

    Equals scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1`, and torchmetrics' full map cropped by 5 pixels.
    """

    columns = (Column("ssim", "SSIM", "1", higher_is_better=True, low=-1.0, high=1.0, digits=4),)
    identity = "ssim(rgb,peak=1,window=gaussian11,sigma=1.5,covariance=population,area=valid)"
    version = 1
    weights: Weights = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    concurrent = True

    def load(self, device: torch.device) -> None:
        """Nothing to build; the work happens where the images are."""

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> References:
        """Return the window statistics of the references.

        Raises:
            ImageError: the 11 x 11 window does not fit.
        """
        require_side(reference, WINDOW, "SSIM")
        return describe(reference)

    def score(
        self, restored: torch.Tensor, state: References, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `ssim` `(B,)`."""
        whole, _ = similarity(restored, References(*state))
        return {"ssim": whole.mean(1).cpu()}


class MsSsim:
    """MS-SSIM of Wang, Simoncelli and Bovik (Asilomar 2003) on RGB.

    Five scales, halved by 2 x 2 means (an odd last row or column is left out), valid area; contrast-structure of
    the first four and SSIM of the last to the powers of the paper, per channel, then the mean over channels;
    negative means count as 0.
    """

    columns = (Column("ms_ssim", "MS-SSIM", "1", higher_is_better=True, low=0.0, high=1.0, digits=4),)
    identity = "ms_ssim(rgb,peak=1,window=gaussian11,sigma=1.5,covariance=population,area=valid,scales=5,halving=mean)"
    version = 1
    weights: Weights = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    concurrent = True

    def load(self, device: torch.device) -> None:
        """Nothing to build; the work happens where the images are."""

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> tuple[References, ...]:
        """Return the window statistics at every scale.

        Raises:
            ImageError: the window does not fit the last scale: a side is below 176 pixels.
        """
        require_side(reference, WINDOW * 2 ** (len(_SCALES) - 1), "MS-SSIM")
        return tuple(describe(image) for image in _pyramid(reference))

    def score(
        self, restored: torch.Tensor, state: tuple[References, ...], lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `ms_ssim` `(B,)`."""
        import torch

        scales = [similarity(image, References(*level)) for image, level in zip(_pyramid(restored), state, strict=True)]
        terms = [structure for _, structure in scales[:-1]] + [scales[-1][0]]
        powers = [term.clamp(min=0) ** power for term, power in zip(terms, _SCALES, strict=True)]
        return {"ms_ssim": torch.stack(powers).prod(0).mean(1).cpu()}


def _pyramid(images: torch.Tensor) -> list[torch.Tensor]:
    from torch.nn import functional

    levels = [images.double()]
    for _ in _SCALES[1:]:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return levels
