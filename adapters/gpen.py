"""GPEN-BFR on aligned faces.

Yang et al., CVPR 2021; yangxy/GPEN, commit 2c736702983368847fb544d234a22ac7cff25802, `--aligned` without `--use_sr`.
Deterministic: what the paper calls noise are features of the input.
Peak memory for one image with the weights: 1.1 GiB (256: 0.3 GiB).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..bench.api import Card
from .learned import Learned

if TYPE_CHECKING:
    import torch


class GPEN512(Learned):
    """GPEN-BFR-512."""

    entry = "gpen-bfr-512"
    holders = ("g_ema",)  # checkpoints of one's own training; the official file is a bare state dict
    card = Card(
        name="GPEN-512",
        paper="Yang et al., GAN Prior Embedded Network for Blind Face Restoration in the Wild, CVPR 2021",
        task="face restoration",
        alignment="ffhq_512",
        size=(512, 512),
        bring_down="bilinear",  # face_gan.py, cv2.resize
        final_resize="bilinear",
        quantise="truncate",  # face_gan.py, astype(np.uint8) without rounding
        code_licence="Apache-2.0; the official code has no licence",
        weights_licence="none given; until 2026 'for academic and non-commercial use only'",
        trained_on=("FFHQ",),
        losses=("L1", "GAN", "discriminator features", "ArcFace identity (released training code)"),
        knobs={"checkpoint": "weights of one's own"},
    )

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.gpen import GPEN

        return GPEN(512, channel_multiplier=2, narrow=1)


class GPEN256(GPEN512):
    """GPEN-BFR-256."""

    entry = "gpen-bfr-256"
    card = replace(GPEN512.card, name="GPEN-256", size=(256, 256))

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.gpen import GPEN

        return GPEN(256, channel_multiplier=1, narrow=0.5)
