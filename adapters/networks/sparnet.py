"""SPARNet and SPARNetHD: residual blocks whose output a small hourglass weighs by place (spatial attention).

Chen et al., Learning Spatial Attention for Face Super-Resolution, IEEE TIP 2021 (arXiv 2012.01211).
Names of modules are those of the official checkpoints.
"""

from __future__ import annotations

from math import log2
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Resampling = Literal["none", "up", "down"]
Norm = Literal["batch", "instance"]

_HOURGLASS_WIDTH = 64
_SLOPE = 0.2


class _Normalised(nn.Module):
    """The normalisation layer, one module deeper as in the official names."""

    def __init__(self, norm: Norm, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)  # type: ignore[no-any-return]


class Conv(nn.Module):
    """Reflection padding, 3 x 3 convolution, then normalisation and LeakyReLU where asked for.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        resampling: `up` doubles the size (nearest) before, `down` halves it by a stride of 2.
        norm: normalisation; None leaves it out and gives the convolution a bias.
        active: end with LeakyReLU 0.2.
        spectral: divide the weight by its largest singular value.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        resampling: Resampling = "none",
        norm: Norm | None = None,
        active: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, 3, 2 if resampling == "down" else 1, bias=norm is None)
        self.conv2d = nn.utils.spectral_norm(conv) if spectral else conv
        self.norm = _Normalised(norm, out_channels) if norm else None
        self.enlarge = resampling == "up"
        self.active = active

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, in, H, W)` to `(B, out, H', W')`."""
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = self.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        if self.norm is not None:
            x = self.norm(x)
        return F.leaky_relu(x, _SLOPE) if self.active else x


class Hourglass(nn.Module):
    """Spatial attention: weighs features by a map in `(0, 1)` seen at `depth` scales.

    Args:
        channels: of the features.
        depth: how many times the map is halved.
        volumetric: one map per channel (the paper's 3D attention) instead of one for all (2D).
        norm: normalisation.
        spectral: spectral normalisation.
    """

    def __init__(self, channels: int, depth: int, volumetric: bool, norm: Norm, spectral: bool) -> None:
        super().__init__()
        self.depth = depth
        width = _HOURGLASS_WIDTH

        def block(in_channels: int, resampling: Resampling = "none") -> Conv:
            return Conv(in_channels, width, resampling, norm, active=True, spectral=spectral)

        for level in range(depth, 0, -1):
            arriving = channels if level == depth else width
            self.add_module(f"b1_{level}", block(arriving))
            self.add_module(f"b2_{level}", block(arriving, "down"))
            self.add_module(f"b3_{level}", block(width, "up"))
        self.b2_plus_1 = block(width)
        self.out_block = nn.Sequential(Conv(width, channels if volumetric else 1, spectral=spectral), nn.Sigmoid())

    def _level(self, level: int, x: torch.Tensor) -> torch.Tensor:
        same: torch.Tensor = self.get_submodule(f"b1_{level}")(x)
        small = self.get_submodule(f"b2_{level}")(x)
        small = self._level(level - 1, small) if level > 1 else self.b2_plus_1(small)
        back: torch.Tensor = self.get_submodule(f"b3_{level}")(small)
        if back.shape != same.shape:  # odd sides
            back = F.interpolate(back, same.shape[2:], mode="nearest")
        return same + back

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, C, H, W)` to the same shape."""
        return x * self.out_block(self._level(self.depth, x))  # type: ignore[no-any-return]


class FaceAttentionUnit(nn.Module):
    """Pre-activated residual block with spatial attention; may halve or double the size.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        depth: of the hourglass.
        resampling: change of size.
        volumetric: 3D attention.
        norm: normalisation.
        spectral: spectral normalisation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: int,
        resampling: Resampling,
        volumetric: bool,
        norm: Norm,
        spectral: bool,
    ) -> None:
        super().__init__()
        same_shape = resampling == "none" and in_channels == out_channels
        first: Resampling = "up" if resampling == "up" else "none"
        second: Resampling = "down" if resampling == "down" else "none"
        self.shortcut_func = (
            nn.Identity() if same_shape else Conv(in_channels, out_channels, resampling, spectral=spectral)
        )
        self.preact_func = nn.Sequential(_Normalised(norm, in_channels), nn.LeakyReLU(_SLOPE))
        self.conv1 = Conv(in_channels, out_channels, first, norm, active=True, spectral=spectral)
        self.conv2 = Conv(out_channels, out_channels, second, norm, spectral=spectral)
        self.att_func = Hourglass(out_channels, depth, volumetric, norm, spectral)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, in, H, W)` to `(B, out, H', W')`."""
        features = self.conv2(self.conv1(self.preact_func(x)))
        return self.shortcut_func(x) + self.att_func(features)  # type: ignore[no-any-return]


class SPARNet(nn.Module):
    """Encoder, body and decoder of face attention units.

    Args:
        side: of the input and the output, pixels.
        smallest: side of the features in the body.
        bottleneck: side of the smallest map of every hourglass.
        widest: most channels a layer has.
        body: blocks of the body.
        volumetric: 3D attention.
        norm: normalisation.
        spectral: spectral normalisation of every convolution.
    """

    def __init__(
        self,
        side: int,
        smallest: int,
        bottleneck: int,
        widest: int,
        body: int,
        volumetric: bool,
        norm: Norm,
        spectral: bool,
    ) -> None:
        super().__init__()
        steps = int(log2(side // smallest))
        base = max(32, widest // (steps + 1))
        width = [min(widest, base << step) for step in range(steps + 1)]

        def unit(in_channels: int, out_channels: int, size: int, resampling: Resampling) -> FaceAttentionUnit:
            depth = int(log2(size // bottleneck))
            return FaceAttentionUnit(in_channels, out_channels, depth, resampling, volumetric, norm, spectral)

        down = [unit(width[s], width[s + 1], side >> (s + 1), "down") for s in range(steps)]
        up = [unit(width[s + 1], width[s], side >> s, "up") for s in reversed(range(steps))]
        self.encoder = nn.Sequential(Conv(3, base, spectral=spectral), *down)
        self.res_layers = nn.Sequential(*(unit(width[-1], width[-1], smallest, "none") for _ in range(body)))
        self.decoder = nn.Sequential(*up)
        self.out_conv = Conv(base, 3, spectral=spectral)

    def forward(self, lq: torch.Tensor) -> torch.Tensor:
        """Map `(B, 3, side, side)` in `[-1, 1]` to the same shape, not clamped."""
        return self.out_conv(self.decoder(self.res_layers(self.encoder(lq))))  # type: ignore[no-any-return]


def sparnet(light: bool = False) -> SPARNet:
    """Return the 128 x 128 network: SPARNet-V16 (2D attention), or SPARNet-Light (3D, a body of one block)."""
    return SPARNet(128, 16, 4, 128, 1 if light else 10, volumetric=light, norm="batch", spectral=False)


def sparnet_hd(volumetric: bool = False) -> SPARNet:
    """Return the 512 x 512 network SPARNetHD-V4 with 2D or 3D attention."""
    return SPARNet(512, 32, 16, 512, 9, volumetric, norm="instance", spectral=True)
