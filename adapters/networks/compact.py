"""SRVGGNetCompact x4 (realesr-general-x4v3): weights from ncnn or `.pth`, network from spandrel.

64 features and 32 convolutions with PReLU between; the output is a pixel shuffle by 4 plus the input enlarged by
nearest neighbour.  Wang et al., Real-ESRGAN, `realesrgan/archs/srvgg_arch.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...bench.checkpoint import load_strict, read
from ...bench.errors import WeightsError
from .ncnn import Convolution, layers

if TYPE_CHECKING:
    import torch

_HOLDERS = ("params_ema", "params")  # where BasicSR checkpoints keep the weights, the better first


def load(checkpoint: Path, param: Path | None = None) -> torch.nn.Module:
    """Return the network in evaluation mode; takes and gives `(B, 3, H, W)` RGB in `[0, 1]`, output x4.

    Args:
        checkpoint: `.bin` of ncnn, `.safetensors`, or `.pth`.
        param: layer list of a `.bin`.

    Raises:
        WeightsError: the file cannot be read safely, or its names or shapes are not those of this network.
    """
    from spandrel.architectures.Compact import Compact

    state = _from_ncnn(checkpoint, param) if checkpoint.suffix == ".bin" and param else read(checkpoint, _HOLDERS)
    network: torch.nn.Module = Compact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4)
    return load_strict(network, state, f"{checkpoint} is no SRVGGNetCompact x4 of 32 convolutions")


def _from_ncnn(checkpoint: Path, param: Path) -> dict[str, torch.Tensor]:
    import torch

    state: dict[str, torch.Tensor] = {}
    for number, layer in enumerate(layers(param, checkpoint)):  # BasicSR numbers convolutions and PReLUs through
        if not isinstance(layer, Convolution):
            state[f"body.{number}.weight"] = torch.from_numpy(layer.slope)
            continue
        state[f"body.{number}.weight"] = torch.from_numpy(layer.weight)
        if layer.bias is None:
            raise WeightsError(f"{param}: layer {layer.name} has no bias")
        state[f"body.{number}.bias"] = torch.from_numpy(layer.bias)
    return state
