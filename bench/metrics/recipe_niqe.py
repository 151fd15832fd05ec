"""NIQE as BasicSR and the scripts that copy it compute it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..api import Column, Meta
from ..errors import ConfigError
from ..spec import Location
from .colours import studio_luma
from .niqe import Niqe

if TYPE_CHECKING:
    import torch


class RecipeNiqe(Niqe):
    """NIQE on MATLAB's Y (16-235, rounded) of an image without its border; column `niqe_<recipe>`.

    The range of Y is smaller than that of our luma, and NIQE feels it.  Pristine parameters of the authors' release.
    """

    def __init__(self, recipe: str, border: int = 0, parameters: Location | None = None) -> None:
        """Choose the recipe.

        Args:
            recipe: names the column.
            border: pixels cut off at every side: 0 in VQFR's script, 4 in most of BasicSR's options.
            parameters: replaces the registry's file.
        """
        if border < 0:
            raise ConfigError(f"metric: border is {border}; use 0 or more")
        super().__init__(parameters)
        self._border, self._name = border, f"niqe_{recipe}"
        label = f"NIQE ({recipe})"
        self.columns = (Column(self._name, label, "1", higher_is_better=False, low=0.0, high=float("inf"), digits=3),)
        self.identity = f"niqe(recipe={recipe},parameters=release,luma=matlab-y-round,block=96,crop={border})"

    def score(
        self, restored: torch.Tensor, state: None, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `niqe_<recipe>` `(B,)`.

        Raises:
            ImageError: not even one block fits.
        """
        edge = self._border
        inner = restored[..., edge : restored.shape[-2] - edge, edge : restored.shape[-1] - edge]
        return {self._name: super().score(inner, state, lq, meta)["niqe"]}

    def _gray(self, images: torch.Tensor) -> torch.Tensor:
        # through single precision in [0, 1], as BasicSR: that decides which way values between two whole numbers go
        return studio_luma(images).div_(255).float().mul_(255).round_().double()
