"""`index.html`: one self-contained page that needs no network.

Everything it says is in the file: tables and drawings as markup, which a reader without JavaScript sees too; scores
and facts as one block of JSON; some pictures.  The other pictures are links to `report/media`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import claims, robustness
from ..comparisons import Pair
from ..costs import cost_facts
from ..figures.critical_difference import Standings
from ..grid import Grid, arrow
from ..leaderboard import Board
from .embedded import embedded
from .failures import failures
from .listing import Listing, thinned
from .media import NOTHING, Media
from .origin import commands, data_facts, environment, restorer_facts, skipped, weights
from .payload import payload, to_json
from .sections import Amount, sections

if TYPE_CHECKING:
    import pandas as pd

_TEMPLATES = Path(__file__).parents[1] / "templates"
_SCRIPTS = (
    "data", "chart", "switch", "table", "facts", "tradeoff", "spread", "pictures", "slider", "faces", "cases", "pairs",
    "start",
)  # fmt: skip
SIZE = 15_000_000
"""Bytes that no page exceeds."""
SCORES = 8_000_000
"""Bytes of a page for scores and names of pictures: about 3,000 images of 8 restorers on 3 splits by 10 metrics."""
PICTURES = 5_000_000
"""Bytes of a page for the pictures in it."""
_SHARES = ((1.0, 1.0), (0.5, 1.0), (0.0, 1.0), (0.0, 0.3), (0.0, 0.03))
"""How much of drawings, pictures and pairs, and of the images, a page takes along, until it is small enough."""
_DRAWINGS = Amount(curves=60, ranks=60)
_MOST_FAILURES = 500
_MOST_CLAIMS = 200
_LONGEST = 200_000  # characters of a configuration or a command line


@dataclass(frozen=True)
class Extra:
    """A section that another part of the report adds: a template of its own and what it reads, as `extra.facts`."""

    anchor: str
    heading: str
    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def page(
    board: Board,
    grids: Sequence[Grid],
    spent: pd.DataFrame,
    curved: Sequence[robustness.Robustness] = (),
    in_print: Sequence[claims.Claim] = (),
    *,
    pairs: Sequence[Pair] = (),
    standings: Sequence[Standings] = (),
    listed: Sequence[Listing] = (),
    linked: Media = NOTHING,
    extras: Sequence[Extra] = (),
) -> bytes:
    """Write the page, never larger than `SIZE`.

    Every text from the store is escaped; the only script and style are ours, admitted by their digests.

    Args:
        board: the leaderboard.
        grids: its tables, as `grid.grids` arranges them.
        spent: what restoring cost, from `costs.costs`.
        curved: the curves in numbers, from `robustness.robustness`.
        in_print: numbers in print beside measured ones, from `claims.claims`.
        pairs: comparisons of restorers, from `comparisons.comparisons`.
        standings: what the critical-difference diagrams show, from `critical_difference.standings`.
        listed: the images that can be looked at one by one, from `listing.listings`.
        linked: pictures beside the page, from `media.media`.
        extras: further sections.
    """
    facts = _facts(board, grids, spent, in_print)
    pictures = embedded(board.results.store, listed, board, PICTURES)
    inside = sum(map(len, pictures.values()))
    for share, images in _SHARES:
        most = Amount(int(share * _DRAWINGS.curves), int(share * _DRAWINGS.ranks))
        shown = _first(pictures, share * inside)
        few = [listing if images == 1 else thinned(listing, images) for listing in listed]
        data = payload(board, few, pairs[: int(share * len(pairs))], spent, linked, shown)
        html = _render(
            facts,
            sections=sections(board, grids, curved, standings, most),
            failures=facts["failed"][: int(_MOST_FAILURES * max(share, 0.1))],
            extras=extras,
            listed=few,
            payload=to_json(data),
            inside=len(shown),
            media=linked.base,
        )
        if len(html) <= SIZE:
            break
    return html


def _render(facts: Mapping[str, Any], **more: Any) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = _script(), (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    more["payload"] = Markup(more["payload"])  # noqa: S704 - JSON without <, > and &
    html = templates.get_template("index.html.j2").render(
        **facts,
        **more,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        style_digest=_sha256(style),
        script_digest=_sha256(script),
    )
    return html.encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _script() -> str:
    """Join the files of the page's script; each uses only what earlier ones define."""
    return "\n".join((_TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _first(pictures: Mapping[str, str], budget: float) -> dict[str, str]:
    """Return the first pictures that fit a number of bytes."""
    found = {}
    for sha256, data in pictures.items():
        budget -= len(data)
        if budget < 0:
            break
        found[sha256] = data
    return found


# -- facts --------------------------------------------------------------------------------------


def _facts(
    board: Board, grids: Sequence[Grid], spent: pd.DataFrame, in_print: Sequence[claims.Claim]
) -> dict[str, Any]:
    plans = board.results.plans
    failed = failures(board)
    return {
        "title": _title(grids),
        "summary": _summary(board, grids),
        "claims": claims.shown(in_print, board)[:_MOST_CLAIMS],
        "more_claims": max(0, len(in_print) - _MOST_CLAIMS),
        "failed": failed,
        "data": data_facts(board),
        "restorers": restorer_facts(board),
        "metrics": _metrics(board),
        "costs": cost_facts(spent),
        "commands": commands(plans),
        "weights": weights(plans),
        "skipped": skipped(plans),
        "environment": environment(plans),
        "config": _config(plans[-1].get("config")) if plans else "",
    }


def _title(grids: Sequence[Grid]) -> str:
    names = list(dict.fromkeys(grid.dataset for grid in grids))
    return f"Restoration on {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}"


def _summary(board: Board, grids: Sequence[Grid]) -> list[str]:
    ranked = {r for grid in grids for r in grid.restorers if r not in grid.unranked}
    splits = {(grid.dataset, split) for grid in grids for split in grid.splits}
    images = {group.dataset: len(group.images) for group in board.groups}
    protocols = dict.fromkeys(grid.protocol for grid in grids)
    return [
        _count(len(ranked), "restorer"),
        _count(len(splits), "split"),
        _count(sum(images.values()), "image"),
        f"protocol {', '.join(protocols)}",
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _metrics(board: Board) -> list[dict[str, str]]:
    ids = {row.metric: row.metric_id for row in board.rows}
    return [
        {"name": name, "label": column.label, "arrow": arrow(column), "unit": column.unit, "identity": ids[name]}
        for name, column in board.columns.items()
        if column.unit != "images"
    ]


def _config(config: object) -> str:
    import yaml

    if not config:
        return ""
    text = yaml.safe_dump(config, sort_keys=True, allow_unicode=True, default_flow_style=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… cut here; all of it is in the store's plan\n"
