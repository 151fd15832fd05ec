"""Deep Photo Enhancer's generator: a U-Net with a global vector that learns what to add to a photo.

Chen et al., Deep Photo Enhancer: Unpaired Learning for Image Enhancement from Photographs with GANs, CVPR 2018.
A unit is convolution, SELU, batch normalisation, in this order.  Of the two sets of statistics that the two-way
GAN keeps (individual batch normalisation), the first is the one of inference.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .borders import symmetric_pad

# constants of the authors' graph, not those of Klambauer et al. 2017
_ALPHA, _SCALE = 1.0198755264282227, 1.0026538372039795
_EPSILON = 1e-5
SIDE = 512
_DOWN = (16, 32, 64, 128, 128)
_UP = (128, 128, 64, 32)


def selu(x: torch.Tensor) -> torch.Tensor:
    """Return SELU with the authors' constants."""
    return _SCALE * F.elu(x, _ALPHA)


class Conv(nn.Conv2d):
    """Convolution whose border mirrors the edge pixel too."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)
        self.border = (kernel - 1) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, in, H, W)` to `(B, out, H / stride, W / stride)`."""
        return super().forward(symmetric_pad(x, *(self.border,) * 4) if self.border else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)


class DPE(nn.Module):
    """The generator; takes any number of 512 x 512 photos."""

    def __init__(self) -> None:
        super().__init__()
        arriving = (3, *_DOWN[:-1])
        self.down = nn.ModuleList(
            Conv(wide, narrow, 5 if step else 3, 2 if step else 1)
            for step, (wide, narrow) in enumerate(zip(arriving, _DOWN, strict=True))
        )
        self.down_norm = nn.ModuleList(_norm(width) for width in _DOWN)

        self.globe = nn.ModuleList(Conv(128, 128, 5, 2) for _ in range(2))
        self.globe_norm = nn.ModuleList(_norm(128) for _ in range(2))
        self.globe_all = nn.Conv2d(128, 128, 8)
        self.globe_vector = nn.Conv2d(128, 128, 1)

        self.local = Conv(128, 128, 3)
        self.fuse = Conv(256, 128, 1)
        self.fuse_norm = _norm(128)
        self.up = nn.ModuleList(Conv(wide, narrow, 3) for wide, narrow in zip((128, 256, 192, 96), _UP, strict=True))
        self.up_norm = nn.ModuleList(_norm(width) for width in (256, 192, 96, 48))
        self.last = Conv(48, 16, 3)
        self.last_norm = _norm(16)
        self.residual = Conv(16, 3, 3)

    def global_vector(self, features: torch.Tensor) -> torch.Tensor:
        """Map features `(B, 128, 32, 32)` to what is known of the whole photo, `(B, 128, 1, 1)`."""
        for conv, norm in zip(self.globe, self.globe_norm, strict=True):
            features = norm(selu(conv(features)))
        return self.globe_vector(selu(self.globe_all(features)))  # type: ignore[no-any-return]

    def encode(self, photo: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map a photo to features `(B, 128, 32, 32)` and the skips, which are taken before SELU and normalisation."""
        x, skips = photo, []
        for conv, norm in zip(self.down, self.down_norm, strict=True):
            x = conv(x)
            skips.append(x)
            x = norm(selu(x))
        return x, skips[:-1]

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        """Map `(B, 3, 512, 512)` BGR in `[0, 1]` to the same shape, not clamped."""
        features, skips = self.encode(photo)
        known = self.global_vector(features).expand(-1, -1, *features.shape[2:])
        x = self.fuse_norm(selu(self.fuse(torch.cat((self.local(features), known), 1))))
        for conv, norm, skip in zip(self.up, self.up_norm, reversed(skips), strict=True):
            larger = F.interpolate(conv(x), scale_factor=2.0, mode="nearest")
            x = norm(selu(torch.cat((larger, skip), 1)))
        return photo + self.residual(self.last_norm(selu(self.last(x))))  # type: ignore[no-any-return]


def variable_names() -> dict[str, str]:
    """Map the parameters of `DPE` to the end of their names in the authors' TensorFlow checkpoints.

    `1/conv_3_w` stands for `<scopes>/netG-<experiment>_1/conv_3_w`: part, kind, position in the part's layer list.
    """
    convs = {f"down.{step}": f"1/conv_{3 * step}" for step in range(5)}
    norms = {f"down_norm.{step}": f"1/bn_{3 * step + 2}_0" for step in range(5)}
    convs |= {"globe.0": "2/conv_0", "globe.1": "2/conv_3", "globe_all": "2/conv_6", "globe_vector": "2/conv_8"}
    norms |= {"globe_norm.0": "2/bn_2_0", "globe_norm.1": "2/bn_5_0"}
    convs |= {"local": "3/conv_0", "fuse": "3/conv_2", "last": "3/conv_25", "residual": "3/conv_28"}
    norms |= {"fuse_norm": "3/bn_4_0", "last_norm": "3/bn_27_0"}
    convs |= {f"up.{step}": f"3/conv_{5 * step + 5}" for step in range(4)}
    norms |= {f"up_norm.{step}": f"3/bn_{5 * step + 9}_0" for step in range(4)}
    kinds = {"weight": "scale", "bias": "offset", "running_mean": "mv_mean", "running_var": "mv_var"}
    names = {f"{own}.{kind}": f"{theirs}_{kind[0]}" for own, theirs in convs.items() for kind in ("weight", "bias")}
    return names | {f"{own}.{a}": f"{theirs}_{b}" for own, theirs in norms.items() for a, b in kinds.items()}
