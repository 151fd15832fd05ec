"""Read the convolutions and PReLUs of an ncnn model (`.param` + `.bin`) as arrays.

Layout of the `.bin`, for every such layer of the `.param` in order.  `Convolution`: a uint32 tag; the weights, as
float16 padded to 4 bytes (tag 0x01306B47) or as float32 (tag 0); then float32 biases when parameter 5 is 1.
Parameter 0 counts the outputs, 1 is the kernel size, 6 counts the weights.  `PReLU`: parameter 0 counts the float32
slopes.  Source: https://github.com/Tencent/ncnn (modelbin, Convolution and PReLU).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bench.errors import WeightsError

_MAGIC = "7767517"  # first line of every text .param
_FLOAT16, _FLOAT32 = 0x01306B47, 0


class Convolution(NamedTuple):
    """One layer: `weight` is `(out, in, kernel, kernel)`, `bias` `(out,)` or None, both `float32`."""

    name: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


class PReLU(NamedTuple):
    """One layer: `slope` is `(channels,)`, `float32`."""

    name: str
    slope: NDArray[np.float32]


def layers(param: Path, binary: Path) -> list[Convolution | PReLU]:
    """Return the layers of a model that hold weights, in the order of its layer list.

    Args:
        param: text layer list; no other of its layers may hold weights.
        binary: the weights.

    Raises:
        WeightsError: a file is not what its name says, or the two do not belong together (the byte counts
            must come out exactly).
    """
    data = binary.read_bytes()
    found: list[Convolution | PReLU] = []
    offset = 0
    layer: Convolution | PReLU
    for kind, name, settings in _listed(param):
        where = f"{binary}: layer {name}"
        if kind == "PReLU":
            slope, offset = _take(data, offset, settings.get(0, 0), "<f4", where)
            layer = PReLU(name, slope)
        else:
            layer, offset = _convolution(data, offset, name, settings, where)
        found.append(layer)
    if offset != len(data):
        raise WeightsError(f"{binary}: {len(data):,} bytes, but the layers of {param.name} take {offset:,}")
    return found


def convolutions(param: Path, binary: Path) -> list[Convolution]:
    """Return the layers of a model that has convolutions only.

    Raises:
        WeightsError: see `layers`, or it has others.
    """
    found = layers(param, binary)
    others = sum(isinstance(layer, PReLU) for layer in found)
    if others:
        raise WeightsError(f"{param}: has {others} PReLU layers, expected convolutions only")
    return [layer for layer in found if isinstance(layer, Convolution)]


def _convolution(data: bytes, offset: int, name: str, settings: dict[int, int], where: str) -> tuple[Convolution, int]:
    outputs, kernel, count = (settings.get(key, 0) for key in (0, 1, 6))
    inputs, rest = divmod(count, max(1, outputs * kernel * kernel))
    if not inputs or rest:
        raise WeightsError(f"{where} has {count} weights for {outputs} outputs of {kernel} x {kernel}")
    weight, offset = _weights(data, offset, count, where)
    bias = None
    if settings.get(5, 0):
        bias, offset = _take(data, offset, outputs, "<f4", where)
    return Convolution(name, weight.reshape(outputs, inputs, kernel, kernel), bias), offset


def _listed(param: Path) -> list[tuple[str, str, dict[int, int]]]:
    """Return kind, name and integer parameters of each line of a layer with weights."""
    lines = param.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise WeightsError(f"{param}: not an ncnn layer list (its first line is not {_MAGIC})")
    found = []
    for line in lines[2:]:
        words = line.split()
        if words and words[0] in {"Convolution", "PReLU"}:
            start = 4 + int(words[2]) + int(words[3])  # after kind, name, counts and the blobs in and out
            pairs = (word.partition("=") for word in words[start:])
            settings = {int(key): int(value) for key, _, value in pairs if value.lstrip("-").isdigit()}
            found.append((words[0], words[1], settings))
    return found


def _weights(data: bytes, offset: int, count: int, where: str) -> tuple[NDArray[np.float32], int]:
    tag, offset = _take(data, offset, 1, "<u4", where)
    if tag[0] == _FLOAT16:
        values, offset = _take(data, offset, count, "<f2", where)
        return values.astype(np.float32), offset + (-2 * count) % 4
    if tag[0] == _FLOAT32:
        return _take(data, offset, count, "<f4", where)
    raise WeightsError(f"{where} is stored with tag {int(tag[0]):#010x}; only float16 and float32 are read")


def _take(data: bytes, offset: int, count: int, kind: str, where: str) -> tuple[NDArray[np.float32], int]:
    end = offset + count * np.dtype(kind).itemsize
    if end > len(data):
        raise WeightsError(f"{where} needs bytes up to {end:,}, the file has {len(data):,}")
    return np.frombuffer(data, kind, count, offset).copy(), end
