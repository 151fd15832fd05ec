"""VQFR 2: smaller, with attention, codes predicted instead of searched, and a fidelity ratio.  See `vqfr`."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from .vqfr import INPUT_FEATURES, LEVELS, MainDecoder
from .vqgan import Downsample, ResBlock, Upsample, attend, look_up, norm, output_head

_CHANNELS = dict(zip(LEVELS, (64, 128, 128, 256, 256, 512), strict=True))
_CODES, _CODE_WIDTH = 1024, 256
_DEEP = _CHANNELS[LEVELS[-1]]


class Attention(nn.Module):
    """Attention over all positions, one head, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, C, H, W)` to the same shape."""
        h = self.norm(x)
        return x + self.proj_out(attend(self.q(h), self.k(h), self.v(h), heads=1))  # type: ignore[no-any-return]


def _res(inputs: int, outputs: int) -> ResBlock:
    return ResBlock(inputs, outputs, "residual_func")


def _middle() -> nn.Sequential:
    return nn.Sequential(_res(_DEEP, _DEEP), Attention(_DEEP), _res(_DEEP, _DEEP))


class Encoder(nn.Module):
    """The degraded face to a latent of 1 / 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, _CHANNELS[1], 3, padding=1)
        self.blocks = nn.ModuleList()
        before = _CHANNELS[1]
        for level, width in _CHANNELS.items():
            parts: list[nn.Module] = [Downsample(before)] if level > 1 else []
            for inputs in (before, width):
                parts.append(_res(inputs, width))
                if level == LEVELS[-1]:
                    parts.append(Attention(width))
            self.blocks.append(nn.Sequential(*parts))
            before = width
        self.mid_blocks = _middle()
        self.conv_out = output_head(_DEEP, _CODE_WIDTH)

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, 256, H / 32, W / 32)`."""
        x = self.conv_in(image)
        for block in self.blocks:
            x = block(x)
        return self.conv_out(self.mid_blocks(x))  # type: ignore[no-any-return]


class TextureDecoder(nn.Module):
    """From the codes to a face of fine texture, whose features of every level are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(_CODE_WIDTH, _DEEP, 3, padding=1)
        self.mid_blocks = _middle()
        first = nn.Sequential(_res(_DEEP, _DEEP), Attention(_DEEP), _res(_DEEP, _DEEP), Attention(_DEEP))
        self.blocks = nn.ModuleList([first])
        for level in reversed(LEVELS[:-1]):
            before, width = _CHANNELS[level * 2], _CHANNELS[level]
            self.blocks.append(nn.Sequential(Upsample(before), _res(before, width), _res(width, width)))
        self.conv_out = output_head(_CHANNELS[1], 3)

    def forward(self, quantised: Tensor) -> dict[int, Tensor]:
        """Return the features by level."""
        textures = {}
        x = self.mid_blocks(self.conv_in(quantised))
        for level, block in zip(reversed(LEVELS), self.blocks, strict=True):
            x = textures[level] = block(x)
        return textures


class _Quantizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_CODES, _CODE_WIDTH)


def _upsample(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, padding=1))


class Features(NamedTuple):
    """What the fidelity ratio mixes.

    Attributes:
        texture: `(B, 64, H, W)` of the texture decoder.
        main: `(B, 64, H, W)` of the main branch.
        codes: `(B, h, w)`.
        latent: `(B, 256, h, w)` of the encoder.
    """

    texture: Tensor
    main: Tensor
    codes: Tensor
    latent: Tensor


class VQFRv2(nn.Module):
    """The whole network; heights and widths are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.inpfeat_extraction = nn.Conv2d(3, INPUT_FEATURES, 3, padding=1)
        self.encoder = Encoder()
        self.feat2index = nn.Sequential(nn.LayerNorm(_CODE_WIDTH), nn.Linear(_CODE_WIDTH, _CODES))
        self.quantizer = _Quantizer()
        self.decoder = TextureDecoder()
        self.main_branch = MainDecoder(_CHANNELS, _upsample, lambda _: None, "residual_func")

    def features(self, image: Tensor) -> Features:
        """Run everything but the last layers on `(B, 3, H, W)` RGB in `[-1, 1]`."""
        latent = self.encoder(image)
        codes = self.feat2index(latent.permute(0, 2, 3, 1)).argmax(3)
        textures = self.decoder(look_up(codes, self.quantizer.embedding.weight))
        main = self.main_branch.fuse(textures, self.inpfeat_extraction(image))
        return Features(textures[1], main, codes, latent)

    def decode(self, features: Features, fidelity_ratio: float) -> Tensor:
        """Return the face `(B, 3, H, W)` in `[-1, 1]`, not clipped; a ratio of 0 is the texture alone."""
        return self.decoder.conv_out(features.texture + fidelity_ratio * features.main)  # type: ignore[no-any-return]

    def forward(self, image: Tensor, fidelity_ratio: float) -> Tensor:
        """Restore `(B, 3, H, W)` RGB in `[-1, 1]`."""
        return self.decode(self.features(image), fidelity_ratio)
