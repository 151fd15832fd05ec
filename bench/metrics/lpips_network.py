"""The convolutional trunks of LPIPS: AlexNet and VGG16 up to their five ReLU layers that are compared.

Layers and their names are those of the library `lpips`, whose import takes torchvision's and torch's compiler with it
(1.8 s); the output is the library's to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

Net = Literal["alex", "vgg"]

# A slice is a pool, unless it is the first, and convolutions, each with its ReLU: (in, out, kernel, stride, padding).
_Convolution = tuple[int, int, int, int, int]
_ALEX: tuple[tuple[_Convolution, ...], ...] = (  # Krizhevsky, One weird trick (2014)
    ((3, 64, 11, 4, 2),),
    ((64, 192, 5, 1, 2),),
    ((192, 384, 3, 1, 1),),
    ((384, 256, 3, 1, 1),),
    ((256, 256, 3, 1, 1),),
)
_ALEX_POOLED = (1, 2)
_VGG_CHANNELS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))


class Trunk(nn.Module):
    """Images `(B, 3, H, W)` in `[-1, 1]` to five layers of activations `(B, C, H', W')`."""

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, net: Net) -> None:
        """Build without weights; `load_state_dict` must follow."""
        super().__init__()
        slices = _alex() if net == "alex" else _vgg()
        for number, layers in enumerate(slices, 1):
            self.add_module(f"slice{number}", layers)
        # ImageNet's mean and deviation on [-1, 1], as the library has them
        self.register_buffer("shift", torch.tensor((-0.030, -0.088, -0.188)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor((0.458, 0.448, 0.450)).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Return the activations."""
        x = images.sub(self.shift).div_(self.scale).contiguous(memory_format=torch.channels_last)
        activations = []
        for layers in self.children():
            x = layers(x)
            activations.append(x)
        return activations

    def convolutions(self) -> list[str]:
        """Return the names of the convolutions in order."""
        return [name for name, layer in self.named_modules() if isinstance(layer, nn.Conv2d)]


def _alex() -> list[nn.Sequential]:
    slices, place = [], 0
    for number, convolutions in enumerate(_ALEX):
        pools = [nn.MaxPool2d(3, 2)] if number in _ALEX_POOLED else []
        slices.append(_named([*pools, *_layers(convolutions)], place))
        place += len(slices[-1])
    return slices


def _vgg() -> list[nn.Sequential]:
    slices, place = [], 0
    for number, channels in enumerate(_VGG_CHANNELS):
        pools = [nn.MaxPool2d(2, 2)] if number else []
        convolutions = [(*pair, 3, 1, 1) for pair in pairwise(channels)]
        slices.append(_named([*pools, *_layers(convolutions)], place))
        place += len(slices[-1])
    return slices


def _layers(convolutions: Sequence[_Convolution]) -> list[nn.Module]:
    return [layer for c in convolutions for layer in (nn.Conv2d(*c, device="meta"), nn.ReLU(inplace=True))]


def _named(layers: Sequence[nn.Module], place: int) -> nn.Sequential:
    """Name the layers by their place in the whole network."""
    named = nn.Sequential()
    for number, layer in enumerate(layers, place):
        named.add_module(str(number), layer)
    return named
