"""Leaderboards of submissions as static pages: claimed and measured numbers of many systems, one page per data set.

Numbers share a column only where data set, its pixels, split, LQ pixels, protocol, metric and every choice behind the
metric are the same.  The pages need no network, no server and no script to be read.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bench.api import Column
from ..bench.cell import digest
from ..bench.errors import RestorebenchError
from ..bench.sharing.choice import Choice, spec
from ..bench.sharing.submission import Checked, Claim, Submission, Verification
from .grid import arrow

_TEMPLATES = Path(__file__).parent / "templates"
_UNKNOWN = 4  # digits of a metric that cannot be built here


@dataclass(frozen=True)
class Entry:
    """One submission of a folder.

    Attributes:
        file: its name below `entries/`.
        submission: what was claimed.
        verification: what was measured, or None.
    """

    file: str
    submission: Submission
    verification: Verification | None

    @property
    def numbers(self) -> Iterator[tuple[Claim, Checked | None]]:
        """Every claim and what was measured for it."""
        checked = self.verification.checked if self.verification else [None] * len(self.submission.claims)
        yield from zip(self.submission.claims, checked, strict=True)

    @property
    def verified(self) -> int:
        """How many of its numbers were verified."""
        return sum(one is not None and one.status == "verified" for _, one in self.numbers)


@dataclass(frozen=True)
class Cell:
    """One number on a page; `sort` is empty where there is none."""

    text: str
    sort: str
    below: str
    mark: str
    title: str


_NOTHING = Cell("", "", "", "", "not claimed")


def pages(entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return file name -> bytes of `index.html` and of one page per data set and protocol; equal entries, equal bytes."""
    entries = sorted(entries, key=lambda entry: (entry.submission.system.casefold(), entry.file))
    names = _names(entries)
    places = sorted({(c.dataset, c.dataset_digest, c.protocol) for e in entries for c in e.submission.claims})
    files = {place: f"board-{_slug(place)}.html" for place in places}
    found = {
        "index.html": _render(
            "shared_index.html.j2",
            title="Leaderboards",
            boards=[_summary(place, files[place], entries) for place in places],
            systems=[_system(entry, names) for entry in entries],
        )
    }
    for place, file in files.items():
        own = [entry for entry in entries if any(_place(claim) == place for claim in entry.submission.claims)]
        tables = list(_tables(place, own, names))
        heads = {head["identity"] + head["metric"]: head for table in tables for head in table["heads"]}
        found[file] = _render(
            "shared_board.html.j2",
            title=_title(place),
            digest=place[1],
            tables=tables,
            metrics=[*heads.values()],
            systems=[_system(entry, names) for entry in own],
        )
    return found


def _place(claim: Claim) -> tuple[str, str, str]:
    return claim.dataset, claim.dataset_digest, claim.protocol


def _title(place: tuple[str, str, str]) -> str:
    dataset, _, protocol = place
    return dataset if protocol == "standard" else f"{dataset}, {protocol}"


def _slug(place: tuple[str, str, str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", f"{place[0]} {place[2]}".lower()).strip("-")[:60]
    return f"{plain}-{digest(*place)[:6]}"


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """What pages call each entry: systems of one name get a short digest."""
    count = Counter(entry.submission.system for entry in entries)
    return {
        e.file: e.submission.system if count[e.submission.system] == 1 else f"{e.submission.system} ({e.file[:6]})"
        for e in entries
    }


# -- one page -----------------------------------------------------------------------------------


def _tables(
    place: tuple[str, str, str], entries: Sequence[Entry], names: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield one table per split and LQ pixels."""
    claims = [claim for entry in entries for claim in entry.submission.claims if _place(claim) == place]
    splits = list(dict.fromkeys((claim.split, claim.lq_digest) for claim in claims))
    several = Counter(split for split, _ in splits)
    twins = Counter(_column(head, entries).label for head in {(claim.metric, claim.metric_id) for claim in claims})
    for split, lq in splits:
        heads = list(dict.fromkeys((c.metric, c.metric_id) for c in claims if (c.split, c.lq_digest) == (split, lq)))
        facts = {head: _column(head, entries) for head in heads}
        numbers = {
            entry.file: {
                (claim.metric, claim.metric_id): (claim, checked)
                for claim, checked in entry.numbers
                if _place(claim) == place and (claim.split, claim.lq_digest) == (split, lq)
            }
            for entry in entries
        }
        best = {head: _best(facts[head], [own[head] for own in numbers.values() if head in own]) for head in heads}
        yield {
            "split": split if several[split] == 1 else f"{split} (LQ {lq[:6]})",
            "lq": lq,
            "heads": [_head(head, facts[head], twins) for head in heads],
            "rows": [
                {
                    "name": names[entry.file],
                    "file": entry.file,
                    "cells": [_cell(facts[head], numbers[entry.file].get(head), best[head]) for head in heads],
                    "n": max(claim.n for claim, _ in numbers[entry.file].values()),
                }
                for entry in entries
                if numbers[entry.file]
            ],
        }


def _column(head: tuple[str, str], entries: Sequence[Entry]) -> Column:
    """The facts of a metric's column, from the metric as it ships; nothing is loaded."""
    metric, _ = head
    for entry in entries:
        for claim in entry.submission.claims:
            if (claim.metric, claim.metric_id) == head:
                column = _known(entry.submission.metrics[claim.of], metric)
                if column:
                    return column
    return Column(metric, metric, "1", higher_is_better=True, low=-1, high=1, digits=_UNKNOWN)


def _known(choice: Choice, metric: str) -> Column | None:
    try:
        columns: Sequence[Column] = spec("metric", choice).build().columns
    except RestorebenchError:  # such as a metric of a newer version: its numbers are shown all the same
        return None
    return next((column for column in columns if column.name == metric), None)


def _head(head: tuple[str, str], column: Column, twins: Mapping[str, int]) -> dict[str, str]:
    metric, metric_id = head
    label = column.label if twins[column.label] == 1 else f"{column.label} ({digest(metric_id)[:4]})"
    return {
        "label": label,
        "arrow": arrow(column),
        "direction": "higher is better" if column.higher_is_better else "lower is better",
        "first": "descending" if column.higher_is_better else "ascending",
        "unit": "" if column.unit in ("1", "images") else column.unit,
        "metric": metric,
        "identity": metric_id,
    }


def _best(column: Column, numbers: Sequence[tuple[Claim, Checked | None]]) -> float | None:
    """The best verified value; what is only claimed competes with nobody."""
    values = [c.value for c, checked in numbers if checked is not None and checked.status == "verified"]
    return (max if column.higher_is_better else min)(values) if values else None


def _cell(column: Column, number: tuple[Claim, Checked | None] | None, best: float | None) -> Cell:
    if number is None:
        return _NOTHING
    claim, checked = number
    shown = f"{claim.value:.{column.digits}f}"
    if checked is None:
        return Cell(shown, repr(claim.value), "claimed", "claimed", "claimed by its authors, checked by nobody")
    if checked.status == "verified":
        mark = "verified best" if claim.value == best else "verified"
        title = f"measured {checked.measured:.6g}, tolerance {checked.tolerance:.1g}"
        return Cell(shown, repr(claim.value), "✓ verified", mark, title)
    if checked.status == "differs":
        return Cell(
            shown, repr(claim.value), f"≠ {checked.measured:.{column.digits}f} measured", "differs", checked.reason
        )
    return Cell(shown, repr(claim.value), "not measured", "claimed", checked.reason)


# -- facts --------------------------------------------------------------------------------------


def _summary(place: tuple[str, str, str], file: str, entries: Sequence[Entry]) -> dict[str, Any]:
    own = [(e, claim, one) for e in entries for claim, one in e.numbers if _place(claim) == place]
    return {
        "title": _title(place),
        "file": file,
        "digest": place[1],
        "splits": ", ".join(dict.fromkeys(claim.split for _, claim, _ in own)),
        "systems": len({entry.file for entry, _, _ in own}),
        "numbers": len(own),
        "verified": sum(one is not None and one.status == "verified" for _, _, one in own),
    }


def _system(entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    submission, check = entry.submission, entry.verification
    settings = ", ".join(f"{key}={value}" for key, value in sorted(submission.adapter.settings.items()))
    return {
        "name": names[entry.file],
        "file": entry.file,
        "paper": submission.paper,
        "url": submission.url,
        "contact": submission.contact,
        "adapter": f"{submission.adapter.name}{f' ({settings})' if settings else ''}",
        "weights": sorted(submission.weights.items()),
        "version": submission.restorebench,
        "verified": entry.verified,
        "numbers": len(submission.claims),
        "checked": "" if check is None else f"{check.date}, restorebench {check.restorebench}",
        "machine": "" if check is None else check.machine.get("gpus") or check.machine.get("cpu", ""),
    }


def _render(template: str, **facts: Any) -> bytes:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "shared.css"))
    script = (_TEMPLATES / "shared.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template(template).render(
        **facts,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_digest=_sha256(style),
        script_digest=_sha256(script),
    )
    return html.encode("utf-8", "replace")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
