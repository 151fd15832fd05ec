"""VQFR 1, the model of the paper: encoder, codebook, texture decoder and main decoder in parallel.  See `vqfr`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .vqfr import INPUT_FEATURES, LEVELS, MainDecoder, Shrink, bilinear, named
from .vqgan import ResBlock, look_up, nearest_codes, norm, output_head

_CHANNELS = dict(zip(LEVELS, (128, 128, 256, 256, 256, 512), strict=True))
_CODES, _CODE_WIDTH = 1024, 256
_LAST = LEVELS[-1]


class _Grow(nn.Module):
    """3 x 3 convolution, then bilinear resize by 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return bilinear(self.conv(x), 2)


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResBlock(channels, channels, "shortcut_conv") for _ in range(count)))


class Encoder(nn.Module):
    """The degraded face down to 1 / 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, _CHANNELS[1], 3, padding=1)
        self.encoder_dict = nn.ModuleDict({named(level): _blocks(_CHANNELS[level], 2) for level in LEVELS})
        self.pre_downsample_dict = nn.ModuleDict(
            {named(level): Shrink(_CHANNELS[level // 2], _CHANNELS[level], 2) for level in LEVELS[1:]}
        )
        self.enc_convout_dict = nn.ModuleDict({named(_LAST): output_head(_CHANNELS[_LAST], _CHANNELS[_LAST])})

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, 512, H / 32, W / 32)`."""
        x = self.conv_in(image)
        for level in LEVELS:
            if level > 1:
                x = self.pre_downsample_dict[named(level)](x)
            x = self.encoder_dict[named(level)](x)
        return self.enc_convout_dict[named(_LAST)](x)  # type: ignore[no-any-return]


class Quantizer(nn.Module):
    """The codebook, between two 1 x 1 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.quant_conv = nn.Conv2d(_CHANNELS[_LAST], _CODE_WIDTH, 1)
        self.post_quant_conv = nn.Conv2d(_CODE_WIDTH, _CHANNELS[_LAST], 1)
        self.embedding = nn.Embedding(_CODES, _CODE_WIDTH)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Return the quantised latent and the codes `(B, h, w)`."""
        z = self.quant_conv(latent)
        codes = nearest_codes(z, self.embedding.weight)
        return self.post_quant_conv(look_up(codes, self.embedding.weight, z)), codes


class TextureDecoder(nn.Module):
    """From the codes to a face of fine texture, whose features of every level are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder_dict = nn.ModuleDict({named(level): _blocks(_CHANNELS[level], 3) for level in LEVELS})
        self.pre_upsample_dict = nn.ModuleDict(
            {named(level): _Grow(_CHANNELS[level * 2], _CHANNELS[level]) for level in LEVELS[:-1]}
        )
        self.conv_out = output_head(_CHANNELS[1], 3)

    def forward(self, latent: Tensor) -> dict[int, Tensor]:
        """Return the features by level."""
        textures = {}
        x = latent
        for level in reversed(LEVELS):
            if level < _LAST:
                x = self.pre_upsample_dict[named(level)](x)
            x = textures[level] = self.decoder_dict[named(level)](x)
        return textures


class _Main(MainDecoder):
    """The main decoder with its own last layers, which also see the degraded image."""

    def __init__(self) -> None:
        def downsample(level: int) -> Shrink | None:
            return Shrink(INPUT_FEATURES, INPUT_FEATURES, level) if level > 1 else None

        super().__init__(_CHANNELS, _Grow, downsample, "shortcut_conv")
        self.conv_out_1 = nn.Sequential(norm(_CHANNELS[1]), nn.SiLU())
        self.conv_out = nn.Sequential(nn.Conv2d(_CHANNELS[1] + 3, 3, 3, padding=1))

    def forward(self, textures: dict[int, Tensor], degraded: Tensor, image: Tensor) -> Tensor:
        x = self.conv_out_1(self.fuse(textures, degraded))
        return self.conv_out(torch.cat([x, image], dim=1))  # type: ignore[no-any-return]


class _InputFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, INPUT_FEATURES, 3, padding=1)


class _Quantizers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quantize_dict = nn.ModuleDict({named(_LAST): Quantizer()})


class Restored(NamedTuple):
    """What the network gives: the face in `[-1, 1]`, not clipped, the texture features by level, and the codes."""

    main: Tensor
    textures: dict[int, Tensor]
    codes: Tensor


class VQFRv1(nn.Module):
    """The whole network; heights and widths are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.inpfeat_extraction = _InputFeatures()
        self.encoder = Encoder()
        self.quantizer = _Quantizers()
        self.decoder = TextureDecoder()
        self.main_decoder = _Main()

    def forward(self, image: Tensor) -> Restored:
        """Restore `(B, 3, H, W)` RGB in `[-1, 1]`."""
        latent, codes = self.quantizer.quantize_dict[named(_LAST)](self.encoder(image))
        textures = self.decoder(latent)
        main = self.main_decoder(textures, self.inpfeat_extraction.conv(image), image)
        return Restored(main, textures, codes)
