"""The score of the NTIRE 2025 challenge on real-world face restoration, from the rows of its parts.

`CLIPIQA + MANIQA + MUSIQ / 100 + QALIGN / 5 + max(0, (10 - NIQE) / 10) + max(0, (100 - FID) / 100)` of the means over all
images, FID to FFHQ (the challenge's `eval.py`).  Its gate, AdaFace's cosine, is not applied: it bars entries and adds no number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from .rows import Row

PROTOCOL = "ntire2025"
TERMS: Mapping[str, Callable[[float], float]] = {
    "clipiqa": lambda value: value,
    "maniqa": lambda value: value,
    "musiq": lambda value: value / 100,
    "qalign": lambda value: value / 5,
    "niqe": lambda value: max(0.0, (10 - value) / 10),
    "fid": lambda value: max(0.0, (100 - value) / 100),
}
METRIC_ID = "ntire2025(clipiqa+maniqa+musiq/100+qalign/5+max(0,1-niqe/10)+max(0,1-fid_to_ffhq/100),gate=none)"


def score_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the score of every restorer that was evaluated under this protocol.

    Without one of the parts there is no score: the row says which are missing, and what the others add up to.
    """
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        part = _part(row)
        if row.protocol == PROTOCOL and part:
            found.setdefault((row.dataset, row.split, row.restorer), {})[part] = row
    for parts in found.values():
        yield _score(parts)


def _part(row: Row) -> str:
    """Return the term that a row is; FID only where it is to another set than the references."""
    name = row.metric.partition("~")[0]
    if name.startswith("fid_to_") or name == "fid_ffhq":
        return "fid"
    return name if name in TERMS and name != "fid" else ""


def _score(parts: Mapping[str, Row]) -> Row:
    terms = {
        name: term(value) for name, term in TERMS.items() if name in parts and (value := parts[name].value) is not None
    }
    missing = [name for name in TERMS if name not in terms]
    note = f"no score without {', '.join(missing)}; the others add up to {sum(terms.values()):.4f}" if missing else ""
    any_part = next(iter(parts.values()))
    return replace(
        any_part,
        metric=PROTOCOL,
        metric_id=METRIC_ID,
        unit="1",
        value=None if missing else sum(terms.values()),
        ci_low=None,
        ci_high=None,
        n=0 if missing else min(row.n for row in parts.values()),
        higher_is_better=True,
        rank=None,
        tier=None,
        reliable=None if missing else all(row.reliable is not False for row in parts.values()),
        note=note,
    )
