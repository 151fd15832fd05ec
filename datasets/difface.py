"""DifFace's test set, cell by cell: `scripts/prepare_testing_restoration.py` of zsyOAOA/DifFace.

The script sorts the PNG files of one folder and gives the k-th the k-th of 4,000 cells.  sigma_y comes from Python's
generator and the noise from NumPy's old one, both seeded with 10000 and running on from image to image, so that
an image's LQ hangs on its place in the folder: here that place is a fact of the sample, and both streams are
run up to it.  No other degradation of ours knows where a sample stands.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..bench.api import Degradation, Degraded, Meta, Sample
from ..bench.errors import ImageError
from ..bench.images import Pixels, resize
from .public import PublicFolder, checked
from .steps import Down, Floats, GaussianBlur, Jpeg, own, quantise

SIDE = 512
SEED = 10000
_QUALITIES = (30, 40, 50, 60, 70)
_SCALES = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40)
_DELTAS = (1, 5, 10, 15, 20)
_SIGMAS = (4, 8, 12, 16)
_ANGLES = tuple(quarter * math.pi for quarter in (0, 0.25, 0.5, 0.75))
_ROW = len(_DELTAS) * len(_SIGMAS) * len(_ANGLES)  # cells of one quality and one scale, whose noise has one size
_BLUR, _DOWN, _JPEG = GaussianBlur(sigma=_SIGMAS[0]), Down(scale=_SCALES[0]), Jpeg(quality=_QUALITIES[0])


class Cell(NamedTuple):
    """What the k-th file gets."""

    quality: int
    scale: int
    delta: int
    sigma_x: int
    theta: float
    sigma_y: int


@cache
def cells() -> tuple[Cell, ...]:
    """Return the 4,000 cells in the script's order: the angle changes fastest, the quality slowest."""
    stream = random.Random(SEED)  # noqa: S311 - the script's own
    grid = product(_QUALITIES, _SCALES, _DELTAS, _SIGMAS, _ANGLES)
    return tuple(Cell(*cell, stream.choice(_SIGMAS)) for cell in grid)


class DifFaceFolder(PublicFolder):
    """The first 4,000 PNG files of a folder of faces, each of which knows its place; arguments as in `PublicFolder`.

    Files in subfolders and of other formats are left out, as the script leaves them out.
    """

    def samples(self) -> list[Sample]:
        """Return the samples, sorted by id; `position` in their meta counts from 0 by file name.

        Raises:
            DatasetError: see `PublicFolder.samples`.
        """
        files = [one for one in self._folder.samples() if one.hq and one.hq.suffix == ".png" and "/" not in one.id]
        chosen = sorted(files, key=lambda one: f"{one.id}.png")[: len(cells())]
        self.card = checked(self._folder.card, self._expected, chosen, self._limit, strict=self._strict)
        placed = [replace(one, meta={**one.meta, "position": place}) for place, one in enumerate(chosen)]
        return sorted(placed[: self._limit or None], key=lambda one: one.id)


class DifFaceGrid:
    """The grid itself; `degradation.seed` changes nothing, the script's seed is part of it."""

    key = "difface_grid"
    version = 1
    uses_meta = ("position",)

    def of(self, meta: Meta) -> Degradation:
        """Return the degradation of one sample.

        Raises:
            ImageError: the sample does not say where it stands among 4,000.
        """
        place = meta.get("position")
        if not isinstance(place, int) or not 0 <= place < len(cells()):
            raise ImageError(
                "degradation difface_grid: this image has no place in DifFace's list of 4,000; "
                "use dataset=celeba_test_difface_hq, or degradation=difface, which draws cells"
            )
        return _Placed(self, place)

    def __call__(self, image: Pixels, generator: np.random.Generator) -> Degraded:
        """Refuse: without a place there is no cell.

        Raises:
            ImageError: always.
        """
        return self.of({})(image, generator)

    def apply(self, image: Pixels, drawn: Mapping[str, Any]) -> Degraded:
        """Degrade an image with a cell that was recorded.

        Raises:
            ImageError: it is not 512 x 512, so that all later noise would be another.
        """
        if image.shape[:2] != (SIDE, SIDE):
            raise ImageError(
                f"degradation difface_grid: the image is {image.shape[1]} x {image.shape[0]}, the grid's are {SIDE} x {SIDE}"
            )
        size = SIDE, SIDE
        blurred = _BLUR.apply(
            image.astype(np.float32) / np.float32(255), own(drawn, "blur_"), size
        )  # in the script's [0, 1]
        small = _DOWN.apply(blurred, own(drawn, "down_"), size)
        noise = _field(drawn["noise_cell"]) * drawn["noise_delta"] / np.float32(255)
        coded = _JPEG.apply(np.clip(small + noise, 0, 1) * 255, own(drawn, "jpeg_"), size)
        lq = resize(coded / np.float32(255), size, "bilinear") * 255
        side = coded.shape[0]
        return Degraded(quantise(lq), quantise(coded), {**drawn, "native_height": side, "native_width": side})


@dataclass(frozen=True)
class _Placed:
    """The grid for one sample."""

    grid: DifFaceGrid
    place: int
    key = DifFaceGrid.key
    version = DifFaceGrid.version

    def __call__(self, image: Pixels, generator: np.random.Generator) -> Degraded:  # noqa: ARG002
        """Degrade one `uint8` RGB image of 512 x 512; the generator is not asked."""
        cell = cells()[self.place]
        drawn = {
            "blur_sigma_x": float(cell.sigma_x),
            "blur_sigma_y": float(cell.sigma_y),
            "blur_theta": cell.theta,
            "down_scale": float(cell.scale),
            "noise_delta": float(cell.delta),
            "noise_cell": self.place,
            "jpeg_quality": cell.quality,
        }
        return self.grid.apply(image, drawn)


def _field(place: int) -> Floats:
    """Return the standard normal field `(h, w, 3)` of a cell, after those of all cells before it."""
    row, column = divmod(place, _ROW)
    stream = np.random.RandomState()
    stream.set_state(_states()[row])
    shape = _shape(place)
    for _ in range(column):
        stream.standard_normal(shape)
    blue_first = stream.standard_normal(shape).astype(np.float32)
    return blue_first[:, :, ::-1]


@cache
def _states() -> list[dict[str, Any]]:
    """Return the noise stream's state before each row of 80 cells: 30 million numbers, about a second, once."""
    stream = np.random.RandomState(SEED)
    states = []
    for place in range(0, len(cells()), _ROW):
        states.append(stream.get_state(legacy=False))
        for _ in range(_ROW):
            stream.standard_normal(_shape(place))
    return states


def _shape(place: int) -> tuple[int, int, int]:
    side = SIDE // cells()[place].scale
    return side, side, 3
