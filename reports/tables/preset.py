"""Presets: how a table is laid out, as `conf/table/*.yaml` says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...bench.errors import ConfigError

SPLIT, DATASET, NONE = "split", "dataset", "none"
_MOST_DIGITS = 15


@dataclass(frozen=True)
class Preset:
    """How a table is laid out; an empty choice means everything that is there.

    Attributes:
        name: of the files below `report/tables/`.
        title: what the caption starts with.
        source: where the layout was seen, or that it is ours.
        across: what groups of columns stand for: `split`, `dataset` or `none`.
        blocks: what blocks of rows stand for, likewise; what is neither gets a table each.
        rows: restorers, in this order.
        names: restorer -> its name in the table.
        card_names: call the others by the name on their card where no two share it; else as in the report.
        columns: metrics, in this order; `a|b` is the first that is there, and a metric of several identities has a
            column for each.
        columns_of: data set -> its own metrics.
        labels: metric -> its heading.
        digits: metric -> decimals.
        titles: split or data set -> title of its columns or rows.
        splits: splits, in this order.
        datasets: data sets, in this order.
        order: metrics that order the rows; else as in the report.
        intervals: show the 95 % interval beside each mean.
        daggers: mark what cannot be told from the best, and a best that leads all others.
        unranked: show rows that do not compete, such as the reference.
        published: show numbers in print of the same set, in rows of their own.
        published_by: documents whose numbers are shown.
        most_columns: number columns beside each other; further groups continue in a table below.
    """

    name: str
    title: str = ""
    source: str = ""
    across: str = NONE
    blocks: str = NONE
    rows: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    card_names: bool = False
    columns: tuple[str, ...] = ()
    columns_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    digits: Mapping[str, int] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    intervals: bool = False
    daggers: bool = True
    unranked: bool = True
    published: bool = False
    published_by: tuple[str, ...] = ()
    most_columns: int = 12


DEFAULT = Preset("default", blocks=SPLIT)
WIDE = Preset("wide", across=SPLIT)
"""The layouts of `leaderboard.md` and `leaderboard.tex`."""


def preset(name: str, config: Mapping[str, Any]) -> Preset:
    """Read a preset from its composed configuration, whose types `bench.schema.TableSchema` has checked.

    Args:
        name: the key below `report.table`.
        config: its settings.

    Raises:
        ConfigError: a number is out of range.
    """
    if config.get("most_columns", 1) < 1:
        raise ConfigError(f"report.table.{name}.most_columns: {config['most_columns']} is too few; use 1 or more")
    for metric, digits in (config.get("digits") or {}).items():
        if not 0 <= digits <= _MOST_DIGITS:
            raise ConfigError(f"report.table.{name}.digits.{metric}: {digits} is not between 0 and {_MOST_DIGITS}")
    known = {item.name for item in fields(Preset)}
    return Preset(**{**{key: _frozen(value) for key, value in config.items() if key in known}, "name": name})


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return {key: _frozen(item) for key, item in value.items()} if isinstance(value, Mapping) else value
