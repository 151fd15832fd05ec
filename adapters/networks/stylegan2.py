"""The pieces of StyleGAN2 that GFP-GAN 1 and GPEN are made of, in their training form.

Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020.  Equalised learning rate: what
is stored has unit variance, and is scaled when it is used.  Every parameter is meant to be loaded; none is
initialised with meaning.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STYLE = 512  # length of a latent w
_SLOPE = 0.2
_EPSILON = 1e-8


def width(size: int, multiplier: int, narrow: float) -> int:
    """Return the number of channels at a side of `size` pixels.

    Args:
        size: a power of two from 4.
        multiplier: widens sides above 32 (`channel_multiplier`).
        narrow: scales all of them.
    """
    return int((512 if size <= 32 else 16384 // size * multiplier) * narrow)  # 256, 128, 64, 32 at 64 ... 512


def sizes(largest: int) -> list[int]:
    """Return 4, 8, ... up to `largest`."""
    return [2**level for level in range(2, int(math.log2(largest)) + 1)]


def steps(largest: int) -> list[tuple[int, int]]:
    """Return the pairs of neighbouring sizes (4, 8), (8, 16), ... up to `largest`."""
    return list(pairwise(sizes(largest)))


class FusedLeakyReLU(nn.Module):
    """Adds a bias, applies leaky ReLU of slope 0.2 and restores the variance with sqrt(2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C, H, W)` or `(B, C)` to the same shape."""
        x = x + self.bias.view(1, -1, *(1,) * (x.ndim - 2))
        return F.leaky_relu(x, _SLOPE, inplace=True).mul_(math.sqrt(2))


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU of slope 0.2 times sqrt(2), without a bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return F.leaky_relu(x, _SLOPE) * math.sqrt(2)


class EqualLinear(nn.Module):
    """A fully connected layer of equalised learning rate.

    Args:
        inputs: length of the input.
        outputs: length of the output.
        lr_mul: the layer learns this much slower than the others (0.01 in the mapping network).
        activate: apply the fused leaky ReLU with the bias.
    """

    def __init__(self, inputs: int, outputs: int, lr_mul: float = 1.0, activate: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._scale, self._lr_mul, self._activate = lr_mul / math.sqrt(inputs), lr_mul, activate

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inputs)` to `(B, outputs)`."""
        x = F.linear(x, self.weight * self._scale, self.bias * self._lr_mul)
        return F.leaky_relu(x, _SLOPE) * math.sqrt(2) if self._activate else x


class EqualConv2d(nn.Module):
    """A convolution of equalised learning rate."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._scale = 1 / math.sqrt(inputs * kernel**2)
        self._stride, self._padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)` to `(B, outputs, H', W')`."""
        return F.conv2d(x, self.weight * self._scale, self.bias, self._stride, self._padding)


class PixelNorm(nn.Module):
    """Scales every latent to unit mean square."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C)` to the same shape."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + _EPSILON)


def mapping_network() -> nn.Sequential:
    """Return the mapping network z -> w: normalise, then eight activated linear layers (names 1 to 8)."""
    return nn.Sequential(PixelNorm(), *(EqualLinear(STYLE, STYLE, lr_mul=0.01, activate=True) for _ in range(8)))


class Blur(nn.Module):
    """The FIR low-pass [1, 3, 3, 1] in both directions.

    Args:
        padding: zeros before and after, in pixels.
        gain: 4 where the blur follows a zero insertion, which keeps a quarter of the samples.
        stored: the checkpoint brings the kernel (GPEN).
    """

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], gain: int = 1, stored: bool = False) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(taps, taps) / 64 * gain, persistent=stored)
        self._padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C, H, W)` to `(B, C, H + before + after - 3, W + before + after - 3)`."""
        before, after = self._padding
        x = F.pad(x, (before, after, before, after))
        channels = x.shape[1]
        return F.conv2d(x, self.kernel.flip(0, 1).expand(channels, 1, 4, 4), groups=channels)


class Upsample(Blur):
    """Twice the size by zero insertion and the FIR low-pass; for the RGB images between resolutions."""

    def __init__(self, stored: bool = False) -> None:
        super().__init__(padding=(2, 1), gain=4, stored=stored)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C, H, W)` to `(B, C, 2 H, 2 W)`."""
        batch, channels, height, width = x.shape
        spread = x.new_zeros(batch, channels, height, 2, width, 2)
        spread[:, :, :, 0, :, 0] = x
        return super().forward(spread.view(batch, channels, 2 * height, 2 * width))


class ModulatedConv2d(nn.Module):
    """A convolution whose weights are scaled by the style, per image, and demodulated.

    With s the style of one image, w' = s w over the inputs and w'' = w' / sqrt(sum w'^2 + 1e-8) per output.  Scaling
    the input by s and the output by the demodulation is the same sum, and needs no weights per image.

    Args:
        inputs, outputs: channels.
        kernel: side of the kernel.
        demodulate: False in the layers that give RGB.
        upsample: transposed convolution of stride 2, then the FIR low-pass.
        stored_blur: the checkpoint brings the low-pass kernel (GPEN).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        demodulate: bool = True,
        upsample: bool = False,
        stored_blur: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, outputs, inputs, kernel, kernel))
        self.blur = Blur((1, 1), gain=4, stored=stored_blur) if upsample else None
        self.modulation = EqualLinear(STYLE, inputs)
        self._scale, self._padding, self._demodulate = 1 / math.sqrt(inputs * kernel**2), kernel // 2, demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)` and latents `(B, 512)` to `(B, outputs, H, W)`, or twice that size."""
        style = self.modulation(w)
        weight = self.weight[0] * self._scale
        x = x * style[:, :, None, None]
        if self.blur is None:
            x = F.conv2d(x, weight, padding=self._padding)
        else:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if self._demodulate:
            power = F.linear(style.square(), weight.square().sum((2, 3)))
            x = x * torch.rsqrt(power + _EPSILON)[:, :, None, None]
        return x
