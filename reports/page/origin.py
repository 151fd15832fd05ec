"""Where the numbers come from: what the page says about software, data, weights and licences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...bench.cell import Cell
from ..leaderboard import Board
from ..leakage import known
from ..rows import one_line

_SHARE_ALIKE = re.compile(r"(CC )?BY(-NC)?-SA( \d\.\d)?", re.IGNORECASE)


@dataclass(frozen=True)
class DataFacts:
    """A data set as it was evaluated.

    Attributes:
        share_alike: the share-alike licence that pictures derived from it fall under, or empty.
    """

    name: str
    images: int
    digest: str
    lq_digests: Mapping[str, str]
    licence: str
    source: str
    note: str
    share_alike: str


@dataclass(frozen=True)
class RestorerFacts:
    """A restorer's card, as far as it was filled in, and what its scores here share with its training."""

    name: str
    paper: str
    task: str
    identity: str
    code_licence: str
    weights_licence: str
    trained_on: str
    losses: str
    leakage: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command that contributed to these results."""

    started: str
    line: str


def data_facts(board: Board) -> list[DataFacts]:
    """Describe the data sets, in the leaderboard's order."""
    found = []
    for name in dict.fromkeys(group.dataset for group in board.groups):
        groups = [group for group in board.groups if group.dataset == name]
        rows = [row for row in board.rows if row.dataset == name and row.dataset_digest]
        card = groups[0].entrants[0].tables[0].cell.dataset_card
        licence, note = str(card.get("licence", "unknown")), str(card.get("note", ""))
        share_alike = _SHARE_ALIKE.search(f"{licence} {note}")
        found.append(
            DataFacts(
                name=name,
                images=max(len(group.images) for group in groups),
                digest=rows[0].dataset_digest if rows else "",
                lq_digests={row.split: row.lq_digest for row in reversed(rows)},
                licence=licence,
                source=str(card.get("source", "")),
                note=note,
                share_alike=share_alike.group(0) if share_alike else "",
            )
        )
    return found


def restorer_facts(board: Board) -> list[RestorerFacts]:
    """Describe the restorers, in the leaderboard's order."""
    cells = {entrant.name: entrant.tables[0].cell for group in board.groups for entrant in group.entrants}
    order = [name for name in dict.fromkeys(row.restorer for row in board.rows) if name in cells]
    sets = {group.dataset: group.entrants[0].tables[0].cell.dataset_card for group in board.groups}
    ids = {row.metric: row.metric_id for row in board.rows if row.unit != "images"}
    metrics = {board.columns[name].label: metric_id for name, metric_id in ids.items()}
    return [_restorer(name, cells[name], tuple(known(cells[name].card, sets, metrics))) for name in order]


def _restorer(name: str, cell: Cell, leakage: tuple[str, ...]) -> RestorerFacts:
    card = cell.card
    return RestorerFacts(
        name=name,
        paper=str(card.get("paper", "")),
        task=str(card.get("task", "")),
        identity=cell.restorer_id,
        code_licence=str(card.get("code_licence", "unknown")),
        weights_licence=str(card.get("weights_licence", "unknown")),
        trained_on=", ".join(map(str, card.get("trained_on", ()))),
        losses=", ".join(map(str, card.get("losses", ()))),
        leakage=leakage,
    )


def commands(plans: Sequence[Mapping[str, Any]]) -> list[Command]:
    """Return the commands that contributed, newest first, written so that a shell reads them back.

    A command that left several plans, such as a sweep, is there once.
    """
    found: dict[str, Command] = {}
    for plan in reversed(plans):
        words = [str(word) for word in plan.get("command") or ()]
        if words:
            line = " ".join(map(_quoted, words))
            found.setdefault(line, Command(str(plan.get("started", "")), line))
    return list(found.values())


def _quoted(word: str) -> str:
    """Quote a word for a shell; one that holds quotes itself, such as `root='a b'`, stays readable in double ones."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def weights(plans: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the weights of all plans by name; a newer plan's record replaces an older one's."""
    return sorted(_by_name(plans, "weights").values(), key=lambda item: str(item.get("name")))


def skipped(plans: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (kind, name, reason) of what the newest plan left out."""
    items = plans[-1].get("skipped") or () if plans else ()
    return [(str(i.get("kind", "")), str(i.get("name", "")), one_line(str(i.get("reason", "")))) for i in items]


def environment(plans: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the newest plan's environment as pairs; what is nested is named by its path."""
    return list(_flat(plans[-1].get("environment") or {})) if plans else []


def _flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in sorted(data.items()):
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, "" if key == "versions" else f"{name}.")
        elif value not in (None, "", []):
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _by_name(plans: Sequence[Mapping[str, Any]], key: str) -> dict[str, Mapping[str, Any]]:
    return {str(item.get("name")): item for plan in plans for item in plan.get(key) or ()}
