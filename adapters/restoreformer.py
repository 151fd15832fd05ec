"""RestoreFormer and RestoreFormer++ on aligned faces of 512 x 512.

Wang et al., CVPR 2022 and TPAMI 2023; wzhouxiff/RestoreFormerPlusPlus, commit
59d250f45d6b11a3e620d62e6e067ca1288f93a9.  Peak memory for one image, weights included, on a CPU: 1.5 GiB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..bench.api import Batch, Card
from .learned import Learned

if TYPE_CHECKING:
    import torch


class RestoreFormer(Learned):
    """RestoreFormer, from its own `.ckpt` or the `.pth` of the GFPGAN release.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    entry = "restoreformer"
    holders = ("state_dict", "params_ema", "params")
    prefix = "vqvae."
    card = Card(
        name="RestoreFormer",
        paper="Wang et al., RestoreFormer: High-Quality Blind Face Restoration from Undegraded Key-Value Pairs, CVPR 2022",
        task="face restoration",
        alignment="ffhq_512",
        size=(512, 512),
        bring_down="bilinear",  # inference.py through GFPGANer's steps, cv2.resize
        final_resize="bilinear",
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        trained_on=("FFHQ",),
        losses=("L1", "LPIPS and its style", "GAN", "facial components", "ArcFace identity"),  # RestoreFormer.yaml
        knobs={"checkpoint": "weights of one's own"},
    )

    def build(self) -> torch.nn.Module:
        """Return spandrel's network, whose defaults are the official settings."""
        from spandrel.architectures.RestoreFormer import RestoreFormer as Network

        network: torch.nn.Module = Network()
        return network

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Restore `(B, 3, 512, 512)`."""
        return network(images)[0]  # type: ignore[no-any-return]


class RestoreFormerPlusPlus(RestoreFormer):
    """RestoreFormer++: cross-attention at 32 pixels too, and half as many heads."""

    entry = "restoreformer-plusplus"
    card = replace(
        RestoreFormer.card,
        name="RestoreFormer++",
        paper="Wang et al., RestoreFormer++: Towards Real-World Blind Face Restoration from Undegraded Key-Value "
        "Pairs, TPAMI 2023",
        losses=("L1", "LPIPS", "GAN", "ArcFace identity"),  # configs/RestoreFormer++.yaml
    )

    def build(self) -> torch.nn.Module:
        """Return the network."""
        from .networks.restoreformer import RestoreFormerPlusPlus as Network

        return Network()
