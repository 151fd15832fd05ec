"""How figures look, whoever draws them: inks, palette, markers, sizes, and bytes that are equal for equal figures."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ft2font import FT2Font

INK, FAINT = "#1a1b1e", "#c9cbd1"
"""Colours that the page replaces by its own, so that one drawing serves light and dark."""
UNRANKED = "#8a8d94"
"""Colour of restorers that do not compete."""
# Okabe and Ito's palette for all kinds of colour vision, without its yellow and black; Color Universal Design (2008)
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "X": "✖", "*": "★"}
"""Marker -> the letter that stands for it in a legend; colours and markers turn at different lengths, so that 24
restorers differ in print without colour."""
DASHES = ("-", "--", ":", "-.")
ONE_COLUMN, TWO_COLUMNS = 3.25, 6.875
"""Width in inches of one and of two columns of a paper (CVPR's style: 3.25 and 6.875)."""


@contextmanager
def settings(*, outlines: bool = True) -> Iterator[None]:
    """Draw and save figures inside this: fixed font, no mathematics in names, no date in files.

    Args:
        outlines: draw the letters of SVG as outlines, which look the same everywhere; else as text in the reader's
            font.
    """
    import matplotlib as mpl

    chosen: Any = {
        "svg.hashsalt": "restorebench",
        "svg.fonttype": "path" if outlines else "none",
        "pdf.fonttype": 42,  # TrueType, embedded; Type 3 is refused by the submission systems of most venues
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": 8,
    }
    with mpl.rc_context(chosen), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes each time."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue()).encode()


def pdf(figure: Figure) -> bytes:
    """Return a figure as PDF with its fonts embedded, the same bytes each time."""
    buffer = io.BytesIO()
    nothing: Any = {"CreationDate": None, "Creator": None, "Producer": None}
    figure.savefig(buffer, format="pdf", transparent=True, metadata=nothing)
    return buffer.getvalue()


def printable(text: str) -> str:
    """Return text that the figures' font can write, on one line; other letters become their code point.

    >>> printable("Ω 中")
    'Ω [U+4E2D]'
    """
    known = _glyphs()
    return "".join(c if ord(c) in known else f"[U+{ord(c):04X}]" for c in " ".join(text.split()))


def inches(text: str, points: float = 8) -> float:
    """Return the width of a line of text in the figures' font."""
    font = _font()
    font.set_size(points, 72)
    font.set_text(text)
    return float(font.get_width_height()[0]) / 64 / 72


def fit(text: str, width: float, points: float = 8) -> str:
    """Shorten text to so many inches; an ellipsis says so."""
    if inches(text, points) <= width:
        return text
    while text and inches(f"{text}…", points) > width:
        text = text[:-1]
    return f"{text}…"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(_font().get_charmap())


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    return FT2Font(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf")


def mark(place: int) -> dict[str, Any]:
    """Return colour, marker and dashes of the restorer at a place of a table."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": list(MARKERS)[place % len(MARKERS)],
        "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
    }


def legend(figure: Figure, looks: Mapping[str, Mapping[str, Any]], columns: int) -> None:
    """Name restorers below a figure.

    Args:
        figure: where.
        looks: name -> what a line of it looks like.
        columns: names beside one another at most.
    """
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **drawn) for drawn in looks.values()]
    # a name that starts with _ would be hidden
    labels = [f"{'' if not name.startswith('_') else chr(0x200B)}{printable(name)}" for name in looks]
    columns = max(1, min(columns, len(labels)))
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8, labelcolor=INK)


def plain(axis: Axes) -> None:
    """Take away what carries no number: three sides of the frame, ticks, and the ground."""
    axis.grid(color=FAINT, linewidth=0.6)
    axis.tick_params(colors=INK, length=0, labelsize=8)
    axis.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)
