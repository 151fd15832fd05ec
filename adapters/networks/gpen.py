"""GPEN: an encoder that gives StyleGAN2 its latent and its noise.

Yang et al., GAN Prior Embedded Network for Blind Face Restoration in the Wild, CVPR 2021, section 3.1; names as in
the official checkpoints (yangxy/GPEN, commit 2c736702983368847fb544d234a22ac7cff25802).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .stylegan2 import (
    STYLE,
    Blur,
    EqualConv2d,
    EqualLinear,
    FusedLeakyReLU,
    ModulatedConv2d,
    Upsample,
    mapping_network,
    sizes,
    steps,
    width,
)


class NoiseInjection(nn.Module):
    """Puts a map of the encoder, times a learned weight, beside the features: GPEN's noise is the input image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, encoded: Tensor) -> Tensor:
        """Map two `(B, C, H, W)` to `(B, 2 C, H, W)`."""
        return torch.cat([x, self.weight * encoded], 1)


class StyledConv(nn.Module):
    """Modulated convolution, noise, activation: `(B, inputs, H, W)` to `(B, 2 outputs, H, W)` or twice that size."""

    def __init__(self, inputs: int, outputs: int, upsample: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, upsample=upsample, stored_blur=True)
        self.noise = NoiseInjection()
        self.activate = FusedLeakyReLU(2 * outputs)

    def forward(self, x: Tensor, w: Tensor, encoded: Tensor) -> Tensor:
        """Apply the layer with latents `(B, 512)` and an encoder map `(B, outputs, ...)` of the output's size."""
        return self.activate(self.noise(self.conv(x, w), encoded))  # type: ignore[no-any-return]


class ToRGB(nn.Module):
    """Features to RGB, added to the image of the resolution below."""

    def __init__(self, inputs: int, upsample: bool = True) -> None:
        super().__init__()
        self.upsample = Upsample(stored=True) if upsample else None
        self.conv = ModulatedConv2d(inputs, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, below: Tensor | None = None) -> Tensor:
        """Map `(B, inputs, H, W)` and the image below `(B, 3, H / 2, W / 2)` to `(B, 3, H, W)`."""
        rgb: Tensor = self.conv(x, w) + self.bias
        return rgb if self.upsample is None or below is None else rgb + self.upsample(below)


class ConstantInput(nn.Module):
    """The learned 4 x 4 map that generation starts from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.zeros(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        """Return `(batch, channels, 4, 4)`."""
        return self.input.expand(batch, -1, -1, -1)


class Generator(nn.Module):
    """StyleGAN2 whose noise is concatenated, so that every layer sees twice its channels."""

    def __init__(self, size: int, channels: dict[int, int]) -> None:
        super().__init__()
        self.style = mapping_network()
        self.input = ConstantInput(channels[4])
        self.conv1 = StyledConv(channels[4], channels[4])
        self.to_rgb1 = ToRGB(2 * channels[4], upsample=False)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for small, large in steps(size):
            self.convs.append(StyledConv(2 * channels[small], channels[large], upsample=True))
            self.convs.append(StyledConv(2 * channels[large], channels[large]))
            self.to_rgbs.append(ToRGB(2 * channels[large]))

    def forward(self, z: Tensor, encoded: Sequence[Tensor]) -> Tensor:
        """Return images `(B, 3, size, size)`.

        Args:
            z: `(B, 512)`, from the end of the encoder.
            encoded: maps of the encoder, 4 x 4 first, one per size.
        """
        w = self.style(z)
        x = self.conv1(self.input(len(w)), w, encoded[0])
        image: Tensor = self.to_rgb1(x, w)
        for level, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * level](x, w, encoded[level + 1])
            x = self.convs[2 * level + 1](x, w, encoded[level + 1])
            image = to_rgb(x, w, image)
        return image


class GPEN(nn.Module):
    """The whole network (`FullGenerator`): `(B, 3, size, size)` RGB in `[-1, 1]` to the same, not clipped.

    Args:
        size: side of the images.
        channel_multiplier: 2 in BFR-512, 1 in BFR-256.
        narrow: scales all widths; 1 in BFR-512, 0.5 in BFR-256.
    """

    def __init__(self, size: int, channel_multiplier: int, narrow: float) -> None:
        super().__init__()
        channels = {side: width(side, channel_multiplier, narrow) for side in sizes(size)}
        self.generator = Generator(size, channels)
        first = nn.Sequential(EqualConv2d(3, channels[size], 1, bias=False), FusedLeakyReLU(channels[size]))
        self.ecd0 = nn.Sequential(first)
        for depth, (small, large) in enumerate(reversed(steps(size)), start=1):
            down = nn.Sequential(
                Blur((2, 2), stored=True),
                EqualConv2d(channels[large], channels[small], 3, stride=2, bias=False),
                FusedLeakyReLU(channels[small]),
            )
            self.add_module(f"ecd{depth}", nn.Sequential(down))
        self.final_linear = nn.Sequential(EqualLinear(channels[4] * 4 * 4, STYLE, activate=True))
        self._encoder = [f"ecd{depth}" for depth in range(len(channels))]

    def forward(self, images: Tensor) -> Tensor:
        """Return the restored images."""
        encoded = []
        x = images
        for name in self._encoder:
            x = self.get_submodule(name)(x)
            encoded.append(x)
        return self.generator(self.final_linear(x.flatten(1)), encoded[::-1])  # type: ignore[no-any-return]
