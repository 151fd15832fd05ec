"""CodeFormer: look up a codebook from a degraded face, then let in as much of the face as is wanted.

Zhou et al., Towards Robust Blind Face Restoration with Codebook Lookup Transformer, NeurIPS 2022, section 3.  The
layers are those of spandrel_extra_arches; the way through them is written here, because the library always applies
AdaIN and gives no codes.  Names as in the official checkpoint (sczhou/CodeFormer, commit
b33cc7d639d6545bfcccc7e0bc6ae51f24e79c2b).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Blocks after which the two sides meet, by level: 32, 64, 128 and 256 pixels for images of 512.
_ENCODER_TAPS = {14: "32", 11: "64", 8: "128", 5: "256"}
_GENERATOR_TAPS = {9: "32", 12: "64", 15: "128", 18: "256"}


class Encoded(NamedTuple):
    """What the encoder gives.

    Attributes:
        latent: `(B, 256, H / 32, W / 32)`, `lq_feat` in the official code.
        maps: level -> features for the fusion.
    """

    latent: Tensor
    maps: dict[str, Tensor]


def build(**settings: Any) -> nn.Module:
    """Return the network, not yet loaded; `settings` are those of the library, its defaults the official ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the library still uses torch.jit.script
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

    network: nn.Module = CodeFormer(**settings)
    return network


def encode(network: Any, images: Tensor) -> Encoded:
    """Run the encoder on `(B, 3, H, W)` RGB in `[-1, 1]`; the official network takes 512 x 512 only."""
    maps = {}
    x = images
    for index, block in enumerate(network.encoder.blocks):
        x = block(x)
        if index in _ENCODER_TAPS:
            maps[_ENCODER_TAPS[index]] = x
    return Encoded(x, maps)


def predict_codes(network: Any, latent: Tensor) -> Tensor:
    """Return the codebook index of each latent position, `(B, positions)` in row-major order, by the transformer."""
    tokens = network.feat_emb(latent.flatten(2).permute(2, 0, 1))  # (positions, B, 512)
    position = network.position_emb[:, None]
    for layer in network.ft_layers:
        tokens = layer(tokens, query_pos=position)
    return network.idx_pred_layer(tokens).argmax(2).T  # type: ignore[no-any-return]


def decode(network: Any, codes: Tensor, encoded: Encoded, fidelity: float, adain: bool) -> Tensor:
    """Return images `(B, 3, H, W)`, not clipped.

    Args:
        network: see `build`.
        codes: see `predict_codes`.
        encoded: see `encode`.
        fidelity: w of the paper, 0 to 1; 0 skips the fusion.
        adain: give the looked-up latents the mean and deviation of the encoder's.
    """
    rows = network.quantize.embedding(codes)  # (B, positions, 256)
    x: Tensor = rows.transpose(1, 2).reshape(encoded.latent.shape)
    if adain:
        x = adaptive_instance_normalization(x, encoded.latent)
    for index, block in enumerate(network.generator.blocks):
        x = block(x)
        level = _GENERATOR_TAPS.get(index)
        if level is not None and fidelity > 0:
            x = network.fuse_convs_dict[level](encoded.maps[level], x, fidelity)
    return x


def adaptive_instance_normalization(content: Tensor, style: Tensor) -> Tensor:
    """Give `content` `(B, C, H, W)` the per-channel mean and deviation of `style`."""
    return (content - _mean(content)) / _deviation(content) * _deviation(style) + _mean(style)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def _deviation(x: Tensor) -> Tensor:
    return torch.sqrt(x.var((2, 3), keepdim=True) + 1e-5)
