"""DR2: a diffusion model removes the degradation of a face at 256 x 256, any other restorer adds the detail.

Wang et al., CVPR 2023; Kaldwin0106/DR2_Drgradation_Remover, commit 09c97ed1c74afc8b44ca8edf08a120b6c3f7ac8f.
Between the stages the picture is enlarged to 512 as at the time of that release: torch's bicubic (a = -0.75) without
antialiasing.  Today's default of the same torchvision call differs by up to 0.08.
Peak memory for one image with the weights of both stages: 2.0 GiB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..bench.api import Batch, Card, Restorer
from ..bench.errors import ConfigError
from ..bench.spec import Location
from .diffusion import DiffusionRestorer
from .resizing import pillow_resized
from .sparnet import SPARNetHD

if TYPE_CHECKING:
    import torch

_ENHANCED_SIDE = 512


class DR2SPARNetHD(SPARNetHD):
    """The enhancer of the official release: SPARNetHD trained on the output of DR2.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    card = replace(SPARNetHD.card, name="SPARNetHD (DR2)", quantise="round")

    def __init__(self, checkpoint: Location | None = None) -> None:
        super().__init__(checkpoint)
        self.entry = "dr2-sparnethd"
        self.weights = {self.entry: checkpoint}


def default_omega(n: int, tau: int) -> int:
    """Return the step DR2 starts from: `tau` and more, the coarser the filter (`dr2e.py`)."""
    more = next((extra for largest, extra in ((1, 5), (2, 10), (4, 20), (8, 25)) if n <= largest), 30)
    return tau + more


class DR2(DiffusionRestorer):
    """DR2 and an enhancer.

    Args:
        checkpoint: U-Net of one's own (DR2, ILVR and P2-weighting have the same); None for the official one.
        n: N of the paper: only what survives shrinking by it is taken from the LQ.  1, 2, 4, 8, 16, ...
        tau: step that ends the sampling; the larger, the smoother and the farther from the LQ.
        omega: step that starts it; None for the official rule, `tau` + 5, 10, 20, 25 or 30 by `n`.
        steps: of the schedule that `tau` and `omega` count in.
        enhancer: the restorer of the second stage; None ends with the first, enlarged.

    Raises:
        ConfigError: `n`, `tau`, `omega` and `steps` do not go together: the official code would crash or return
            nothing; or the enhancer works on folders.
    """

    entry = "dr2-ffhq"
    card = Card(
        name="DR2",
        paper="Wang et al., DR2: Diffusion-based Robust Degradation Remover for Blind Face Restoration, CVPR 2023",
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
            "n": "N: how much the low-pass filter shrinks",
            "tau": "last step",
            "omega": "first step",
            "steps": "of the schedule",
            "enhancer": "any other adapter, as the second stage",
        },
    )

    def __init__(
        self,
        checkpoint: Location | None = None,
        n: int = 8,
        tau: int = 35,
        omega: int | None = None,
        steps: int = 100,
        enhancer: Restorer | None = None,
    ) -> None:
        super().__init__(checkpoint, steps, n)
        first = default_omega(n, tau) if omega is None else omega
        if tau < 0 or first < tau:
            raise ConfigError(f"dr2: tau {tau} and omega {first}; 0 <= tau <= omega is needed")
        if first > steps - 1:
            rule = f"by the official rule for N {n} " if omega is None else ""
            raise ConfigError(
                f"dr2: omega is {rule}{first}, but the last of {steps} steps is {steps - 1} (the official code "
                f"crashes there); lower tau from {tau}, or set omega"
            )
        self.tau, self.omega, self.enhancer = tau, first, enhancer
        if enhancer is not None:
            self._join(enhancer)

    def _join(self, enhancer: Restorer) -> None:
        if not isinstance(enhancer, Restorer):
            raise ConfigError(f"dr2.enhancer: {type(enhancer).__name__} restores no batches; name another adapter")
        card = enhancer.card
        self.weights = {**self.weights, **enhancer.weights}
        self.version = 100 * type(self).version + enhancer.version  # either one changes the output
        self.card = replace(
            self.card,
            name=f"DR2 + {card.name.removesuffix(' (DR2)')}",
            quantise=card.quantise,
            weights_licence=f"{self.card.weights_licence}; {card.weights_licence}",
            trained_on=tuple(dict.fromkeys((*self.card.trained_on, *card.trained_on))),
            losses=tuple(dict.fromkeys((*self.card.losses, *card.losses))),
        )

    def load(self, device: torch.device) -> None:
        """Build both stages on `device`.

        Raises:
            WeightsError: a checkpoint cannot be had, or is not of its network; the message lists the keys.
        """
        super().load(device)
        if self.enhancer is not None:
            self.enhancer.load(device)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring faces of any size to 256 x 256 as the official script does."""
        return pillow_resized(images, (self.side, self.side), "bicubic")

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Remove the degradation of `(B, 3, 256, 256)` in `[-1, 1]`, which is the first stage."""
        from .networks.diffusion import dr2

        noise = self.noise(batch, images.device)
        return dr2(network, self.schedule(), images, self.factor, self.tau, self.omega, noise)

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, H, W)` RGB in `[0, 1]`, not yet clamped: 512 x 512 unless the enhancer makes another size."""
        from torch.nn.functional import interpolate

        removed = super().restore(batch)
        if self.enhancer is None:
            return interpolate(removed, (_ENHANCED_SIDE, _ENHANCED_SIDE), mode="bicubic", align_corners=False)
        card = self.enhancer.card
        fed = removed
        if card.input != "native":
            fed = interpolate(
                removed, card.size or (_ENHANCED_SIDE, _ENHANCED_SIDE), mode="bicubic", align_corners=False
            )
        if not isinstance(self.enhancer, SPARNetHD):  # the official stages hand over what the enlarging overshoots
            fed = fed.clamp(0, 1)
        return self.enhancer.restore(batch._replace(images=fed))
