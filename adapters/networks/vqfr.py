"""What VQFR 1 and 2 share: the main decoder, which warps looked-up textures onto the degraded face.

Gu et al., VQFR: Blind Face Restoration with Vector-Quantized Dictionary and Parallel Decoder, ECCV 2022, section 3.3.
Names as in the official checkpoints (TencentARC/VQFR, commit 239c77a78152473eca83270c40be083bb0ae0f4a).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .vqgan import ResBlock, norm

LEVELS = (1, 2, 4, 8, 16, 32)
"""Factors an image is brought down by; `Level_32` is the finest face's 16 x 16."""

INPUT_FEATURES = 32
_GROUPS, _TAPS = 4, 9  # of the deformable convolution


def named(level: int) -> str:
    """Return the name of a level in the checkpoints."""
    return f"Level_{level}"


def bilinear(x: Tensor, factor: float) -> Tensor:
    """Resize by a factor."""
    return interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class Shrink(nn.Module):
    """Bilinear resize to a fraction, then a 3 x 3 convolution."""

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)` to `(B, outputs, H / factor, W / factor)`."""
        return self.conv(bilinear(x, 1 / self._factor))  # type: ignore[no-any-return]


class DeformableConv(nn.Module):
    """Modulated deformable 3 x 3 convolution (Zhu et al., Deformable ConvNets v2, CVPR 2019), 4 offset groups.

    The first 72 channels of `conv_offset` are offsets (group, tap, then y and x), the other 36 masks.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.conv_offset = nn.Conv2d(channels, 3 * _GROUPS * _TAPS, 3, padding=1)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Convolve `x` where `guide` says, both `(B, C, H, W)`."""
        from torchvision.ops import deform_conv2d

        offset, mask = self.conv_offset(guide).split([2 * _GROUPS * _TAPS, _GROUPS * _TAPS], dim=1)
        return deform_conv2d(x, offset, self.weight, self.bias, padding=1, mask=mask.sigmoid())  # type: ignore[no-any-return]


class TextureWarping(nn.Module):
    """Moves the texture of one level to where the degraded face has it.

    Args:
        channels: of the texture.
        coarser: channels of the offset features one level up, 0 at the first level.
        downsample: brings the input features to this level; None resizes them without weights.
    """

    def __init__(self, channels: int, coarser: int, downsample: Shrink | None) -> None:
        super().__init__()
        if downsample is not None:
            self.downsample = downsample
        self.offset_conv1 = nn.Sequential(
            nn.Conv2d(channels + INPUT_FEATURES, channels, 1),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            norm(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 1),
        )
        self.offset_conv2 = nn.Sequential(
            nn.Conv2d(channels + coarser, channels, 3, padding=1), norm(channels), nn.SiLU()
        )
        self.dcn = DeformableConv(channels)

    def forward(self, texture: Tensor, degraded: Tensor, coarser: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the warped texture and the offset features for the next level.

        Args:
            texture: `(B, C, h, w)`.
            degraded: features of the degraded face, `(B, 32, H, W)`.
            coarser: offset features of the level above, half as large.
        """
        if hasattr(self, "downsample"):
            condition = self.downsample(degraded)
        else:
            condition = interpolate(degraded, size=texture.shape[2:], mode="bilinear", align_corners=False)
        offset = self.offset_conv1(torch.cat([condition, texture], dim=1))
        if coarser is not None:
            offset = torch.cat([offset, bilinear(coarser, 2) * 2], dim=1)  # offsets double with the resolution
        offset = self.offset_conv2(offset)
        return self.dcn(texture, offset), offset


class MainDecoder(nn.Module):
    """From coarse to fine: enlarge, warp the texture of the level, fuse.

    Args:
        channels: of the texture by level.
        upsample: makes the module that enlarges by 2, from channels in and out.
        downsample: makes the module that brings the input features to a level, or None.
        shortcut: name of the residual blocks' 1 x 1 convolution in the checkpoint.
    """

    def __init__(
        self,
        channels: Mapping[int, int],
        upsample: Callable[[int, int], nn.Module],
        downsample: Callable[[int], Shrink | None],
        shortcut: str,
    ) -> None:
        super().__init__()
        self.decoder_dict, self.pre_upsample_dict = nn.ModuleDict(), nn.ModuleDict()
        self.align_func_dict = nn.ModuleDict()
        coarser = 0
        for level in reversed(LEVELS):
            width = channels[level]
            self.align_func_dict[named(level)] = TextureWarping(width, coarser, downsample(level))
            if coarser:
                self.pre_upsample_dict[named(level)] = upsample(coarser, width)
                self.decoder_dict[named(level)] = ResBlock(2 * width, width, shortcut)
            coarser = width

    def fuse(self, textures: Mapping[int, Tensor], degraded: Tensor) -> Tensor:
        """Return the features of the face at full size.

        Args:
            textures: by level.
            degraded: features of the degraded face, `(B, 32, H, W)`.
        """
        x, offset = self.align_func_dict[named(LEVELS[-1])](textures[LEVELS[-1]], degraded, None)
        for level in reversed(LEVELS[:-1]):
            name = named(level)
            warped, offset = self.align_func_dict[name](textures[level], degraded, offset)
            x = torch.cat([self.pre_upsample_dict[name](x), warped], dim=1)
            x = self.decoder_dict[name](x)
        return x  # type: ignore[no-any-return]
