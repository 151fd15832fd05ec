"""The numbers inside the page: every score of every listed image, packed, and the facts its script shows.

Scores are little-endian float32 columns and names of pictures are raw sha256 columns, both in base64; the script
unpacks a column when somebody looks at it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..comparisons import Pair
from ..figures import style
from ..figures.curves import legend
from ..grid import arrow
from ..leaderboard import Board
from ..rows import Row
from .listing import Listing, Meeting
from .media import Media
from .origin import weights

if TYPE_CHECKING:
    import pandas as pd

_COSTS = ("seconds_per_image", "parameters", "gflops", "memory_mib")
_USED = re.compile(r"(\S+)=([0-9a-f]{8})(?= |$)")
_BLANK = bytes(32)


def payload(
    board: Board,
    listed: Sequence[Listing],
    pairs: Sequence[Pair],
    spent: pd.DataFrame,
    linked: Media,
    pictures: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the page's script reads.

    Args:
        board: the leaderboard.
        listed: the images that the page can show.
        pairs: comparisons of restorers.
        spent: what restoring cost.
        linked: the pictures beside the page.
        pictures: those inside it, from `embedded.embedded`.
    """
    known = {str(item.get("name")): item for item in weights(board.results.plans)}
    ids = {row.metric: row.metric_id for row in board.rows}
    cells = {entrant.name: entrant.tables[0].cell for group in board.groups for entrant in group.entrants}
    here = linked.there | pictures.keys()
    return {
        "media": linked.base,
        "sort": list(board.sort),
        "metrics": {
            name: {
                "label": column.label,
                "unit": "" if column.unit in ("1", "images") else column.unit,
                "arrow": arrow(column),
                "digits": column.digits,
                "higher": column.higher_is_better,
                "count": column.unit == "images",
                "identity": ids.get(name, ""),
                "weights": _weights(ids.get(name, ""), known),
            }
            for name, column in board.columns.items()
        },
        "restorers": {
            name: {
                "identity": cell.restorer_id,
                "paper": str(cell.card.get("paper", "")),
                "input": cell.card.get("input"),
            }
            | {"weights": _weights(cell.restorer_id, known), "licence": str(cell.card.get("weights_licence", ""))}
            for name, cell in cells.items()
        },
        "sets": [_set(board, listing, pairs, spent, here) for listing in listed],
        "pictures": dict(pictures),
    }


def to_json(data: Mapping[str, Any]) -> str:
    """Write JSON that may stand inside a script element: no `<`, `>` or `&`, whatever the names in it are."""
    plain = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _weights(identity: str, known: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Name, sha256 and licence of the weights that an identity names."""
    found = []
    for name, start in _USED.findall(identity):
        item = known.get(name, {})
        sha256 = str(item.get("sha256") or "")
        full = sha256 if sha256.startswith(start) else start
        found.append([name, full, str(item.get("licence") or "unknown licence")])
    return found


def _set(
    board: Board,
    listing: Listing,
    pairs: Sequence[Pair],
    spent: pd.DataFrame,
    here: frozenset[str],
) -> dict[str, Any]:
    grid = listing.grid
    boxes = list(dict.fromkeys(crops for crops in listing.crops if crops))
    styles = {name: (colour, marker) for name, colour, marker in legend(grid)}
    shapes = {letter: shape for shape, letter in style.MARKERS.items()}
    rows = [row for row in board.rows if (row.dataset, row.protocol) == (grid.dataset, grid.protocol)]
    notes = {note: i for i, note in enumerate(dict.fromkeys(row.note for row in rows))}
    used = spent[spent["dataset"] == grid.dataset]
    return {
        "name": grid.dataset,
        "protocol": grid.protocol,
        "splits": list(grid.splits),
        "metrics": list(grid.columns),
        "restorers": [
            {
                "name": name,
                "ranked": name not in grid.unranked,
                "colour": styles[name][0],
                "shape": shapes.get(styles[name][1], ""),
            }
            for name in grid.restorers
        ],
        "total": listing.total,
        "samples": list(listing.samples),
        "hq": _digests(listing.hq, here),
        "boxes": boxes,
        "crops": _runs([boxes.index(crops) if crops else -1 for crops in listing.crops]),
        "groups": {meeting.group.split: _meeting(meeting, listing, here) for meeting in listing.meetings},
        "notes": list(notes),
        "cells": [_cell(row, notes[row.note]) for row in rows],
        "costs": [
            [str(r.restorer), str(r.split), str(r.device), *(_number(getattr(r, name)) for name in _COSTS)]
            for r in used.itertuples()
        ],
        "pairs": [_pair(pair) for pair in pairs if (pair.dataset, pair.protocol) == (grid.dataset, grid.protocol)],
    }


def _meeting(meeting: Meeting, listing: Listing, here: frozenset[str]) -> dict[str, Any]:
    lq, hq = list(meeting.lq), list(listing.hq)
    made: dict[str, str] = {}
    for entrant in meeting.group.entrants:
        if not entrant.skipped:
            digests = meeting.digests(entrant)
            made[entrant.name] = "lq" if digests == lq else "hq" if digests == hq else _digests(digests, here)
    return {
        "lq": _digests(lq, here),
        "made": made,
        "scores": {
            metric: {name: base64.b64encode(values.tobytes()).decode() for name, values in by_restorer.items()}
            for metric, by_restorer in meeting.scores.items()
        },
    }


def _cell(row: Row, note: int) -> list[Any]:
    value = [_number(number) for number in (row.value, row.ci_low, row.ci_high)]
    counts = [row.n, row.n_failed, row.n_seeds, row.rank, row.tier]
    digests = [row.dataset_digest[:12], row.lq_digest[:12]]
    return [row.split, row.restorer, row.metric, *value, *counts, row.reliable, note, *digests]


def _pair(pair: Pair) -> list[Any]:
    difference = [_number(number) for number in (pair.mean_difference, pair.ci_low, pair.ci_high, pair.p_holm)]
    effects = [_number(pair.rank_biserial), _number(pair.dz), pair.images_needed]
    return [pair.split, pair.metric, pair.first, pair.second, pair.n, *difference, pair.better, *effects]


def _digests(values: Sequence[str], here: frozenset[str]) -> str:
    """Pack the names of pictures; those that are nowhere are zeros, and all zeros are an empty text."""
    packed = b"".join(bytes.fromhex(value) if value in here else _BLANK for value in values)
    return base64.b64encode(packed).decode() if any(packed) else ""


def _runs(values: Sequence[int]) -> list[int] | int:
    """Write a list whose items are all the same as that item."""
    return values[0] if len(set(values)) == 1 else list(values)


def _number(value: Any) -> float | str | None:
    """JSON has no infinity: it is written as text."""
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    number = float(value)
    return number if math.isfinite(number) else ("inf" if number > 0 else "-inf")
