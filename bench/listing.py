"""`restorebench list adapters | datasets | degradations | metrics | protocols | tables | experiments | executors`: what can be selected."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from . import weights
from .api import GivenResults, PairMetric
from .errors import ConfigError, RestorebenchError
from .identity import metric_weights
from .spec import Spec

CONFIGURATIONS = Path(__file__).parent.parent / "conf"
KINDS = {
    "adapters": "adapter",
    "datasets": "dataset",
    "degradations": "degradation",
    "metrics": "metric",
    "protocols": "protocol",
    "tables": "table",
    "experiments": "experiment",
    "executors": "executor",
}


def main(arguments: Sequence[str]) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(
        prog="restorebench list",
        description="What can be selected with adapter=, dataset=, degradation=, metric=, executor=, report.table=.",
    )
    parser.add_argument("kind", choices=list(KINDS))
    group = KINDS[parser.parse_args(arguments).kind]
    columns = {
        "adapter": ("name", "system", "paper", "task", "weights", "licence of code / weights", "knobs"),
        "metric": ("name", "columns", "better", "unit", "needs", "weights", "identity"),
        "table": ("name", "layout seen in", "what"),
    }.get(group, ("name", "what"))
    table = Table(*columns, header_style="bold", show_lines=group == "adapter")
    table.columns[0].no_wrap = True  # names are what people copy
    for row in _rows(group):
        table.add_row(*row)
    Console().print(table, markup=False)
    return 0


def _rows(group: str) -> Iterator[tuple[str, ...]]:
    for path in sorted((CONFIGURATIONS / group).glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if group == "adapter":
            try:
                yield _adapter(path.stem, yaml.safe_load(text))
            except ConfigError:  # it needs more than a place, such as the command to run
                yield path.stem, "", "", "", "", "", _comment(text)
        elif group == "metric":
            try:
                yield _metric(path.stem, yaml.safe_load(text))
            except RestorebenchError:  # it needs a name, or the statistics of a reference set
                yield path.stem, "", "", "", "", "", _comment(text)
        elif group == "table":
            yield path.stem, str(yaml.safe_load(text)["source"]), _comment(text)
        else:
            yield path.stem, _comment(text)


def _adapter(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    restorer = Spec.of({**config, **_anywhere(config)}, f"adapter.{name}").build()
    card = restorer.card
    needed = {} if isinstance(restorer, GivenResults) else restorer.weights
    knobs = "\n".join(f"{knob}: {what}" for knob, what in card.knobs.items())
    licences = f"{card.code_licence} / {card.weights_licence}"
    return name, card.name, card.paper, card.task, _present(needed), licences, knobs


def _metric(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    metric = Spec.of(config, f"metric.{name}").build()
    pair = isinstance(metric, PairMetric)
    columns = metric.columns
    return (
        name,
        ", ".join(column.name for column in columns),
        ", ".join("higher" if column.higher_is_better else "lower" for column in columns),
        ", ".join(column.unit for column in columns),
        ", ".join(sorted(metric.needs)) or "nothing" if pair else "a set of references",
        _present(metric_weights(metric)),
        metric.identity,
    )


def _present(needed: Mapping[str, str | None]) -> str:
    """Say whether the weights are here, without fetching any."""
    if not needed:
        return "none needed"
    if any(file is not None for file in needed.values()):
        return "a file of your own"
    try:
        weights.resolve(needed, fetch=False)
    except RestorebenchError:
        groups = dict.fromkeys(name.partition("/")[0] for name in needed)
        return f"absent: restorebench weights fetch {' '.join(groups)}"
    return "present"


def _anywhere(config: Mapping[str, Any]) -> dict[str, str]:
    """Stand-ins for the places only the user knows."""
    return {key: "." for key, value in config.items() if value == "???"}


def _comment(text: str) -> str:
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("#") and "@package" not in line]
    return " ".join(lines)
