"""The small ArcFace network that the field's restoration papers measure identity with.

ResNet-18 of improved residual blocks on gray 128 x 128 faces, 512 numbers a face (github.com/ronghuaiyang/
arcface-pytorch, `resnet_face18(use_se=False)`); its parts are named as in the released files.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..checkpoint import load_strict, read

SIDE = 128
_WIDTHS = (64, 128, 256, 512)


class ResidualBlock(nn.Module):
    """Normalise, convolve, convolve; one slope serves both activations."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        """Keep the width in the first convolution; change width and size in the second."""
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map `(B, inputs, H, W)` to `(B, outputs, H / stride, W / stride)`."""
        inner = self.prelu(self.bn1(self.conv1(self.bn0(images))))
        around = images if self.downsample is None else self.downsample(images)
        total: torch.Tensor = self.prelu(self.bn2(self.conv2(inner)) + around)
        return total


class ArcFaceResNet18(nn.Module):
    """Gray faces `(B, 1, 128, 128)` to embeddings `(B, 512)`, not normalised."""

    def __init__(self) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        inputs = _WIDTHS[0]
        for index, width in enumerate(_WIDTHS):
            blocks = [ResidualBlock(inputs, width, 1 if index == 0 else 2), ResidualBlock(width, width, 1)]
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
            inputs = width
        self.bn4 = nn.BatchNorm2d(inputs)
        self.fc5 = nn.Linear(inputs * 8 * 8, 512)
        self.bn5 = nn.BatchNorm1d(512)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Return the embeddings."""
        values = self.maxpool(self.prelu(self.bn1(self.conv1(faces))))
        for index in range(len(_WIDTHS)):
            values = self.get_submodule(f"layer{index + 1}")(values)
        embeddings: torch.Tensor = self.bn5(self.fc5(self.bn4(values).flatten(1)))
        return embeddings


def load_network(file: Path) -> nn.Module:
    """Read a released file, whose names may begin with `module.`.

    Raises:
        WeightsError: it is damaged, or of another network; the message lists what differs.
    """
    return load_strict(ArcFaceResNet18(), read(file, prefix="module."), f"{file.name} as ArcFace ResNet18")
