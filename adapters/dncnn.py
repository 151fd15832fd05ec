"""DnCNN for Gaussian noise of sigma 25, the published gray network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bench.api import Batch, Card
from .learned import Learned

if TYPE_CHECKING:
    import torch


class DnCNN25(Learned):
    """DnCNN for gray images with noise of sigma 25 (of 255), run on red, green and blue in turn.

    It is not blind: it removes about as much as it was trained for, whatever is there.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    entry = "dncnn-25"
    signed = False
    card = Card(
        name="DnCNN-25 (gray, per channel)",
        paper="Zhang et al., Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising, TIP 2017",
        task="denoising",
        code_licence="MIT",
        weights_licence="MIT",
        losses=("MSE",),
        knobs={"checkpoint": "weights of one's own"},
    )

    def build(self) -> torch.nn.Module:
        """Return spandrel's network of 17 convolutions, batch normalisation merged into them."""
        from spandrel.architectures.DnCNN import DnCNN

        network: torch.nn.Module = DnCNN(in_nc=1, out_nc=1, nc=64, nb=17, act_mode="R")
        return network

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Denoise each channel as a gray image."""
        return network(images.flatten(0, 1)[:, None]).view_as(images)  # type: ignore[no-any-return]
