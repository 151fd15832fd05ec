"""ILVR, the comparator of DR2: a face is drawn from noise while its low frequencies follow the LQ.

Choi et al., ICCV 2021; jychoi118/ilvr_adm, commit 9b84f264f8d7b795f1b735bb38fd810f68387c1a.
Peak memory for one image with the weights: 0.8 GiB.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..bench.api import Batch, Card
from ..bench.errors import ConfigError, RestorerError
from ..bench.spec import Location
from .diffusion import DiffusionRestorer
from .resizing import pillow_resized

if TYPE_CHECKING:
    import torch


class ILVR(DiffusionRestorer):
    """ILVR.

    Args:
        checkpoint: U-Net of one's own (DR2, ILVR and P2-weighting have the same); None for the official one.
        n: `down_N` of the official command: only what survives shrinking by it is taken from the LQ.
        free: `range_t`: the last steps, up to this one, follow no LQ.
        steps: of the schedule; each costs one call of the network.

    Raises:
        ConfigError: a setting cannot be used.
    """

    entry = "ilvr-ffhq"
    card = Card(
        name="ILVR",
        paper="Choi et al., ILVR: Conditioning Method for Denoising Diffusion Probabilistic Models, ICCV 2021",
        task="face restoration",
        alignment="ffhq_512",
        final_resize="bicubic",
        stochastic=True,
        code_licence="Apache-2.0, sampler written from the paper; U-Net diffusers, Apache-2.0",
        weights_licence="none given of their own; the code's is MIT",
        trained_on=("FFHQ",),
        losses=("noise prediction",),
        knobs={
            "checkpoint": "U-Net of one's own",
            "n": "how much the low-pass filter shrinks",
            "free": "last steps that follow no LQ",
            "steps": "of the schedule",
        },
    )

    def __init__(self, checkpoint: Location | None = None, n: int = 32, free: int = 20, steps: int = 100) -> None:
        super().__init__(checkpoint, steps, n)
        if free < 0:
            raise ConfigError(f"ilvr: free is {free}; give 0 or more steps")
        self.free = free

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring square faces to 256 x 256 as the official loader does: halve by box while twice as large, then bicubic.

        Raises:
            RestorerError: the faces are not square; the official loader would cut their ends off.
        """
        height, width = images.shape[2:]
        if height != width:
            raise RestorerError(f"ilvr takes square faces, this one is {height} x {width}")
        while images.shape[2] >= 2 * self.side:
            half = images.shape[2] // 2
            images = pillow_resized(images, (half, half), "box")
        return pillow_resized(images, (self.side, self.side), "bicubic")

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Draw faces that follow `(B, 3, 256, 256)` in `[-1, 1]`."""
        from .networks.diffusion import ilvr

        noise = self.noise(batch, images.device)
        (last,) = deque(ilvr(network, self.schedule(), images, self.factor, self.free, noise), maxlen=1)
        return last.sample
