"""Natural image quality evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..api import Column, Meta, Weights
from ..spec import Location
from .natural_scenes import BLOCK, FEATURES, block_features
from .sizes import require_side

if TYPE_CHECKING:
    import torch


class Niqe:
    """NIQE of Mittal, Soundararajan and Bovik (IEEE SPL 2013) with the pristine model of the authors' release.

    Luma is `0.299 R + 0.587 G + 0.114 B`, rounded to 8 bits; nothing is cropped.  Equals pyiqa's `niqe` with
    the same parameters.  Needs no reference.  An image too flat to be described gives NaN.
    """

    columns: tuple[Column, ...] = (
        Column("niqe", "NIQE", "1", higher_is_better=False, low=0.0, high=float("inf"), digits=3),
    )
    identity = "niqe(parameters=release,luma=bt601-round,block=96,crop=0)"
    version = 1
    needs: frozenset[str] = frozenset()
    uses_meta: tuple[str, ...] = ()
    concurrent = True

    def __init__(self, parameters: Location | None = None) -> None:
        """`parameters` replaces the registry's file (npz with `mu_pris_param` and `cov_pris_param`)."""
        self.weights: Weights = {"niqe-parameters": parameters}

    def load(self, device: torch.device) -> None:
        """Read the pristine model."""
        import torch

        from ..weights import resolve

        (weight,) = resolve(self.weights).values()
        with np.load(weight.path, allow_pickle=False) as model:
            self._mean = torch.from_numpy(model["mu_pris_param"].astype(np.float64).reshape(FEATURES)).to(device)
            self._covariance = torch.from_numpy(model["cov_pris_param"].astype(np.float64)).to(device)

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> None:
        """Nothing: no reference is used."""

    def score(
        self, restored: torch.Tensor, state: None, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `niqe` `(B,)`.

        Raises:
            ImageError: not even one block fits.
        """
        import torch

        require_side(restored, BLOCK, "NIQE")
        # image by image on the CPU, whose cache holds the maps of one image but not of a batch
        parts = [image[None] for image in restored] if restored.device.type == "cpu" else [restored]
        features = torch.cat([block_features(self._gray(part)) for part in parts])
        return {"niqe": torch.stack([self._distance(blocks) for blocks in features]).cpu()}

    def _gray(self, images: torch.Tensor) -> torch.Tensor:
        """Return what is described of images in `[0, 1]`: `(B, H, W)` `float64` in 0-255."""
        return luma(images)

    def _distance(self, blocks: torch.Tensor) -> torch.Tensor:
        """Distance between the normal distributions of the blocks `(N, 36)` and of pristine images (eq. 10)."""
        import torch

        whole = blocks[~blocks.isnan().any(1)]
        if len(whole) == 0:
            return self._mean.new_full((), float("nan"))
        covariance = torch.cov(whole.T, correction=int(len(whole) > 1))
        shift = self._mean - blocks.nanmean(0)
        inverse = torch.linalg.pinv((self._covariance + covariance) / 2, hermitian=True)
        distance: torch.Tensor = (shift @ inverse @ shift).sqrt()
        return distance


def luma(images: torch.Tensor) -> torch.Tensor:
    """Return `(B, H, W)` `float64` luma of images `(B, 3, H, W)` in `[0, 1]`, whole numbers 0-255.

    One pixel in three thousand lies exactly between two whole numbers, and NIQE can feel which way it goes (by 0.02).
    Single precision in this order goes pyiqa's way on every one of them, on any device.
    """
    red, green, blue = images.mul(255).round_().div_(255).unbind(1)
    gray = (red * 0.299).add_(green * 0.587).add_(blue * 0.114)
    return gray.mul_(255).round_().double()
