"""DFDNet: eyes, nose and mouth exchanged for the best entry of a dictionary of high-quality parts, at four scales.

Li et al., Blind Face Restoration via Deep Multi-scale Component Dictionaries, ECCV 2020 (arXiv 2008.00418).
Names of modules are those of the official checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F

PARTS = ("left_eye", "right_eye", "nose", "mouth")
"""In the order they are written back; where boxes overlap, the later part stays."""
SCALES = (256, 128, 64, 32)
"""Sides of the VGG features of a 512 x 512 face."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the 512 x 512 face."""

_CODE = dict(zip(PARTS, ("le", "re", "no", "mo"), strict=True))
_PART_SIDE = dict(zip(PARTS, (80, 80, 50, 110), strict=True))  # of a dictionary entry, pixels of the face
_CHANNELS = dict(zip(SCALES, (128, 256, 512, 512), strict=True))
_SLOPE = 0.2

Dictionary = Mapping[tuple[str, int], torch.Tensor]
"""(part, scale) -> entries `(K, C, s, s)`, normalised by `normalise_`."""


def entry_shape(part: str, scale: int) -> tuple[int, int, int]:
    """Return `(C, s, s)` of one dictionary entry."""
    side = _PART_SIDE[part] * scale // 512
    return _CHANNELS[scale], side, side


def _conv(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Conv2d:
    return nn.utils.spectral_norm(nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation))


def _two_convs(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Sequential:
    first = _conv(in_channels, out_channels, dilation)
    return nn.Sequential(first, nn.LeakyReLU(_SLOPE), _conv(out_channels, out_channels, dilation))


class VGGFeatures(nn.Module):
    """VGG-19 features of the face.

    The first three are taken after their ReLU (relu2_2, relu3_4, relu4_4), because in the official code the
    in-place ReLU that follows has already changed what was stored; the last, conv5_4, is not.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        self.RGB_mean = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.RGB_std = nn.Parameter(torch.ones(1, 3, 1, 1))
        layers = make_layers(cfgs["E"])
        self.model = nn.Module()
        self.model.features = layers[:35]
        # the official class holds the same layers twice, and so does its file
        self.features = nn.ModuleList(
            _numbered(layers, cut) for cut in (range(8), range(8, 17), range(17, 26), range(26, 35))
        )

    def forward(self, face: torch.Tensor) -> dict[int, torch.Tensor]:
        """Map `(B, 3, 512, 512)` in `[-1, 1]` to features by side: `(B, C, scale, scale)`."""
        x = ((face + 1) / 2 - self.RGB_mean) / self.RGB_std
        features = {}
        for scale, layers in zip(SCALES, self.features, strict=True):
            x = layers(x)
            features[scale] = x if scale == SCALES[-1] else F.relu(x)
        return features


def _numbered(layers: nn.Sequential, cut: range) -> nn.Sequential:
    chunk = nn.Sequential()
    for number in cut:
        chunk.add_module(str(number), layers[number])
    return chunk


class MultiDilation(nn.Module):
    """Four branches of dilation 4 to 1, joined and added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _two_convs(channels, channels, 4)
        self.conv2 = _two_convs(channels, channels, 3)
        self.conv3 = _two_convs(channels, channels, 2)
        self.conv4 = _two_convs(channels, channels, 1)
        self.convi = _conv(4 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, C, H, W)` to the same shape."""
        branches = (self.conv1(x), self.conv2(x), self.conv3(x), self.conv4(x))
        return x + self.convi(torch.cat(branches, 1))  # type: ignore[no-any-return]


class Blur(nn.Module):
    """Binomial 3 x 3 blur of every channel, a constant of the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
        self.register_buffer("weight", kernel.repeat(channels, 1, 1, 1))
        self.register_buffer("weight_flip", kernel.repeat(channels, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Blur `(B, C, H, W)`; beyond the border are zeros."""
        return F.conv2d(x, self.get_buffer("weight"), padding=1, groups=x.shape[1])


class StyledUp(nn.Module):
    """Takes scale and shift from the features that went through the dictionary, then doubles the size (SFT)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(Blur(in_channels), _conv(in_channels, out_channels), nn.LeakyReLU(_SLOPE))
        self.convup = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            _conv(out_channels, out_channels),
            nn.LeakyReLU(_SLOPE),
        )
        self.ScaleModel1 = _two_convs(in_channels, out_channels)
        self.ShiftModel1 = _two_convs(in_channels, out_channels).append(nn.Sigmoid())

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Map `(B, in, H, W)` and its style `(B, in, H, W)` to `(B, out, 2 H, 2 W)`."""
        x = F.leaky_relu(self.conv1(x), _SLOPE)  # a second time, as the official code does
        return self.convup(x * self.ScaleModel1(style) + self.ShiftModel1(style))  # type: ignore[no-any-return]


class ResBlock(nn.Module):
    """Two plain convolutions added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.Model = nn.Sequential(first, nn.LeakyReLU(_SLOPE), second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(B, C, H, W)` to the same shape."""
        return x + self.Model(x)  # type: ignore[no-any-return]


def _statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation `(B, C, 1, 1)` of every channel."""
    variance = features.var((2, 3), correction=1, keepdim=True)
    return features.mean((2, 3), keepdim=True), (variance + 1e-5).sqrt()


def normalise_(entries: torch.Tensor) -> torch.Tensor:
    """Give every channel of entries `(K, C, s, s)` mean 0 and deviation 1, in place: half of AdaIN, done once."""
    mean, deviation = _statistics(entries)
    return entries.sub_(mean).div_(deviation)


def best_entry(entries: torch.Tensor, crop: torch.Tensor) -> torch.Tensor:
    """Return the entry that correlates most with a crop, in the mean and deviation of the crop's channels (AdaIN).

    Args:
        entries: normalised, `(K, C, s, s)`.
        crop: features of a part, `(1, C, s, s)`.

    Returns:
        `(1, C, s, s)`.
    """
    mean, deviation = _statistics(crop)
    # correlation with `entry * deviation + mean`, without making K of them
    scores = entries.flatten(1) @ (deviation * crop).flatten() + (mean * crop).sum()
    best = int(scores.softmax(0).argmax())  # of scores that the softmax cannot tell apart, the first
    return entries[best : best + 1] * deviation + mean


class DFDNet(nn.Module):
    """The restoration network; dictionaries are given to `forward`."""

    def __init__(self) -> None:
        super().__init__()
        for part in PARTS:
            for scale in SCALES:
                self.add_module(f"{_CODE[part]}_{scale}", _two_convs(_CHANNELS[scale], _CHANNELS[scale]))
        self.VggExtract = VGGFeatures()
        self.MSDilate = MultiDilation(512)
        self.up0, self.up1 = StyledUp(512, 512), StyledUp(512, 256)
        self.up2, self.up3 = StyledUp(256, 128), StyledUp(128, 64)
        self.up4 = nn.Sequential(
            _conv(64, 64), nn.LeakyReLU(_SLOPE), ResBlock(64), ResBlock(64), nn.Conv2d(64, 3, 3, padding=1), nn.Tanh()
        )
        for number, width in enumerate((512, 256, 128, 64)):  # of the training; in the file, not in the forward pass
            self.add_module(
                f"to_rgb{number}", nn.Sequential(_conv(width, width), nn.LeakyReLU(_SLOPE), _conv(width, 3))
            )

    def _transferred(
        self, features: torch.Tensor, scale: int, boxes: Mapping[str, Box], dictionary: Dictionary, side: int
    ) -> torch.Tensor:
        """Return features `(1, C, h, h)` of a face of `side` pixels, parts drawn towards their dictionary entries."""
        result = features.clone()
        for part in PARTS:
            x0, y0, x1, y1 = (edge * features.shape[-1] // side for edge in boxes[part])
            crop = features[:, :, y0:y1, x0:x1]
            entries = dictionary[part, scale]
            resized = F.interpolate(crop, entries.shape[2:], mode="bilinear", align_corners=False)
            entry = F.interpolate(best_entry(entries, resized), crop.shape[2:], mode="nearest")
            attention = self.get_submodule(f"{_CODE[part]}_{scale}")(entry - crop)
            result[:, :, y0:y1, x0:x1] = crop + attention * entry
        return result

    def forward(self, faces: torch.Tensor, boxes: Sequence[Mapping[str, Box]], dictionary: Dictionary) -> torch.Tensor:
        """Restore faces.

        Args:
            faces: `(B, 3, 512, 512)` RGB in `[-1, 1]`.
            boxes: of the four parts, one mapping per face; the official code takes one face at a time.
            dictionary: normalised entries of every part and scale.

        Returns:
            `(B, 3, 512, 512)` in `[-1, 1]`.
        """
        features = self.VggExtract(faces)
        style = {
            scale: torch.cat(
                [
                    self._transferred(features[scale][i : i + 1], scale, boxes[i], dictionary, faces.shape[-1])
                    for i in range(len(faces))
                ]
            )
            for scale in SCALES
        }
        x = self.MSDilate(features[32])
        for up, scale in zip((self.up0, self.up1, self.up2, self.up3), reversed(SCALES), strict=True):
            x = up(x, style[scale])
        return self.up4(x)  # type: ignore[no-any-return]
