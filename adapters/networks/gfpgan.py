"""GFP-GAN 1, the model of the paper: a U-Net that gives StyleGAN2 its latents and modulates its features.

Wang et al., Towards Real-World Blind Face Restoration with Generative Facial Prior, CVPR 2021, section 3; names as
in the official checkpoint (TencentARC/GFPGAN, `arch=original`, commit 7552a7791caad982045a7bbe5634bbf1cd5c8679).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .stylegan2 import (
    STYLE,
    Blur,
    EqualConv2d,
    EqualLinear,
    FusedLeakyReLU,
    ModulatedConv2d,
    ScaledLeakyReLU,
    Upsample,
    mapping_network,
    sizes,
    steps,
    width,
)


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _activated(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    conv = EqualConv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, FusedLeakyReLU(outputs))


class ResDown(nn.Module):
    """Residual block to half the size: `(B, inputs, H, W)` to `(B, outputs, H / 2, W / 2)`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _activated(inputs, inputs, 3)
        halve = EqualConv2d(inputs, outputs, 3, stride=2, bias=False)
        self.conv2 = nn.Sequential(Blur((2, 2)), halve, FusedLeakyReLU(outputs))
        self.skip = nn.Sequential(Blur((1, 1)), EqualConv2d(inputs, outputs, 1, stride=2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean-preserving sum of both paths."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)  # type: ignore[no-any-return]


class ConvUp(EqualConv2d):
    """Bilinear enlargement by 2, convolution, and the activation if there is one."""

    def __init__(self, inputs: int, outputs: int, kernel: int, activate: bool) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.activation = FusedLeakyReLU(outputs) if activate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)` to `(B, outputs, 2 H, 2 W)`."""
        return self.activation(super().forward(_enlarge(x)))  # type: ignore[no-any-return]


class ResUp(nn.Module):
    """Residual block to twice the size: `(B, inputs, H, W)` to `(B, outputs, 2 H, 2 W)`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _activated(inputs, inputs, 3)
        self.conv2 = ConvUp(inputs, outputs, 3, activate=True)
        self.skip = ConvUp(inputs, outputs, 1, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean-preserving sum of both paths."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)  # type: ignore[no-any-return]


class StyleConv(nn.Module):
    """Modulated convolution, scalar times noise, activation."""

    def __init__(self, inputs: int, outputs: int, upsample: bool = False) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv2d(inputs, outputs, 3, upsample=upsample)
        self.weight = nn.Parameter(torch.zeros(1))
        self.activate = FusedLeakyReLU(outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)`, latents `(B, 512)` and noise `(1 or B, 1, H', W')` to `(B, outputs, H', W')`."""
        return self.activate(self.modulated_conv(x, w) + self.weight * noise)  # type: ignore[no-any-return]


class ToRGB(nn.Module):
    """Features to RGB, added to the image of the resolution below."""

    def __init__(self, inputs: int, upsample: bool = True) -> None:
        super().__init__()
        self.upsample = Upsample() if upsample else None
        self.modulated_conv = ModulatedConv2d(inputs, 3, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor, below: Tensor | None = None) -> Tensor:
        """Map `(B, inputs, H, W)` and the image below `(B, 3, H / 2, W / 2)` to `(B, 3, H, W)`."""
        rgb: Tensor = self.modulated_conv(x, w) + self.bias
        return rgb if self.upsample is None or below is None else rgb + self.upsample(below)


class ConstantInput(nn.Module):
    """The learned 4 x 4 map that generation starts from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        """Return `(batch, channels, 4, 4)`."""
        return self.weight.expand(batch, -1, -1, -1)


class StyleGAN2CSFT(nn.Module):
    """StyleGAN2 with channel-split spatial feature transform (paper, section 3.4).

    The mapping network `style_mlp` is in the checkpoint but unused: the U-Net gives the latents w themselves.
    """

    def __init__(self, size: int, channels: dict[int, int]) -> None:
        super().__init__()
        self.style_mlp = mapping_network()
        self.constant_input = ConstantInput(channels[4])
        self.style_conv1 = StyleConv(channels[4], channels[4])
        self.to_rgb1 = ToRGB(channels[4], upsample=False)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        self.noises.register_buffer("noise0", torch.zeros(1, 1, 4, 4))
        for level, (small, large) in enumerate(steps(size)):
            self.style_convs.append(StyleConv(channels[small], channels[large], upsample=True))
            self.style_convs.append(StyleConv(channels[large], channels[large]))
            self.to_rgbs.append(ToRGB(channels[large]))
            for index in (2 * level + 1, 2 * level + 2):
                self.noises.register_buffer(f"noise{index}", torch.zeros(1, 1, large, large))

    def forward(self, w: Tensor, scales: Sequence[Tensor], shifts: Sequence[Tensor]) -> Tensor:
        """Return images `(B, 3, size, size)`.

        Args:
            w: `(B, latents, 512)`; convolution and RGB layers take theirs in turn.
            scales: for the second half of the channels, one per size from 8 on.
            shifts: the same.
        """
        noise = [self.noises.get_buffer(f"noise{index}") for index in range(len(self.style_convs) + 1)]
        x = self.style_conv1(self.constant_input(len(w)), w[:, 0], noise[0])
        image: Tensor = self.to_rgb1(x, w[:, 1])
        for level, (to_rgb, scale, shift) in enumerate(zip(self.to_rgbs, scales, shifts, strict=True)):
            first = 2 * level + 1  # latent and noise of the convolution that enlarges
            x = self.style_convs[2 * level](x, w[:, first], noise[first])
            same, transformed = x.chunk(2, 1)
            x = torch.cat([same, transformed * scale + shift], 1)
            x = self.style_convs[2 * level + 1](x, w[:, first + 1], noise[first + 1])
            image = to_rgb(x, w[:, first + 2], image)
        return image


class GFPGANv1(nn.Module):
    """The whole network: `(B, 3, size, size)` RGB in `[-1, 1]` to the same, not clipped.

    `stylegan_decoder.noises` holds the noise that is added; whoever wants other noise swaps these buffers.
    `toRGB` serves the pyramid loss of training and is not run.

    Args:
        size: side of the images; the official one is 512.
        channel_multiplier: 1 in the official checkpoint.
    """

    def __init__(self, size: int = 512, channel_multiplier: int = 1) -> None:
        super().__init__()
        channels = {side: width(side, channel_multiplier, 1) for side in sizes(size)}
        unet = {side: width(side, channel_multiplier, 0.5) for side in sizes(size)}
        self.conv_body_first = _activated(3, unet[size], 1)
        self.conv_body_down = nn.ModuleList(ResDown(unet[large], unet[small]) for small, large in reversed(steps(size)))
        self.final_conv = _activated(unet[4], unet[4], 3)
        self.final_linear = EqualLinear(unet[4] * 4 * 4, 2 * len(channels) * STYLE)
        self.conv_body_up = nn.ModuleList(ResUp(unet[small], unet[large]) for small, large in steps(size))
        self.toRGB = nn.ModuleList(EqualConv2d(unet[large], 3, 1) for _, large in steps(size))
        self.condition_scale = nn.ModuleList(_condition(unet[large]) for _, large in steps(size))
        self.condition_shift = nn.ModuleList(_condition(unet[large]) for _, large in steps(size))
        self.stylegan_decoder = StyleGAN2CSFT(size, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return the restored images."""
        x = self.conv_body_first(images)
        skips = []
        for down in self.conv_body_down:
            x = down(x)
            skips.append(x)
        x = self.final_conv(x)
        w = self.final_linear(x.flatten(1)).unflatten(1, (-1, STYLE))
        scales, shifts = [], []
        for up, scale, shift in zip(self.conv_body_up, self.condition_scale, self.condition_shift, strict=True):
            x = up(x + skips.pop())
            scales.append(scale(x))
            shifts.append(shift(x))
        return self.stylegan_decoder(w, scales, shifts)  # type: ignore[no-any-return]


def _condition(channels: int) -> nn.Sequential:
    """Return the layers that give a scale or shift for half of the generator's channels."""
    first, second = (EqualConv2d(channels, channels, 3, padding=1) for _ in range(2))
    return nn.Sequential(first, ScaledLeakyReLU(), second)
