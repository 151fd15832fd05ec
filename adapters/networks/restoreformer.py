"""RestoreFormer++: a VQGAN whose decoder attends to the degraded face at several scales.

Wang et al., RestoreFormer++: Towards Real-World Blind Face Restoration from Undegraded Key-Value Pairs, TPAMI 2023.
Names as in the official checkpoint (wzhouxiff/RestoreFormerPlusPlus, commit
59d250f45d6b11a3e620d62e6e067ca1288f93a9), which spandrel's RestoreFormer cannot hold: it has no attention at 32 pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import silu

from .vqgan import Downsample, ResBlock, Upsample, attend, look_up, nearest_codes, norm

_CHANNELS = (64, 128, 128, 256, 256, 512)  # of the levels 0 to 5, 512 to 16 pixels
_TOP = len(_CHANNELS) - 1
_HEADS = 4  # `head_size` in the official settings
_LATENT, _CODES = 256, 1024
_CROSS = {5: "block_5_atten", 4: "block_4"}
"""Decoder level -> the encoder feature it attends to, the queries of the paper's key-value pairs."""


class Attention(nn.Module):
    """Multi-head attention block; queries from a second map make it cross-attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = norm(channels)
        self.norm2 = norm(channels)  # unused in the encoder, but in the checkpoint
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, degraded: Tensor | None = None) -> Tensor:
        """Let `x` attend; `degraded` is the encoder's map of the same shape `(B, C, H, W)`."""
        h = self.norm1(x)
        query = self.q(h if degraded is None else self.norm2(degraded))
        return x + self.proj_out(attend(query, self.k(h), self.v(h), _HEADS))  # type: ignore[no-any-return]


class _Level(nn.Module):
    """Residual blocks of one resolution, each followed by attention where there is any, and a change of size."""

    block: nn.ModuleList
    attn: nn.ModuleList

    def __init__(self, inputs: int, outputs: int, blocks: int, attention: bool) -> None:
        super().__init__()
        widths = [inputs, *[outputs] * blocks]
        self.block = nn.ModuleList([_res(a, b) for a, b in pairwise(widths)])
        self.attn = nn.ModuleList([Attention(outputs) for _ in range(blocks if attention else 0)])

    def forward(self, x: Tensor, degraded: Tensor | None = None) -> Tensor:
        for index, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[index](x, degraded)
        return x


class _Middle(nn.Module):
    """Residual block, attention, residual block at 16 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.block_1 = _res(_CHANNELS[-1], _CHANNELS[-1])
        self.attn_1 = Attention(_CHANNELS[-1])
        self.block_2 = _res(_CHANNELS[-1], _CHANNELS[-1])


def _res(inputs: int, outputs: int) -> ResBlock:
    return ResBlock(inputs, outputs, shortcut="nin_shortcut")


class Encoder(nn.Module):
    """The degraded face's features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, _CHANNELS[0], 3, padding=1)
        self.down = nn.ModuleList()
        for level, channels in enumerate(_CHANNELS):
            part = _Level(_CHANNELS[max(0, level - 1)], channels, blocks=2, attention=level == _TOP)
            if level < _TOP:
                part.add_module("downsample", Downsample(channels))
            self.down.append(part)
        self.mid = _Middle()
        self.norm_out = norm(_CHANNELS[-1])
        self.conv_out = nn.Conv2d(_CHANNELS[-1], _LATENT, 3, padding=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the maps that the decoder uses, by their official names, and `out`, `(B, 256, H / 32, W / 32)`."""
        maps: dict[str, Tensor] = {}
        h = self.conv_in(image)
        for index, level in enumerate(self.down):
            h = maps[f"block_{index}"] = level(h)
            if index < _TOP:
                h = level.get_submodule("downsample")(h)
        h = maps["block_5_atten"] = self.mid.block_1(h)
        h = maps["mid_atten"] = self.mid.block_2(self.mid.attn_1(h))
        maps["out"] = self.conv_out(silu(self.norm_out(h)))
        return maps


class Decoder(nn.Module):
    """From the looked-up latents to a face, with the degraded face's features as queries."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(_LATENT, _CHANNELS[-1], 3, padding=1)
        self.mid = _Middle()
        self.up = nn.ModuleList()
        for level, channels in enumerate(_CHANNELS):
            part = _Level(_CHANNELS[min(_TOP, level + 1)], channels, blocks=3, attention=level in _CROSS)
            if level > 0:
                part.add_module("upsample", Upsample(channels))
            self.up.append(part)
        self.norm_out = norm(_CHANNELS[0])
        self.conv_out = nn.Conv2d(_CHANNELS[0], 3, 3, padding=1)

    def forward(self, latent: Tensor, maps: dict[str, Tensor]) -> Tensor:
        """Return `(B, 3, H, W)`."""
        h = self.mid.block_1(self.conv_in(latent))
        h = self.mid.block_2(self.mid.attn_1(h, maps["mid_atten"]))
        for index in range(_TOP, -1, -1):
            h = self.up[index](h, maps[_CROSS[index]] if index in _CROSS else None)
            if index > 0:
                h = self.up[index].get_submodule("upsample")(h)
        return self.conv_out(silu(self.norm_out(h)))  # type: ignore[no-any-return]


class _Codebook(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_CODES, _LATENT)


class Restored(NamedTuple):
    """What the network gives: the face `(B, 3, H, W)` in `[-1, 1]`, not clipped, and codes `(B, H / 32, W / 32)`."""

    image: Tensor
    codes: Tensor


class RestoreFormerPlusPlus(nn.Module):
    """The whole network; heights and widths are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.quantize = _Codebook()
        self.quant_conv = nn.Conv2d(_LATENT, _LATENT, 1)
        self.post_quant_conv = nn.Conv2d(_LATENT, _LATENT, 1)

    def forward(self, image: Tensor) -> Restored:
        """Restore `(B, 3, H, W)` RGB in `[-1, 1]`."""
        maps = self.encoder(image)
        latent = self.quant_conv(maps["out"])
        codebook = self.quantize.embedding.weight
        codes = nearest_codes(latent, codebook)
        return Restored(self.decoder(self.post_quant_conv(look_up(codes, codebook, latent)), maps), codes)
