"""Every file that holds a table: the leaderboard's two, and five formats for each preset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..comparisons import Pair
from ..leaderboard import Board
from .arrange import arrange
from .data import to_csv, to_json
from .latex import latex, preview
from .markdown import markdown
from .preset import DEFAULT, WIDE, Preset
from .spreadsheet import workbook


def table_files(board: Board, presets: Sequence[Preset], pairs: Sequence[Pair]) -> Iterator[tuple[str, bytes]]:
    """Yield path below `report/` and bytes of every table.

    Args:
        board: the leaderboard.
        presets: those that were chosen; one that finds none of its columns here has no files.
        pairs: the leaderboard's comparisons.
    """
    yield "leaderboard.md", markdown(arrange(board, DEFAULT, pairs)).encode("utf-8", "replace")
    yield "leaderboard.tex", latex(arrange(board, WIDE, pairs)).encode()
    files = ["../leaderboard"]
    for preset in presets:
        tables = arrange(board, preset, pairs)
        if tables:
            files.append(preset.name)
            yield f"tables/{preset.name}.tex", latex(tables).encode()
            yield f"tables/{preset.name}.md", markdown(tables).encode("utf-8", "replace")
            yield f"tables/{preset.name}.csv", to_csv(tables)
            yield f"tables/{preset.name}.json", to_json(tables, preset.name)
            yield f"tables/{preset.name}.xlsx", workbook(tables)
    yield "tables/preview.tex", preview(files).encode()
