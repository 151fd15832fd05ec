"""Peak signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..api import Column, Meta, Weights

if TYPE_CHECKING:
    import torch


class Psnr:
    """`10 log10(1 / MSE)` in dB on RGB, all pixels, one MSE over the three channels.

    Equals `skimage.metrics.peak_signal_noise_ratio` with `data_range=1`; inf for identical images.  Nothing is
    cropped, no luma is taken and no colour is corrected: the field's scripts differ in all three.
    """

    columns = (Column("psnr", "PSNR", "dB", higher_is_better=True, low=0.0, high=float("inf"), digits=2),)
    identity = "psnr(rgb,peak=1,crop=0)"
    version = 1
    weights: Weights = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    concurrent = True

    def load(self, device: torch.device) -> None:
        """Nothing to build; the work happens where the images are."""

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> torch.Tensor:
        """Return the references as they are."""
        return reference

    def score(
        self, restored: torch.Tensor, state: torch.Tensor, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `psnr` `(B,)` in dB."""
        import torch

        difference = restored - state
        error = difference.mul_(difference).flatten(1).mean(1, dtype=torch.float64)
        return {"psnr": -10 * error.log10().cpu()}
