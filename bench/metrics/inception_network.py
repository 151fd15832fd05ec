"""Inception-v3 as TensorFlow's graph of 2015-12-05 has it, up to the pool features.

Szegedy et al., Rethinking the Inception architecture (CVPR 2016).  The graph differs from the paper's and from
torchvision's network as FID implementations record: average pools do not count the padding, and the last block
pools by maximum.  Normalisation is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

_EPSILON = 1e-3  # of the batch normalisation

# A block is a list of branches, a branch a chain of steps, all fed with the block's input and concatenated.
# A step is a convolution by name, a tuple of convolutions that fork and are concatenated, or a pool.
_Step = str | tuple[str, ...]
_Branch = tuple[_Step, ...]

_A: tuple[_Branch, ...] = (
    ("conv",),
    ("tower.conv", "tower.conv_1"),
    ("tower_1.conv", "tower_1.conv_1", "tower_1.conv_2"),
    ("average", "tower_2.conv"),
)
_C: tuple[_Branch, ...] = (
    ("conv",),
    ("tower.conv", "tower.conv_1", "tower.conv_2"),
    ("tower_1.conv", "tower_1.conv_1", "tower_1.conv_2", "tower_1.conv_3", "tower_1.conv_4"),
    ("average", "tower_2.conv"),
)


def _e(pool: str) -> tuple[_Branch, ...]:
    return (
        ("conv",),
        ("tower_conv", ("tower_mixed_conv", "tower_mixed_conv_1")),
        ("tower_1_conv", "tower_1_conv_1", ("tower_1_mixed_conv", "tower_1_mixed_conv_1")),
        (pool, "tower_2_conv"),
    )


_BLOCKS: Mapping[str, tuple[_Branch, ...]] = {
    "mixed": _A,
    "mixed_1": _A,
    "mixed_2": _A,
    "mixed_3": (("conv",), ("tower.conv", "tower.conv_1", "tower.conv_2"), ("halve",)),
    "mixed_4": _C,
    "mixed_5": _C,
    "mixed_6": _C,
    "mixed_7": _C,
    "mixed_8": (
        ("tower.conv", "tower.conv_1"),
        ("tower_1.conv", "tower_1.conv_1", "tower_1.conv_2", "tower_1.conv_3"),
        ("halve",),
    ),
    "mixed_9": _e("average"),
    "mixed_10": _e("maximum"),
}
_STEM: _Branch = ("conv", "conv_1", "conv_2", "halve", "conv_3", "conv_4", "halve")
_STRIDE_2 = frozenset(
    {"conv", "mixed_3.conv", "mixed_3.tower.conv_2", "mixed_8.tower.conv_1", "mixed_8.tower_1.conv_3"}
)
_UNPADDED = _STRIDE_2 | {"conv_1", "conv_4"}


class InceptionPool(nn.Module):
    """Images `(B, 3, 299, 299)` in about `[-1, 1]` to features `(B, 2048)`."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        """Build from convolution weights and the `beta`, `mean` and `var` of their normalisation."""
        super().__init__()
        names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
        self.convolutions = nn.ModuleDict({_key(name): _folded(name, state) for name in names})

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the pool features."""
        x = self._chain(images, _STEM, "")
        for name, branches in _BLOCKS.items():
            x = torch.cat([self._chain(x, branch, f"{name}.") for branch in branches], 1)
        return x.mean((2, 3))

    def _chain(self, x: torch.Tensor, steps: _Branch, prefix: str) -> torch.Tensor:
        for step in steps:
            if isinstance(step, tuple):
                x = torch.cat([self._convolve(x, prefix + name) for name in step], 1)
            elif step == "average":
                x = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
            elif step == "maximum":
                x = functional.max_pool2d(x, 3, stride=1, padding=1)
            elif step == "halve":
                x = functional.max_pool2d(x, 3, stride=2)
            else:
                x = self._convolve(x, prefix + step)
        return x

    def _convolve(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.relu_(self.convolutions[_key(name)](x))


def _key(name: str) -> str:
    return name.replace(".", "/")  # a ModuleDict refuses dots


def _folded(name: str, state: Mapping[str, torch.Tensor]) -> nn.Conv2d:
    """Return one convolution with its normalisation folded in."""
    weight = state[f"{name}.weight"].double()
    scale = (state[f"{name}.var"].double() + _EPSILON).rsqrt()
    bias = state[f"{name}.beta"].double() - state[f"{name}.mean"].double() * scale
    outputs, inputs, height, width = weight.shape
    padding = (0, 0) if name in _UNPADDED else (height // 2, width // 2)
    stride = 2 if name in _STRIDE_2 else 1
    convolution = nn.Conv2d(inputs, outputs, (height, width), stride, padding, device="meta")
    convolution.weight = nn.Parameter((weight * scale.view(-1, 1, 1, 1)).float(), requires_grad=False)
    convolution.bias = nn.Parameter(bias.float(), requires_grad=False)
    return convolution
