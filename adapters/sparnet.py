"""SPARNet on 16 x 16 faces brought to 128 x 128, and SPARNetHD on aligned faces of 512 x 512.

Chen et al., IEEE TIP 2021; chaofengc/Face-SPARNet, commit b1a09862b7b8048c5a2544c9efd52461796ec895, `test.py`.
The official script for unaligned photos forgets `eval()`, so that spectral normalisation drifts from image to image;
`test.py`, and this adapter, do not.
Peak memory for one image with the weights: 1.6 GiB (SPARNet: 0.2 GiB).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from ..bench.api import Card
from ..bench.spec import Location
from .learned import Learned
from .resizing import pillow_resized

if TYPE_CHECKING:
    import torch

_PAPER = "Chen et al., Learning Spatial Attention for Face Super-Resolution, IEEE TIP 2021"
_WEIGHTS_LICENCE = "none given of their own; the code's is CC-BY-NC-SA-4.0"


class SPARNet(Learned):
    """SPARNet for small faces.

    Args:
        checkpoint: a file of one's own; None for the official one.
        light: SPARNet-Light, with 3D attention and a short body, instead of SPARNet-V16.
    """

    side: ClassVar[int] = 128
    card = Card(
        name="SPARNet",
        paper=_PAPER,
        task="face restoration",
        final_resize="bicubic",
        quantise="truncate",  # as the official script saves
        code_licence="Apache-2.0, written from the paper",
        weights_licence=_WEIGHTS_LICENCE,
        trained_on=("CelebA",),
        losses=("L1",),
        knobs={"checkpoint": "weights of one's own", "light": "SPARNet-Light instead of SPARNet-V16"},
    )

    def __init__(self, checkpoint: Location | None = None, light: bool = False) -> None:
        self.entry = "sparnet-light" if light else "sparnet"
        super().__init__(checkpoint)
        self._light = light
        if light:
            self.card = replace(self.card, name="SPARNet-Light")

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.sparnet import sparnet

        return sparnet(self._light)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring faces of any size to 128 x 128 as the official loader does."""
        return pillow_resized(images, (self.side, self.side), "bicubic")


class SPARNetHD(Learned):
    """SPARNetHD for aligned faces.

    Args:
        checkpoint: a file of one's own; None for the official one.
        attention: `2d` = one attention map for all channels, `3d` = one each.
    """

    side: ClassVar[int] = 512
    card = Card(
        name="SPARNetHD",
        paper=_PAPER,
        task="face restoration",
        alignment="ffhq_512",
        final_resize="bicubic",
        quantise="truncate",
        code_licence="Apache-2.0, written from the paper",
        weights_licence=_WEIGHTS_LICENCE,
        trained_on=("FFHQ",),
        losses=("L1", "VGG19 perceptual", "GAN", "feature matching"),
        knobs={"checkpoint": "weights of one's own", "attention": "2d or 3d"},
    )

    def __init__(self, checkpoint: Location | None = None, attention: Literal["2d", "3d"] = "2d") -> None:
        self.entry = f"sparnethd-{attention}"
        super().__init__(checkpoint)
        self._volumetric = attention == "3d"
        if self._volumetric:
            self.card = replace(self.card, name="SPARNetHD-3D")

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.sparnet import sparnet_hd

        return sparnet_hd(self._volumetric)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring faces of any size to 512 x 512 as the official loader does."""
        return pillow_resized(images, (self.side, self.side), "bicubic")
