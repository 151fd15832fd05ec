"""A gallery as a figure for a paper: rows are faces, columns are restorers, details enlarged below each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...bench.images import Pixels
from ...bench.storage.store import Store
from ..page.regions import REGIONS, crop
from . import style
from .gallery import Gallery, picture
from .style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TILE, _DOTS = 192, 240  # pixels of a picture's side at most, and per inch
_GAP = 4
_MOST_PIXELS = 12_000_000
"""Of one figure; beyond, tiles shrink."""
_HEAD, _FOOT = 0.17, 0.02  # inches


def draw(shown: Gallery, store: Store, insets: Sequence[str] = (), width: float = style.TWO_COLUMNS) -> Figure:
    """Return the figure; call it within `style.settings`.

    The pictures are one bitmap at 240 dots per inch or less, headings and names are letters.

    Args:
        shown: what to show.
        store: where the pictures are.
        insets: parts of aligned faces to show enlarged below each picture, of `regions.REGIONS`.
        width: inches.
    """
    from matplotlib.figure import Figure

    rows, columns = len(shown.rows), len(shown.columns)
    parts = insets if any(shown.aligned) else ()
    tile, below = _sizes(rows, columns, parts, min(_TILE, round(_DOTS * width / max(1, columns))))
    sheet = np.full((rows * (tile + below + _GAP), columns * (tile + _GAP), 3), 255, dtype=np.uint8)
    missing: list[tuple[int, int, str]] = []
    for r, row in enumerate(shown.rows):
        for c, one in enumerate(row):
            found = picture(store, one)
            if isinstance(found, str):
                missing.append((r, c, found))
            else:
                corner = r * (tile + below + _GAP), c * (tile + _GAP)
                _place(sheet, found, corner, tile, parts if shown.aligned[r] else ())
    side = 0.16  # inches for the names of the faces
    scale = (width - side) / sheet.shape[1]
    height = _HEAD + sheet.shape[0] * scale + _FOOT
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((side / width, _FOOT / height, (width - side) / width, sheet.shape[0] * scale / height))
    axes.imshow(sheet, interpolation="none", aspect="auto")
    axes.set_axis_off()
    _write(axes, shown, missing, (tile, below), scale)
    return figure


def _sizes(rows: int, columns: int, parts: Sequence[str], tile: int) -> tuple[int, int]:
    """Return side of a tile, at most the given one, and height of its insets, in pixels."""
    share = _inset_share(parts)
    while tile > 16 and rows * columns * tile * tile * (1 + share) > _MOST_PIXELS:
        tile -= 8
    return tile, round(tile * share)


def _inset_share(parts: Sequence[str]) -> float:
    """Height of the insets, each as wide as a tile, as a share of its side."""
    return sum(_GAP / 2 / _TILE + REGIONS[part][3] / REGIONS[part][2] for part in parts)


def _place(sheet: Pixels, found: Pixels, corner: tuple[int, int], side: int, parts: Sequence[str]) -> None:
    y, x = corner
    image = _resized(found, side / max(found.shape[:2]))
    top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
    sheet[y + top : y + top + image.shape[0], x + left : x + left + image.shape[1]] = image
    at = y + side
    for part in parts:
        height = round(side * REGIONS[part][3] / REGIONS[part][2])
        detail = Image.fromarray(np.ascontiguousarray(crop(found, part)))
        at += round(side * _GAP / 2 / _TILE)
        sheet[at : at + height, x : x + side] = np.asarray(detail.resize((side, height), Image.Resampling.BICUBIC))[
            : sheet.shape[0] - at
        ]
        at += height


def _resized(pixels: Pixels, scale: float) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _write(
    axes: Axes, shown: Gallery, missing: Sequence[tuple[int, int, str]], size: tuple[int, int], scale: float
) -> None:
    tile, below = size
    points = max(4.5, min(8.0, 72 * scale * tile / 7))
    across = tile * scale
    for c, name in enumerate(shown.columns):
        text = style.fit(style.printable(name), across + 0.02, points)
        x = c * (tile + _GAP) + tile / 2
        axes.text(x, -6, text, ha="center", va="bottom", color=INK, fontsize=points)
    for r, row in enumerate(shown.rows):
        y = r * (tile + below + _GAP) + tile / 2
        name = style.fit(style.printable(row[0].sample.rpartition("/")[2] if row else ""), across, 5)
        axes.text(-8, y, name, ha="right", va="center", rotation=90, color=INK, fontsize=5)
    for r, c, problem in missing:
        x, y = c * (tile + _GAP) + tile / 2, r * (tile + below + _GAP) + tile / 2
        axes.plot(*_frame(c * (tile + _GAP), r * (tile + below + _GAP), tile), color=FAINT, linewidth=0.6)
        text = style.fit(style.printable(problem), across - 0.05, 5)
        axes.text(x, y, text, ha="center", va="center", color=INK, fontsize=5)


def _frame(x: float, y: float, side: float) -> tuple[list[float], list[float]]:
    return [x, x + side, x + side, x, x], [y, y, y + side, y + side, y]
