"""The U-Net of guided diffusion that DR2, P2-weighting and ILVR share, as `diffusers` builds it.

Dhariwal and Nichol, Diffusion Models Beat GANs, NeurIPS 2021; base width 128, one residual block a level,
attention at 16 x 16.  The official files name its parts otherwise; `Names` translates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from diffusers import UNet2DModel

_HEAD = 64  # channels of an attention head
_WIDTHS = (128, 128, 256, 256, 512, 512)
_ATTENTION_LEVEL = 4

_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_ATTENTION = {"norm": "group_norm", "proj_out": "to_out.0"}
_QKV = ("to_q", "to_k", "to_v")
_SINGLE = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


class UNet(torch.nn.Module):
    """`(B, 3, H, W)` and timesteps `(B,)` to `(B, 6, H, W)`; sides are multiples of 32."""

    def __init__(self, model: UNet2DModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Return the noise seen (3 channels) and where the variance lies (3 channels, -1 to 1)."""
        return self.model(x, timesteps, return_dict=False)[0]  # type: ignore[no-any-return]


class Part(NamedTuple):
    """One official tensor and the parameters it becomes: one, or query, key and value."""

    official: str
    own: tuple[str, ...]


def build() -> UNet:
    """Return the network with the settings of the official checkpoints."""
    # diffusers imports bitsandbytes where it is installed, which warns of kernels that nothing here uses
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from diffusers import UNet2DModel

    levels = len(_WIDTHS)
    down = ["AttnDownBlock2D" if level == _ATTENTION_LEVEL else "ResnetDownsampleBlock2D" for level in range(levels)]
    down[-1] = "ResnetDownsampleBlock2D"
    up = [kind.replace("Down", "Up", 1) if "Attn" in kind else "ResnetUpsampleBlock2D" for kind in reversed(down)]
    model = UNet2DModel(
        sample_size=256,
        in_channels=3,
        out_channels=6,
        flip_sin_to_cos=True,
        freq_shift=0,
        block_out_channels=_WIDTHS,
        layers_per_block=1,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        downsample_type="resnet",
        upsample_type="resnet",
        attention_head_dim=_HEAD,
        norm_num_groups=32,
        norm_eps=1e-5,
        attn_norm_num_groups=32,
        resnet_time_scale_shift="scale_shift",
        add_attention=True,
    )
    return UNet(model)


def _blocks() -> Iterator[tuple[str, str]]:
    """Yield official and own names of residual and attention blocks."""
    last = len(_WIDTHS) - 1
    for level in range(len(_WIDTHS)):
        number = 2 * level + 1
        yield f"input_blocks.{number}.0", f"down_blocks.{level}.resnets.0"
        if level == _ATTENTION_LEVEL:
            yield f"input_blocks.{number}.1", f"down_blocks.{level}.attentions.0"
        if level < last:
            yield f"input_blocks.{number + 1}.0", f"down_blocks.{level}.downsamplers.0"
        up = last - level  # decoder blocks count from the smallest level
        for block in range(2):
            number, inner = 2 * up + block, 1
            yield f"output_blocks.{number}.0", f"up_blocks.{up}.resnets.{block}"
            if level == _ATTENTION_LEVEL:
                yield f"output_blocks.{number}.1", f"up_blocks.{up}.attentions.{block}"
                inner = 2
            if block == 1 and level > 0:
                yield f"output_blocks.{number}.{inner}", f"up_blocks.{up}.upsamplers.0"
    yield "middle_block.0", "mid_block.resnets.0"
    yield "middle_block.1", "mid_block.attentions.0"
    yield "middle_block.2", "mid_block.resnets.1"


def parts(network: UNet) -> list[Part]:
    """List the official tensors of a network."""
    have = network.model.state_dict().keys()
    pairs: list[tuple[str, tuple[str, ...]]] = [(official, (own,)) for official, own in _SINGLE.items()]
    for official, own in _blocks():
        names = _ATTENTION if "attentions" in own else _RESIDUAL
        pairs += [(f"{official}.{theirs}", (f"{own}.{ours}",)) for theirs, ours in names.items()]
        if names is _ATTENTION:
            pairs.append((f"{official}.qkv", tuple(f"{own}.{name}" for name in _QKV)))
    listed = [
        Part(f"{official}.{kind}", tuple(f"{name}.{kind}" for name in own))
        for official, own in pairs
        for kind in ("weight", "bias")
    ]
    return [part for part in listed if part.own[0] in have]  # not every residual block has a skip convolution


def official_shapes(network: UNet) -> dict[str, tuple[int, ...]]:
    """Return what an official file of this network holds: name -> shape."""
    own = network.model.state_dict()
    shapes = {}
    for part in parts(network):
        first, *rest = own[part.own[0]].shape
        line = ".qkv." in part.official or ".proj_out." in part.official
        one_dimensional = (1,) if line and rest else ()  # the official attention uses convolutions over a line
        shapes[part.official] = (first * len(part.own), *rest, *one_dimensional)
    return shapes


def load_official(network: UNet, state: Mapping[str, torch.Tensor]) -> None:
    """Fill the network from official tensors whose names and shapes were checked (`checkpoint.check`)."""
    own = network.model.state_dict()
    filled: dict[str, torch.Tensor] = {}
    for part in parts(network):
        value = state[part.official]
        if len(part.own) == 1:
            filled[part.own[0]] = value.reshape(own[part.own[0]].shape)
            continue
        # "legacy" order: head after head, each with its rows of query, key and value
        split = value.reshape(-1, len(_QKV), _HEAD, *value.shape[1:])
        for position, name in enumerate(part.own):
            filled[name] = split[:, position].reshape(own[name].shape)
    network.model.load_state_dict(filled)
