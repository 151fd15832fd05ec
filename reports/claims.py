"""Numbers in print beside measured ones: claimed, measured, verified.

A printed number is compared only where system, set, split, recipe of the metric and number of images are the same;
else the line says which of them differ.  `published/names.yaml` says which names belong together.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .leaderboard import Board
from .rows import Row

_FOLDER = Path(__file__).parent / "published"

CLAIMED, MEASURED, VERIFIED = "claimed", "measured", "verified"
"""In print only; measured under the same conditions, outside the tolerance; measured within it."""


@dataclass(frozen=True)
class Printed:
    """One number as a document prints it; see `published/results.csv`.

    Attributes:
        value: as a number.
        step: half a unit of its last printed digit.
        seen: whether it was read in the source itself (`yes`), in a quotation, or otherwise.
    """

    system: str
    reported_by: str
    dataset: str
    split: str
    metric: str
    value: float
    step: float
    source: str
    seen: str


@dataclass(frozen=True)
class Claim:
    """One line of `published.csv`: a printed number beside a measured one.

    Attributes:
        difference: measured minus printed, where they compare.
        tolerance: largest difference that counts as verified.
        status: `claimed`, `measured` or `verified`.
        note: why they do not compare, or empty.
    """

    restorer: str
    dataset: str
    split: str
    protocol: str
    metric: str
    measured: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    system: str
    reported_by: str
    printed_set: str
    printed_split: str
    printed_metric: str
    printed: float
    difference: float | None
    tolerance: float | None
    status: str
    note: str
    source: str
    seen: str


def claims(board: Board) -> list[Claim]:
    """Put the printed numbers of the same system, set and kind of metric beside every number of a leaderboard."""
    cards = _cards(board)
    return [claim for row in board.rows if row.value is not None for claim in _claims(row, *cards[_place(row)])]


@lru_cache(maxsize=1)
def printed() -> tuple[Printed, ...]:
    """Return every number in print that is known."""
    with (_FOLDER / "results.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_printed(record) for record in csv.DictReader(file))


@lru_cache(maxsize=1)
def names() -> Mapping[str, Any]:
    """Return which of our names are which in print; see the file for its keys."""
    import yaml

    found: Mapping[str, Any] = yaml.safe_load((_FOLDER / "names.yaml").read_text(encoding="utf-8"))
    return found


def _printed(record: Mapping[str, str]) -> Printed:
    decimals = len(record["value"].partition(".")[2])
    return Printed(
        record["system"],
        record["reported_by"],
        record["dataset"],
        record["split"],
        record["metric"],
        float(record["value"]),
        0.5 * 10.0**-decimals,
        record["source"],
        record["seen_verbatim"],
    )


Place = tuple[str, str, str, str]


def _place(row: Row) -> Place:
    return row.restorer, row.dataset, row.split, row.protocol


def _cards(board: Board) -> dict[Place, tuple[str, Mapping[str, Any]]]:
    """The name on each restorer's card, and the card of the set it met; tables may call both otherwise."""
    return {
        (entrant.name, group.dataset, group.split, group.protocol): (
            str(entrant.tables[0].cell.card.get("name", "")),
            entrant.tables[0].cell.dataset_card,
        )
        for group in board.groups
        for entrant in group.entrants
    }


def _claims(row: Row, name: str, dataset_card: Mapping[str, Any]) -> Iterator[Claim]:
    known = names()
    system, dataset = known["restorers"].get(name), known["datasets"].get(str(dataset_card.get("name", "")))
    kind = next((kind for kind, facts in known["metrics"].items() if _is_kind(row, facts)), "")
    if system is None or dataset is None or row.metric.endswith("_missed"):
        return
    for item in printed():
        if (item.system, item.dataset, item.metric) == (system["system"], dataset["set"], kind):
            differs = list(_differing(row, item, system, dataset, str(dataset_card.get("differs", ""))))
            yield _claim(row, item, differs, known["metrics"][kind])


def _is_kind(row: Row, facts: Mapping[str, Any]) -> bool:
    return bool(re.match(facts["ours"], row.metric_id) and re.match(facts.get("column", ""), row.metric))


def _differing(
    row: Row, item: Printed, system: Mapping[str, Any], dataset: Mapping[str, Any], differs: str
) -> Iterator[str]:
    """Yield which keys of a comparison are not the same, and how."""
    if "only" in system and item.reported_by not in system["only"]:
        yield "system (release not stated)"
    if differs:
        yield "set (this copy differs from its card)"
    if item.split not in dataset["splits"].get(row.split, ()):
        yield f"split ({row.split}, in print: {item.split})"
    recipe = names()["metrics"][item.metric]["recipes"].get(item.reported_by)
    if recipe is None:
        yield "metric (recipe not stated)"
    elif not re.match(recipe, row.metric_id):
        yield "metric (another recipe)"
    if dataset["images"] and row.n != dataset["images"]:
        yield f"images ({row.n} of {dataset['images']})"


def _claim(row: Row, item: Printed, differs: Sequence[str], metric: Mapping[str, Any]) -> Claim:
    assert row.value is not None
    tolerance = float(metric["tolerance"]) + item.step
    difference = None if differs else row.value - item.value
    status = CLAIMED if difference is None else VERIFIED if abs(difference) <= tolerance else MEASURED
    return Claim(
        restorer=row.restorer,
        dataset=row.dataset,
        split=row.split,
        protocol=row.protocol,
        metric=row.metric,
        measured=row.value,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        n=row.n,
        system=item.system,
        reported_by=item.reported_by,
        printed_set=item.dataset,
        printed_split=item.split,
        printed_metric=item.metric,
        printed=item.value,
        difference=difference,
        tolerance=None if differs else tolerance,
        status=status,
        note=f"not comparable: {'; '.join(differs)}" if differs else "",
        source=item.source,
        seen=item.seen,
    )


def shown(found: Sequence[Claim], board: Board) -> list[dict[str, str]]:
    """Return the lines as the page shows them: the comparable first, then those that differ in fewest keys."""
    ordered = sorted(found, key=lambda claim: (claim.note != "", claim.note.count("; ")))
    return [
        {
            "restorer": claim.restorer,
            "where": f"{claim.dataset}, {claim.split}",
            "metric": board.columns[claim.metric].label,
            "measured": f"{claim.measured:.{board.columns[claim.metric].digits}f}",
            "printed": f"{claim.printed:g}",
            "by": claim.reported_by,
            "difference": "" if claim.difference is None else f"{claim.difference:+.3g}",
            "status": claim.status,
            "note": claim.note,
        }
        for claim in ordered
    ]
