"""Run a small ONNX graph in torch: batched, on any device, without a second runtime.

Covers the operators of recognition and landmark networks (convolution, PReLU, addition, a constant taken off or
multiplied by, batch normalisation, flatten, fully connected); anything else is refused by name when the file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import NodeProto

_Tensors = Sequence[torch.Tensor]


class OnnxNetwork(nn.Module):
    """An ONNX graph with one input and one output."""

    def __init__(self, file: Path) -> None:
        """Read the graph and its weights.

        Raises:
            WeightsError: not an ONNX file, or the graph uses an operator that is not covered.
        """
        super().__init__()
        graph, weights = _read(file)
        self.layers = nn.ModuleList()
        self._steps: list[tuple[list[str], str]] = []  # inputs that are no weights, output; one per layer
        for node in graph.node:
            if node.op_type not in _LAYERS:
                raise WeightsError(
                    f"{file.name}: operator {node.op_type} is not covered; known: {', '.join(sorted(_LAYERS))}"
                )
            constants = [weights[name] for name in node.input if name in weights]
            self.layers.append(_LAYERS[node.op_type](_attributes(node), constants))
            self._steps.append(([name for name in node.input if name not in weights], node.output[0]))
        self._input = next(value.name for value in graph.input if value.name not in weights)
        self._output = graph.output[0].name
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the graph's output for a batch."""
        values = {self._input: images}
        for layer, (inputs, output) in zip(self.layers, self._steps, strict=True):
            values[output] = layer(*(values[name] for name in inputs))
        return values[self._output]


class _Add(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


class _Subtract(nn.Module):
    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images - self.value  # type: ignore[operator]


class _Multiply(_Subtract):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.value  # type: ignore[operator]


class _Normalise(nn.Module):
    """Batch normalisation in evaluation, of maps or of flat features."""

    def __init__(self, constants: _Tensors, epsilon: float) -> None:
        super().__init__()
        for name, value in zip(("weight", "bias", "mean", "variance"), constants, strict=True):
            self.register_buffer(name, value)
        self._epsilon = epsilon

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        statistics = (self.mean, self.variance, self.weight, self.bias)
        return nn.functional.batch_norm(values, *statistics, eps=self._epsilon)  # type: ignore[arg-type]


def _read(file: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except Exception as error:  # protobuf raises what it likes on damaged files
        raise WeightsError(f"{file}: not an ONNX file that can be read ({error})") from None
    return graph, {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}


def _attributes(node: NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _convolution(attributes: Mapping[str, Any], constants: _Tensors) -> nn.Module:
    weight, *bias = constants
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right) or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise WeightsError("an ONNX convolution with unequal padding is not covered")
    groups = attributes.get("group", 1)
    layer = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),  # type: ignore[arg-type]
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=(top, left),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=groups,
        bias=bool(bias),
        device="meta",
    )
    return _filled(layer, weight, *bias)


def _prelu(_attributes: Mapping[str, Any], constants: _Tensors) -> nn.Module:
    slope = constants[0].flatten()
    return _filled(nn.PReLU(len(slope), device="meta"), slope)


def _linear(attributes: Mapping[str, Any], constants: _Tensors) -> nn.Module:
    weight, *bias = constants
    weight = attributes.get("alpha", 1.0) * (weight if attributes.get("transB", 0) else weight.T)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bool(bias), device="meta")
    return _filled(layer, weight, *(attributes.get("beta", 1.0) * value for value in bias))


def _filled(layer: nn.Module, *values: torch.Tensor) -> nn.Module:
    """Put values into a layer's parameters, in the order weight, bias."""
    for name, value in zip(("weight", "bias"), values, strict=False):
        setattr(layer, name, nn.Parameter(value))
    return layer


_LAYERS: Mapping[str, Callable[[Mapping[str, Any], _Tensors], nn.Module]] = {
    "Add": lambda _attributes, _constants: _Add(),
    "BatchNormalization": lambda attributes, constants: _Normalise(constants, attributes.get("epsilon", 1e-5)),
    "Conv": _convolution,
    "Flatten": lambda attributes, _constants: nn.Flatten(attributes.get("axis", 1)),
    "Gemm": _linear,
    "Mul": lambda _attributes, constants: _Multiply(constants[0]),
    "PRelu": _prelu,
    "Relu": lambda _attributes, _constants: nn.ReLU(),
    "Sub": lambda _attributes, constants: _Subtract(constants[0]),
}
