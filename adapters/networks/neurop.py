"""NeurOp: three neural colour operators in a row, each with a strength predicted from the photo.

Wang et al., Neural Color Operators for Sequential Image Retouching, ECCV 2022.  Names as in the official files
(amberwangyili/neurop, commit c24d731ea8e1d28e3650c4e62eeae02bdc36c0be).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pad, relu

_OPERATORS = ("bc", "ex", "vb")
"""Black clipping, exposure, vibrance: the order they are applied in."""

_SIDE = 256  # height the strength is predicted at
_PIXELS = {"cpu": 2**13, "cuda": 2**20}
"""Pixels rendered at once: what fits a cache, or memory.  Operators work pixel by pixel; cutting changes nothing."""


class Encoder(nn.Module):
    """Global features of a photo: deviation, mean and maximum of 32 maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2)
        self.conv2 = nn.Conv2d(32, 32, 3, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """Return `(B, 96)` for `(B, 3, H, W)`."""
        maps = relu(self.conv1(pad(image, (1, 1, 1, 1))))
        maps = relu(self.conv2(pad(maps, (1, 1, 1, 1)))).flatten(2)
        return torch.cat([maps.std(2), maps.mean(2), maps.amax(2)], dim=1)


class Predictor(nn.Module):
    """Strength of one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.fc3 = nn.Linear(96, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return `(B, 1)` in `[-1, 1]`."""
        return torch.tanh(self.fc3(features))


class Renderer(nn.Module):
    """One neural colour operator: colours to 64 dimensions, shifted by the strength, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 64, 1)
        self.mid_conv = nn.Conv2d(64, 64, 1)
        self.decoder = nn.Conv2d(64, 3, 1)

    def forward(self, image: Tensor, strength: Tensor) -> Tensor:
        """Return `(B, 3, H, W)`."""
        pixels = _PIXELS.get(image.device.type, _PIXELS["cuda"])
        rows = max(1, pixels // (image.shape[0] * image.shape[3]))
        parts = [self._colours(part, strength[:, :, None, None]) for part in torch.split(image, rows, dim=2)]
        return torch.cat(parts, dim=2)

    def _colours(self, image: Tensor, strength: Tensor) -> Tensor:
        return self.decoder(leaky_relu(self.mid_conv(self.encoder(image) + strength)))  # type: ignore[no-any-return]


class NeurOp(nn.Module):
    """The whole pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = Encoder()
        for operator in _OPERATORS:
            self.add_module(f"{operator}_predictor", Predictor())
            self.add_module(f"{operator}_renderer", Renderer())

    def forward(self, image: Tensor) -> Tensor:
        """Retouch photos `(B, 3, H, W)` RGB in `[0, 1]`; the result is clamped to it."""
        for operator in _OPERATORS:
            strength = self.get_submodule(f"{operator}_predictor")(self.image_encoder(_small(image)))
            image = self.get_submodule(f"{operator}_renderer")(image, strength)
        return image.clamp(0, 1)


def _small(image: Tensor) -> Tensor:
    """Bring a photo to a height of 256 in its own proportions."""
    height, width = image.shape[2:]
    return interpolate(image, size=(_SIDE, max(8, int(_SIDE * width / height))), mode="bilinear", align_corners=False)
