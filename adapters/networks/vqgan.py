"""Parts of the VQGAN family (VQFR, RestoreFormer++): residual and attention blocks, resampling, codebook.

Esser et al., Taming Transformers for High-Resolution Image Synthesis, CVPR 2021, and what its descendants share.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, scaled_dot_product_attention


def norm(channels: int) -> nn.GroupNorm:
    """Return the group normalisation of the family."""
    return nn.GroupNorm(32, channels, eps=1e-6)


def output_head(channels: int, outputs: int) -> nn.Sequential:
    """Return normalisation, SiLU and the last convolution."""
    return nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, outputs, 3, padding=1))


class ResBlock(nn.Module):
    """Normalisation, SiLU, 3 x 3 convolution, twice, plus the input.

    Args:
        inputs: channels in.
        outputs: channels out; where they differ, a 1 x 1 convolution brings the input to them.
        shortcut: what that convolution is called in the checkpoint.
    """

    def __init__(self, inputs: int, outputs: int, shortcut: str) -> None:
        super().__init__()
        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.act = nn.SiLU()
        self._shortcut = shortcut if inputs != outputs else ""
        if self._shortcut:
            self.add_module(shortcut, nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, inputs, H, W)` to `(B, outputs, H, W)`."""
        h = self.conv1(self.act(self.norm1(x)))
        h = self.conv2(self.act(self.norm2(h)))
        return h + (self.get_submodule(self._shortcut)(x) if self._shortcut else x)  # type: ignore[no-any-return]


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Attend over all positions of maps `(B, C, H, W)`, the channels split into heads.

    Softmax over the keys of `(C / heads)^-0.5 * query . key`.
    """
    batch, channels, height, width = query.shape
    q, k, v = (x.reshape(batch, heads, channels // heads, -1).transpose(2, 3) for x in (query, key, value))
    return scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(batch, channels, height, width)


class Downsample(nn.Module):
    """Zeros to the right and below, then a 3 x 3 convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        return self.conv(pad(x, (0, 1, 0, 1)))  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """Nearest neighbour by 2, then a 3 x 3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Double height and width."""
        return self.conv(interpolate(x, scale_factor=2, mode="nearest"))  # type: ignore[no-any-return]


def nearest_codes(latent: Tensor, codebook: Tensor) -> Tensor:
    """Return the index of the code nearest to each position, by squared L2 distance.

    Args:
        latent: `(B, D, H, W)`.
        codebook: `(codes, D)`.

    Returns:
        `(B, H, W)` integers.
    """
    tokens = latent.permute(0, 2, 3, 1).flatten(0, 2)
    distance = tokens.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * tokens @ codebook.t()
    return distance.argmin(1).view(latent.shape[0], *latent.shape[2:])


def look_up(codes: Tensor, codebook: Tensor, latent: Tensor | None = None) -> Tensor:
    """Return the codes' vectors as a map `(B, D, H, W)`.

    Args:
        codes: `(B, H, W)` indices.
        codebook: `(codes, D)`.
        latent: what was quantised; given, the straight-through form `z + (e - z)` of the official networks is
            kept, which differs from `e` in the last bits.
    """
    found = codebook[codes].permute(0, 3, 1, 2)
    return found if latent is None else latent + (found - latent)
