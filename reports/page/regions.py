"""Where eyes and mouth are in a face, for enlarged details."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from ...bench.images import Pixels

Box = tuple[float, float, float, float]
"""Left, top, width, height as shares of a picture's sides."""

REGIONS: dict[str, Box] = {"eyes": (0.22, 0.355, 0.56, 0.21), "mouth": (0.3, 0.62, 0.4, 0.15)}
"""Eyes and mouth of the FFHQ template (`bench.metrics.face_alignment.FFHQ_512`) with room around them; of one shape, so
that enlarged they are of one height."""

Crops = tuple[Box, Box]
"""Eyes and mouth."""

TEMPLATE: Crops = (REGIONS["eyes"], REGIONS["mouth"])

ALIGNED = "ffhq_512"
"""The alignment for which they hold; the column `alignment` of a cell's table says it."""


def crop(pixels: Pixels, region: str) -> Pixels:
    """Return a part of a picture of an aligned face."""
    height, width = pixels.shape[:2]
    left, top, across, down = REGIONS[region]
    x, y = round(left * width), round(top * height)
    return pixels[y : y + max(1, round(down * height)), x : x + max(1, round(across * width))]


def around(landmarks: str, width: float, height: float) -> Crops | None:
    """Lay boxes around the eyes and the mouth of five or 68 points, given as JSON in pixels; None where they are not known."""
    if not landmarks.startswith("[") or not width > 0 or not height > 0:
        return None
    points = np.asarray(json.loads(landmarks), dtype=np.float64)
    if points.shape not in ((5, 2), (68, 2)):
        return None
    eyes, mouth = (points[:2], points[3:]) if len(points) == 5 else (points[36:48], points[48:])
    centres = (eyes[0], eyes[1]) if len(points) == 5 else (points[36:42].mean(axis=0), points[42:48].mean(axis=0))
    across = float(np.hypot(*(centres[1] - centres[0])))
    return _box(eyes, across, TEMPLATE[0], (width, height)), _box(mouth, across, TEMPLATE[1], (width, height))


def _box(points: NDArray[np.float64], across: float, like: Box, sides: tuple[float, float]) -> Box:
    """Lay a box around points, as large beside the distance of the eyes as that of the template."""
    between = 0.246  # eye to eye on the template, as a share of its side
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    w, h = (min(across * share / between / side, 1.0) for share, side in zip(like[2:], sides, strict=True))
    left, top = min(max(x / sides[0] - w / 2, 0.0), 1 - w), min(max(y / sides[1] - h / 2, 0.0), 1 - h)
    return round(float(left), 4), round(float(top), 4), round(float(w), 4), round(float(h), 4)
