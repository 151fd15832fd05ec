"""PSFR-GAN on aligned faces of 512 x 512: face parsing, then the generator that follows it.

Chen et al., CVPR 2021; chaofengc/PSFRGAN, commit ab853cdc4957abe254f2b8831cb7b01aed2f68d8, script for aligned faces.
Peak memory for one image with the weights: 0.9 GiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bench.api import Batch, Card
from ..bench.checkpoint import load_strict, read
from ..bench.spec import Location
from .learned import Learned
from .resizing import pillow_resized

if TYPE_CHECKING:
    import torch

_SIZE = (512, 512)
_PARSING = "psfrgan-parsing"


class PSFRGAN(Learned):
    """PSFR-GAN.

    Args:
        checkpoint: generator of one's own; None for the official one.
        parsing: face parsing network of one's own; None for the official one.
    """

    entry = "psfrgan"
    card = Card(
        name="PSFR-GAN",
        paper="Chen et al., Progressive Semantic-Aware Style Transformation for Blind Face Restoration, CVPR 2021",
        task="face restoration",
        alignment="ffhq_512",
        final_resize="bicubic",
        quantise="truncate",  # as the official script saves
        code_licence="Apache-2.0, generator written from the paper; parsing network facexlib, Apache-2.0",
        weights_licence="none given of their own; the code's is CC-BY-NC-SA-4.0",
        trained_on=("FFHQ",),
        losses=("L1", "semantic-aware style (VGG19)", "GAN", "feature matching"),
        knobs={"checkpoint": "generator of one's own", "parsing": "face parsing network of one's own"},
    )

    def __init__(self, checkpoint: Location | None = None, parsing: Location | None = None) -> None:
        super().__init__(checkpoint)
        self.weights = {self.entry: checkpoint, _PARSING: parsing}
        self._parsing: torch.nn.Module | None = None

    def build(self) -> torch.nn.Module:
        """Return the generator with the official settings."""
        from .networks import psfrgan

        return psfrgan.PSFRGAN()

    def load(self, device: torch.device) -> None:
        """Build both networks on `device`.

        Raises:
            WeightsError: a checkpoint cannot be had, or is not of its network; the message lists the keys.
        """
        from facexlib.parsing.parsenet import ParseNet

        from ..bench.weights import resolve
        from .networks.psfrgan import PARSE_CLASSES

        super().load(device)
        path = resolve(self.weights)[_PARSING].path
        network = ParseNet(in_size=_SIZE[0], out_size=_SIZE[0], parsing_ch=PARSE_CLASSES)
        what = f"{path} is no face parsing network of {self.card.name}"
        self._parsing = load_strict(network, read(path), what).to(device)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring faces of any size to 512 x 512 as the official loader does."""
        return pillow_resized(images, _SIZE, "bicubic")

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Parse `(B, 3, 512, 512)` in `[-1, 1]`, then restore."""
        from .networks.psfrgan import one_hot

        assert self._parsing is not None
        logits, _ = self._parsing(images)
        restored: torch.Tensor = network(images, one_hot(logits))
        return restored
