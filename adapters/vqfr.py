"""VQFR 1 and 2 on aligned faces of 512 x 512.

Gu et al., ECCV 2022; TencentARC/VQFR, commit 239c77a78152473eca83270c40be083bb0ae0f4a, `demo.py --aligned`.
Peak memory for one image, weights included, on a CPU: 3.4 GiB (1) and 2.6 GiB (2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..bench.api import Batch, Card
from ..bench.errors import ConfigError
from ..bench.spec import Location
from .learned import Learned

if TYPE_CHECKING:
    import torch


class VQFRv1(Learned):
    """The model of the paper.  Its fidelity is fixed: the official script's `-f` does nothing for it.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    entry = "vqfr-v1"
    holders = ("params_ema", "params")
    card = Card(
        name="VQFR 1",
        paper="Gu et al., VQFR: Blind Face Restoration with Vector-Quantized Dictionary and Parallel Decoder, ECCV 2022",
        task="face restoration",
        alignment="ffhq_512",
        size=(512, 512),
        bring_down="bilinear",  # vqfr/demo_util.py, cv2.resize
        final_resize="bilinear",
        code_licence="Apache-2.0, third-party parts excepted",
        weights_licence="Apache-2.0, third-party parts excepted",
        trained_on=("FFHQ",),
        losses=("L1", "LPIPS and its style", "GAN", "code MSE"),  # options/train/VQFR/train_vqfr_v1_B16_200K.yml
        knobs={"checkpoint": "weights of one's own"},
    )

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.vqfr_v1 import VQFRv1 as Network

        return Network()

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Restore `(B, 3, 512, 512)`: `main_dec` of the official output."""
        return network(images).main  # type: ignore[no-any-return]


class VQFRv2(Learned):
    """The second model.

    Args:
        checkpoint: a file of one's own; None for the official one.
        fidelity_ratio: 0 = the looked-up texture alone, 1 = closest to the input; the official script's default is 0.

    Raises:
        ConfigError: `fidelity_ratio` is outside 0 to 1.
    """

    entry = "vqfr-v2"
    holders = ("params_ema", "params")
    card = replace(
        VQFRv1.card,
        name="VQFR 2",
        losses=("L1", "LPIPS", "GAN", "code MSE", "code cross-entropy"),  # train_vqfr_v2_B16_200K.yml
        knobs={"checkpoint": "weights of one's own", "fidelity_ratio": "0 the finest face, 1 the closest to the input"},
    )

    def __init__(self, checkpoint: Location | None = None, fidelity_ratio: float = 0.0) -> None:
        if not 0 <= fidelity_ratio <= 1:
            raise ConfigError(f"vqfr: fidelity_ratio is {fidelity_ratio}; give 0 (finest) to 1 (closest to the input)")
        super().__init__(checkpoint)
        self._fidelity_ratio = fidelity_ratio

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.vqfr_v2 import VQFRv2 as Network

        return Network()

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Restore `(B, 3, 512, 512)`."""
        return network(images, self._fidelity_ratio)  # type: ignore[no-any-return]
