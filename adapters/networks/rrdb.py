"""RRDBNet x4 (ESRGAN, Real-ESRGAN, RealSR): weights from ncnn, `.pth` or `.safetensors`, network from spandrel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...bench.checkpoint import check
from ...bench.checkpoint import read as read_torch
from ...bench.errors import WeightsError
from .ncnn import convolutions

if TYPE_CHECKING:
    import torch

_BLOCKS, _FEATURES, _GROWTH = 23, 64, 32  # Real-ESRGAN x4plus and RealSR
_HOLDERS = ("params_ema", "params")  # where BasicSR checkpoints keep the weights, the better first


def layers() -> Iterator[tuple[str, int, int]]:
    """Yield name, outputs and inputs of each 3 x 3 convolution, in BasicSR's names and order."""
    yield "conv_first", _FEATURES, 3
    for block in range(_BLOCKS):
        for dense in (1, 2, 3):
            for conv in (1, 2, 3, 4, 5):
                outputs = _FEATURES if conv == 5 else _GROWTH
                yield f"body.{block}.rdb{dense}.conv{conv}", outputs, _FEATURES + _GROWTH * (conv - 1)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        yield name, _FEATURES, _FEATURES
    yield "conv_last", 3, _FEATURES


def network(state: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Return the network in evaluation mode; takes and gives `(B, 3, H, W)` RGB in `[0, 1]`, output x4."""
    import torch
    from spandrel.architectures.ESRGAN import ESRGANArch

    model: torch.nn.Module = ESRGANArch().load(dict(state)).model
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def read(checkpoint: Path, param: Path | None = None) -> dict[str, torch.Tensor]:
    """Return the weights of a checkpoint by BasicSR's names.

    Args:
        checkpoint: `.bin` of ncnn, `.safetensors`, or `.pth` (bare, or below `params_ema` or `params`).
        param: layer list of a `.bin`.

    Raises:
        WeightsError: the file cannot be read safely, or its names or shapes are not those of this network;
            the message lists them.
    """
    state = _from_ncnn(checkpoint, param) if checkpoint.suffix == ".bin" and param else read_torch(checkpoint, _HOLDERS)
    expected: dict[str, tuple[int, ...]] = {f"{name}.weight": (out, ins, 3, 3) for name, out, ins in layers()}
    expected |= {f"{name}.bias": (out,) for name, out, _ in layers()}
    check(state, expected, f"{checkpoint}: not an RRDBNet x4 of {_BLOCKS} blocks")
    return state


def _from_ncnn(checkpoint: Path, param: Path) -> dict[str, torch.Tensor]:
    import torch

    found = convolutions(param, checkpoint)
    names = [name for name, _, _ in layers()]
    if len(found) != len(names):
        raise WeightsError(
            f"{param}: {len(found)} convolutions, expected {len(names)} for an RRDBNet of {_BLOCKS} blocks"
        )
    state = {f"{name}.weight": torch.from_numpy(layer.weight) for name, layer in zip(names, found, strict=True)}
    biases = {f"{n}.bias": torch.from_numpy(c.bias) for n, c in zip(names, found, strict=True) if c.bias is not None}
    return state | biases
