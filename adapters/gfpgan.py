"""GFP-GAN 1, 1.2, 1.3 and 1.4 on aligned faces of 512 x 512.

Wang et al., CVPR 2021; TencentARC/GFPGAN, commit 7552a7791caad982045a7bbe5634bbf1cd5c8679, `--aligned`.
Peak memory for one image with the weights: 1.1 GiB (1: 0.7 GiB).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ..bench.api import Batch, Card
from ..bench.seeds import torch_generator
from ..bench.spec import Location
from .learned import Learned

if TYPE_CHECKING:
    import torch

_NOISE = "stylegan_decoder.noises.noise"
_OFFICIAL = "Apache-2.0, StyleGAN2 parts NVIDIA Source Code License-NC"


class GFPGANv1(Learned):
    """The model of the paper, which also colours.

    The official script adds new noise in every call and sets no seed, so that its results differ from run to run;
    the noise stored in the checkpoint gives one result.

    Args:
        checkpoint: a file of one's own; None for the official one.
        noise: `stored` = as in the checkpoint; `random` = drawn per image from the restorer's seed.
    """

    entry = "gfpgan-v1"
    holders = ("params_ema", "params")
    card = Card(
        name="GFP-GAN 1",
        paper="Wang et al., Towards Real-World Blind Face Restoration with Generative Facial Prior, CVPR 2021",
        task="face restoration",
        alignment="ffhq_512",
        size=(512, 512),
        bring_down="bilinear",  # GFPGANer.enhance, cv2.resize
        final_resize="bilinear",
        code_licence=f"Apache-2.0, written from the paper; official code {_OFFICIAL}",
        weights_licence=_OFFICIAL,
        trained_on=("FFHQ",),
        losses=("L1", "VGG19 perceptual and style", "GAN", "facial components", "ArcFace identity"),
        knobs={"checkpoint": "weights of one's own", "noise": "stored in the checkpoint, or random by seed"},
    )

    def __init__(self, checkpoint: Location | None = None, noise: Literal["stored", "random"] = "stored") -> None:
        super().__init__(checkpoint)
        self._noise = noise
        self.card = replace(type(self).card, stochastic=noise == "random")

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks.gfpgan import GFPGANv1 as Network

        return Network()

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Restore `(B, 3, 512, 512)` with the chosen noise in place of the network's buffers."""
        from torch.func import functional_call

        noise = _draw(network, batch.seeds) if self._noise == "random" else {}
        return _image(functional_call(network, noise, (images,), self._call()))

    def _call(self) -> dict[str, bool]:
        return {}


class GFPGANv12(GFPGANv1):
    """Version 1.2, the first clean one: another network, which does not colour."""

    entry = "gfpgan-v1.2"
    card = replace(
        GFPGANv1.card,
        name="GFP-GAN 1.2",
        code_licence=f"MIT (spandrel); official code {_OFFICIAL}",
        trained_on=("FFHQ", "more faces, not named"),
    )

    def build(self) -> torch.nn.Module:
        """Return spandrel's network, whose defaults are the official settings."""
        from spandrel.architectures.GFPGAN import GFPGAN

        network: torch.nn.Module = GFPGAN()
        return network

    def _call(self) -> dict[str, bool]:
        return {"return_rgb": False, "randomize_noise": False}  # the buffers hold the noise wanted


class GFPGANv13(GFPGANv12):
    """Version 1.3: more natural faces."""

    entry = "gfpgan-v1.3"
    card = replace(GFPGANv12.card, name="GFP-GAN 1.3")


class GFPGANv14(GFPGANv12):
    """Version 1.4: closer identity."""

    entry = "gfpgan-v1.4"
    card = replace(GFPGANv12.card, name="GFP-GAN 1.4")


def _draw(network: torch.nn.Module, seeds: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return standard normal noise for every style convolution, `(B, 1, H, W)`, each image from its own seed."""
    import torch

    buffers = {name: buffer for name, buffer in network.named_buffers() if name.startswith(_NOISE)}
    generators = [torch_generator(seed, "gfpgan noise") for seed in seeds]
    drawn = {}
    for name, buffer in buffers.items():
        images = [torch.randn(buffer.shape, generator=generator) for generator in generators]
        drawn[name] = torch.cat(images).to(buffer.device)
    return drawn


def _image(output: torch.Tensor | tuple[torch.Tensor, list[torch.Tensor]]) -> torch.Tensor:
    """Return the image of a network that may also return RGB images of lower resolutions."""
    return output[0] if isinstance(output, tuple) else output
