"""PSNR and SSIM as the field's scripts compute them: luma, cut borders, matched colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..api import Column, Meta, Weights
from ..errors import ConfigError
from .colours import Channels, channels, matched
from .sizes import require_side
from .structure import C1, C2, WINDOW, local_means

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Preparation:
    """What happens to both images before they are compared.

    Attributes:
        channels: which channels are compared.
        border: pixels cut off at every side.
        match: the restored image gets the reference's mean and spread first (`colours.matched`).
    """

    channels: Channels = "rgb"
    border: int = 0
    match: bool = False

    def __post_init__(self) -> None:
        if self.border < 0:
            raise ConfigError(f"metric: border is {self.border}; use 0 or more")

    @property
    def identity(self) -> str:
        """For the metric's identity."""
        return f"{self.channels},crop={self.border}{',matched=mean+std,twice,noclip' if self.match else ''}"

    def reference(self, images: torch.Tensor) -> torch.Tensor:
        """Return the references `(B, C, H', W')` as they are compared, `float64`."""
        return self._cut(channels(images, self.channels))

    def restored(self, images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        """Return restored images as they are compared; `references` are whole images in `[0, 1]`."""
        if self.match:
            images = matched(images.double(), references.double())
        return self._cut(channels(images, self.channels))

    def _cut(self, images: torch.Tensor) -> torch.Tensor:
        edge = self.border
        return images[..., edge : images.shape[-2] - edge, edge : images.shape[-1] - edge]


class _Recipe:
    """State and facts that PSNR and SSIM by a recipe share."""

    weights: Weights = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    version = 1
    _what = ""
    _least = 1

    def __init__(self, recipe: str, channels: Channels, border: int, match: bool) -> None:
        self._prepare = Preparation(channels, border, match)
        self._name = f"{self._what}_{recipe}"

    def load(self, device: torch.device) -> None:
        """Nothing to build; the work happens where the images are."""

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the references whole, and as they are compared.

        Raises:
            ImageError: too little is left of an image without its border.
        """
        require_side(reference, self._least + 2 * self._prepare.border, self._name)
        return reference, self._prepare.reference(reference)


class RecipePsnr(_Recipe):
    """PSNR of a script of the field, one MSE over all channels compared, peak 1; column `psnr_<recipe>`."""

    _what = "psnr"

    def __init__(
        self, recipe: str, channels: Channels = "rgb", border: int = 0, match: bool = False, epsilon: float = 0.0
    ) -> None:
        """Choose the recipe.

        Args:
            recipe: names the column.
            channels: see `colours.Channels`.
            border: pixels cut off at every side.
            match: give the restored image the reference's mean and spread first.
            epsilon: added to the MSE; 1e-8 in BasicSR's torch version and in pyiqa, so that 80 dB is the most.
        """
        super().__init__(recipe, channels, border, match)
        self._epsilon = epsilon
        self.identity = f"psnr(recipe={recipe},{self._prepare.identity},peak=1,epsilon={epsilon:g})"
        label = f"PSNR ({recipe.replace('_', ' ')})"
        self.columns = (Column(self._name, label, "dB", higher_is_better=True, low=0.0, high=float("inf"), digits=2),)

    def score(
        self,
        restored: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
        lq: torch.Tensor | None,
        meta: Sequence[Meta],
    ) -> Mapping[str, torch.Tensor]:
        """Return `psnr_<recipe>` `(B,)` in dB."""
        whole, compared = state
        error = (self._prepare.restored(restored, whole) - compared).square().flatten(1).mean(1)
        return {self._name: -10 * (error + self._epsilon).log10().cpu()}


class RecipeSsim(_Recipe):
    """SSIM of a script of the field: window, constants and valid area of Wang's; column `ssim_<recipe>`."""

    _what = "ssim"
    _least = WINDOW

    def __init__(
        self, recipe: str, channels: Channels = "rgb", border: int = 0, match: bool = False, rectified: bool = False
    ) -> None:
        """Choose the recipe.

        Args:
            recipe: names the column.
            channels: see `colours.Channels`.
            border: pixels cut off at every side, besides what the window needs.
            match: give the restored image the reference's mean and spread first.
            rectified: places where contrast and structure are negative count as 0, as in pyiqa.
        """
        super().__init__(recipe, channels, border, match)
        self._rectified = rectified
        self.identity = (
            f"ssim(recipe={recipe},{self._prepare.identity},peak=1,window=gaussian11,sigma=1.5,covariance=population,"
            f"area=valid,rectified={'yes' if rectified else 'no'})"
        )
        label = f"SSIM ({recipe.replace('_', ' ')})"
        self.columns = (Column(self._name, label, "1", higher_is_better=True, low=-1.0, high=1.0, digits=4),)

    def score(
        self,
        restored: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
        lq: torch.Tensor | None,
        meta: Sequence[Meta],
    ) -> Mapping[str, torch.Tensor]:
        """Return `ssim_<recipe>` `(B,)`."""
        import torch

        whole, compared = state
        images = self._prepare.restored(restored, whole)
        # image by image, so that the maps of one stay in a CPU's cache
        pairs = zip(images, compared, strict=True)
        return {self._name: torch.stack([self._similarity(one, other) for one, other in pairs]).cpu()}

    def _similarity(self, image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        image, reference = image.contiguous(), reference.contiguous()
        first, second = local_means(image), local_means(reference)
        variances = local_means(image * image) - first**2 + local_means(reference * reference) - second**2
        structure = (2 * (local_means(image * reference) - first * second) + C2) / (variances + C2)
        if self._rectified:
            structure = structure.clamp(min=0)
        return ((2 * first * second + C1) / (first**2 + second**2 + C1) * structure).mean()
