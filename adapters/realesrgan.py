"""Real-ESRGAN x4plus, realesr-general-x4v3 and RealSR DF2K_JPEG: x4 on the small image.

Real-ESRGAN: Wang et al., ICCVW 2021.  RealSR: Ji et al., CVPRW 2020.  Weights as published for ncnn.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..bench.api import Batch, Card, Weights
from ..bench.errors import ConfigError, RestorerError
from ..bench.spec import Location

if TYPE_CHECKING:
    import torch

_SCALE = 4


class _EnlargesFour:
    """What they share: loading, and running whole or in tiles.

    Args:
        checkpoint: a file of one's own: `.pth`, `.safetensors`, or ncnn `.bin` (with its `.param` beside it,
            else the published layer list); None for the published weights.
        tile: side in pixels of the pieces a large image is cut into; None runs it whole.
        overlap: pixels of surroundings each piece sees on every side; results near seams differ slightly
            from the whole image's.

    Raises:
        ConfigError: `tile` or `overlap` is no usable size.
    """

    card: Card
    version = 1
    entry: ClassVar[str]

    def __init__(self, checkpoint: Location | None = None, tile: int | None = None, overlap: int = 16) -> None:
        if tile is not None and tile < 1:
            raise ConfigError(f"tile is {tile}; give a side in pixels, such as 256, or null to run images whole")
        if overlap < 0:
            raise ConfigError(f"overlap is {overlap}; give 0 or more pixels")
        self.tile, self.overlap = tile, overlap
        self.weights: Weights = {self.entry: checkpoint}
        if checkpoint is None or checkpoint.endswith(".bin"):
            beside = Path(checkpoint).expanduser().with_suffix(".param") if checkpoint else None
            self.weights = {**self.weights, f"{self.entry}-param": str(beside) if beside and beside.is_file() else None}
        self._network: torch.nn.Module | None = None

    def load(self, device: torch.device) -> None:
        """Build the network on `device`.

        Raises:
            WeightsError: the weights cannot be had, or are not of this network.
        """
        from ..bench.weights import resolve

        files = resolve(self.weights)
        param = files.get(f"{self.entry}-param")
        self._network = self.build(files[self.entry].path, param.path if param else None).to(device)

    def build(self, checkpoint: Path, param: Path | None) -> torch.nn.Module:
        """Return the network, RRDBNet unless a subclass says otherwise, loaded from a file and its layer list."""
        from .networks import rrdb

        return rrdb.network(rrdb.read(checkpoint, param))

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, 4 H, 4 W)`."""
        import torch

        if self._network is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        images = batch.images.contiguous(memory_format=torch.channels_last)
        height, width = images.shape[2:]
        with torch.inference_mode():
            if self.tile is None or max(height, width) <= self.tile:
                return torch.as_tensor(self._network(images))
            return self._in_tiles(images, self._network, self.tile)

    def _in_tiles(self, images: torch.Tensor, network: torch.nn.Module, tile: int) -> torch.Tensor:
        height, width = images.shape[2:]
        output = images.new_empty((*images.shape[:2], height * _SCALE, width * _SCALE))
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                bottom, right = min(top + tile, height), min(left + tile, width)
                y, x = max(0, top - self.overlap), max(0, left - self.overlap)
                piece = network(images[:, :, y : bottom + self.overlap, x : right + self.overlap])
                inner = piece[
                    :, :, (top - y) * _SCALE : (bottom - y) * _SCALE, (left - x) * _SCALE : (right - x) * _SCALE
                ]
                output[:, :, top * _SCALE : bottom * _SCALE, left * _SCALE : right * _SCALE] = inner
        return output


_KNOBS = {
    "checkpoint": "weights of one's own (.pth, .safetensors or ncnn .bin)",
    "tile": "side in pixels of the pieces a large image is cut into",
    "overlap": "pixels of surroundings each piece sees",
}


class RealESRGAN(_EnlargesFour):
    """Real-ESRGAN x4plus."""

    entry = "realesrgan-x4plus"
    card = Card(
        name="Real-ESRGAN",
        paper="Wang et al., Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data, ICCVW 2021",
        task="super-resolution",
        input="native",
        scale=_SCALE,
        final_resize="lanczos",  # realesrgan/utils.py, RealESRGANer.enhance: cv2.INTER_LANCZOS4
        code_licence="BSD-3-Clause",
        weights_licence="BSD-3-Clause",
        trained_on=("DIV2K", "Flickr2K", "OutdoorSceneTraining"),
        losses=("L1", "VGG19 perceptual", "GAN"),
        knobs=_KNOBS,
    )


class RealESRGeneral(_EnlargesFour):
    """realesr-general-x4v3: the small, fast model for general scenes, SRVGGNetCompact."""

    entry = "realesr-general-x4v3"
    card = replace(RealESRGAN.card, name="realesr-general-x4v3", trained_on=())  # the authors do not say

    def build(self, checkpoint: Path, param: Path | None) -> torch.nn.Module:
        """Return the compact network."""
        from .networks import compact

        return compact.load(checkpoint, param)


class RealSR(_EnlargesFour):
    """RealSR DF2K_JPEG."""

    entry = "realsr-df2k-jpeg"
    card = Card(
        name="RealSR",
        paper="Ji et al., Real-World Super-Resolution via Kernel Estimation and Noise Injection, CVPRW 2020",
        task="super-resolution",
        input="native",
        scale=_SCALE,
        final_resize="lanczos",
        code_licence="Apache-2.0",
        weights_licence="MIT",
        trained_on=("DIV2K", "Flickr2K"),
        losses=("L1", "VGG19 perceptual", "GAN"),
        knobs=_KNOBS,
    )
