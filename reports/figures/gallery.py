"""The pictures themselves: LQ, every restorer and the reference beside each other."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...bench.errors import ImageError
from ...bench.images import Pixels, encode_png
from ...bench.storage.results import CellTable
from ...bench.storage.store import Store
from ..groups import Group
from ..page.regions import ALIGNED

_INK, _FAINT, _PAPER = (26, 27, 30), (138, 141, 148), (255, 255, 255)
_GAP, _HEAD, _SIDE = 6, 26, 14
MAX_SIDE = 4096
"""Neither side of a gallery picture is longer, whatever the number of restorers."""


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        column: what made it: `LQ`, a restorer's name or `Reference`.
        sample: id of the image.
        sha256: of its pixels, or empty.
        problem: why it cannot be shown, or empty.
    """

    column: str
    sample: str
    sha256: str
    problem: str


@dataclass(frozen=True)
class Gallery:
    """Some images of one split: one row of tiles per sample, one column per restorer.

    Attributes:
        aligned: for each row whether eyes and mouth are where `regions` expects them.
    """

    dataset: str
    split: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Tile, ...], ...]
    aligned: tuple[bool, ...]


def gallery(group: Group, order: Sequence[str], most: int = 6, shown: Sequence[int] | None = None) -> Gallery:
    """Choose what to show of a group: some samples, restorers in the table's order.

    A restorer whose pictures are those of the LQ or of the reference has no column of its own.

    Args:
        group: one data set and split.
        order: names of the restorers.
        most: number of samples at most.
        shown: numbers of the samples; None spreads them evenly over the set.
    """
    shown = spread(len(group.images), most) if shown is None else shown
    given = {"LQ": [group.images[i].lq for i in shown], "Reference": [group.images[i].hq for i in shown]}
    restored: dict[str, list[tuple[str, str]]] = {}
    by_name = {entrant.name: entrant for entrant in group.entrants}
    for name in order:
        entrant = by_name.get(name)
        if entrant is None or entrant.skipped:
            continue
        tiles = list(_restored(entrant.tables[0], entrant.rows[0][shown].tolist()))
        if [sha256 for sha256, _ in tiles] not in given.values():
            restored[name] = tiles
    columns = {
        "LQ": [(sha256, "" if sha256 else "no LQ") for sha256 in given["LQ"]],
        **restored,
        "Reference": [(sha256, "" if sha256 else "no reference") for sha256 in given["Reference"]],
    }
    if not any(given["Reference"]):
        del columns["Reference"]
    rows = tuple(
        tuple(Tile(column, group.images[image].sample, *tiles[r]) for column, tiles in columns.items())
        for r, image in enumerate(shown)
    )
    return Gallery(group.dataset, group.split, tuple(columns), rows, _aligned(group, shown))


def _restored(table: CellTable, rows: Sequence[int]) -> Iterator[tuple[str, str]]:
    status, restored = table.texts("status"), table.texts("restored")
    for row in rows:
        problem = "not evaluated" if row < 0 else "failed" if status[row] != "ok" else ""
        yield "" if problem else str(restored[row]), problem


def _aligned(group: Group, shown: Sequence[int]) -> tuple[bool, ...]:
    """Say of each image whether anybody's table says that it is aligned."""
    tables = [(e.rows[0], e.tables[0].texts("alignment")) for e in group.entrants if "alignment" in e.tables[0].columns]
    return tuple(any(rows[i] >= 0 and texts[rows[i]] == ALIGNED for rows, texts in tables) for i in shown)


def spread(count: int, most: int) -> list[int]:
    """Return at most so many numbers below `count`, evenly spread."""
    return sorted({round(i * (count - 1) / max(1, min(count, most) - 1)) for i in range(min(count, most))})


def picture(store: Store, tile: Tile) -> Pixels | str:
    """Return a tile's pixels, or why they cannot be shown."""
    if tile.problem:
        return tile.problem
    try:
        return store.image(tile.sha256)
    except ImageError:
        return "damaged in the store" if store.image_path(tile.sha256).exists() else "not kept in the store"


def encoded(pixels: Pixels, side: int) -> bytes:
    """Return a picture as WebP whose longer side is at most `side`; for the page, never for scores."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=82, method=2)
    return buffer.getvalue()


def contact_sheet(shown: Gallery, store: Store, side: int = 160) -> bytes:
    """Draw a gallery as one PNG with headings; tiles shrink until neither side exceeds `MAX_SIDE`.

    A picture that is missing or damaged becomes a labelled empty tile.
    """
    columns, rows = len(shown.columns), len(shown.rows)
    side = min(side, (MAX_SIDE - _SIDE) // max(1, columns) - _GAP, (MAX_SIDE - _HEAD - _SIDE) // max(1, rows) - _GAP)
    width, height = columns * (side + _GAP) + _GAP, rows * (side + _GAP) + _HEAD
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = _font(13)
    for c, name in enumerate(shown.columns):
        x = _GAP + c * (side + _GAP)
        draw.text((x + side / 2, _HEAD / 2), _fit(name, font, side), _INK, font, anchor="mm")
        for r, row in enumerate(shown.rows):
            _paste(sheet, draw, picture(store, row[c]), (x, _HEAD + r * (side + _GAP)), side)
    return encode_png(np.asarray(sheet))


def _paste(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, found: Pixels | str, place: tuple[int, int], side: int
) -> None:
    x, y = place
    if isinstance(found, str):
        draw.rectangle((x, y, x + side - 1, y + side - 1), outline=_FAINT)
        font = _font(11)
        draw.text((x + side / 2, y + side / 2), _fit(found, font, side - 8), _FAINT, font, anchor="mm")
        return
    image = Image.fromarray(np.ascontiguousarray(found))
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    sheet.paste(image, (x + (side - size[0]) // 2, y + (side - size[1]) // 2))


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it: the same letters on every machine."""
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _fit(label: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}…") > width:
        label = label[:-1]
    return f"{label}…"
