"""PSFR-GAN's generator: a learned constant grown to 512 x 512, styled at every size by the face and its parsing.

Chen et al., Progressive Semantic-Aware Style Transformation for Blind Face Restoration, CVPR 2021 (arXiv 2009.08709).
Names of modules are those of the official checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

PARSE_CLASSES = 19
_REFERENCE = 3 + PARSE_CLASSES  # channels of LQ and one-hot parsing
_WIDTHS = (1024, 512, 256, 128, 64, 32)
_SMALLEST = 16
_SLOPE = 0.2


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.utils.spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=1))


class SPADE(nn.Module):
    """Normalises features and gives every place the scale and shift its face part asks for.

    Unlike Park et al. 2019 the scale is `gamma`, not `1 + gamma`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.conv1 = nn.Sequential(_conv(_REFERENCE, 64), nn.LeakyReLU(_SLOPE))
        self.gamma_conv = _conv(64, channels)
        self.beta_conv = _conv(64, channels)

    def forward(self, x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """Map `(B, C, H, W)` and the reference `(B, 22, 512, 512)` to `(B, C, H, W)`."""
        if reference.shape[2:] != x.shape[2:]:
            reference = F.interpolate(reference, x.shape[2:], mode="bicubic", align_corners=False)
        style = self.conv1(reference)
        return self.norm(x) * self.gamma_conv(style) + self.beta_conv(style)  # type: ignore[no-any-return]


class SPADEResBlock(nn.Module):
    """Residual block whose normalisations are SPADE."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_0, self.conv_1 = _conv(channels, channels), _conv(channels, channels)
        self.norm_0, self.norm_1 = SPADE(channels), SPADE(channels)

    def forward(self, x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """Map `(B, C, H, W)` and the reference to `(B, C, H, W)`."""
        inner = self.conv_0(F.leaky_relu(self.norm_0(x, reference), _SLOPE))
        return x + self.conv_1(F.leaky_relu(self.norm_1(inner, reference), _SLOPE))  # type: ignore[no-any-return]


class PSFRGAN(nn.Module):
    """From the constant at 16 x 16 in doublings to the size of the face.

    Args:
        widths: channels at 16 x 16, 32 x 32 and so on; the official ones end at 512 x 512.
    """

    def __init__(self, widths: Sequence[int] = _WIDTHS) -> None:
        super().__init__()
        widest = widths[0]
        self.const_input = nn.Parameter(torch.randn(1, widest, _SMALLEST, _SMALLEST))
        self.head = nn.ModuleList([_conv(widest, widest), SPADEResBlock(widest)])
        self.body = nn.ModuleList(
            nn.ModuleList([nn.Upsample(scale_factor=2), _conv(wide, narrow), SPADEResBlock(narrow)])
            for wide, narrow in pairwise(widths)
        )
        self.img_out = _conv(widths[-1], 3)

    def forward(self, lq: torch.Tensor, parsing: torch.Tensor) -> torch.Tensor:
        """Restore faces.

        Args:
            lq: `(B, 3, 512, 512)` RGB in `[-1, 1]`.
            parsing: `(B, 19, 512, 512)`, one-hot.

        Returns:
            `(B, 3, 512, 512)`, not clamped.
        """
        reference = torch.cat((lq, parsing), 1)
        conv, block = self.head
        x = block(conv(self.const_input.expand(len(lq), -1, -1, -1)), reference)
        for stage in self.body:
            assert isinstance(stage, nn.ModuleList)
            enlarge, conv, block = stage
            x = block(conv(enlarge(x)), reference)
        return self.img_out(x)  # type: ignore[no-any-return]


def one_hot(logits: torch.Tensor) -> torch.Tensor:
    """Mark the largest of the classes `(B, 19, H, W)` at every place; ties mark several, as the official script does."""
    return (logits == logits.amax(1, keepdim=True)).to(logits.dtype)
