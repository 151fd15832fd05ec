"""Where eyes and mouth are in a face, for enlarged details."""

from __future__ import annotations

from ..bench.images import Pixels

Box = tuple[float, float, float, float]
"""Left, top, width, height as shares of a picture's sides."""

REGIONS: dict[str, Box] = {"eyes": (0.22, 0.355, 0.56, 0.21), "mouth": (0.3, 0.62, 0.4, 0.15)}
"""Eyes and mouth of the FFHQ template (`bench.metrics.face_alignment.FFHQ_512`) with room around them; of one shape, so
that enlarged they are of one height."""

ALIGNED = "ffhq_512"
"""The alignment for which they hold; the column `alignment` of a cell's table says it."""


def crop(pixels: Pixels, region: str) -> Pixels:
    """Return a part of a picture of an aligned face."""
    height, width = pixels.shape[:2]
    left, top, across, down = REGIONS[region]
    x, y = round(left * width), round(top * height)
    return pixels[y : y + max(1, round(down * height)), x : x + max(1, round(across * width))]
