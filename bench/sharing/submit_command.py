"""`restorebench submit out=DIR adapter=NAME`: the numbers of one restorer as a file that others can check."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ...reports.leaderboard import Board, board
from ..arguments import spelled
from ..configuration import DEGRADATION_SETTINGS
from ..errors import ConfigError, StoreError, suggest
from ..files import as_path, write_atomic
from ..spec import Spec
from ..storage import results
from ..storage.store import Store
from .choice import Choice, describe, spec
from .shipped import named, targets, unsafe
from .submission import FORMAT, Claim, Submission, canonical

_EPILOG = """\
The file holds the claimed numbers, the adapter with its settings, the sha256 of its weights, and how data, splits and
metrics are made; no path and no code.  What cannot be described to others (a command, a folder of results, a metric
or degradation of your own) is left out, with a line on stderr that says why.

examples:
  restorebench submit out=first adapter=realesrgan > realesrgan.json
  restorebench submit out=first adapter=cf1 --name "CodeFormer, w = 1" --paper "Zhou et al., NeurIPS 2022" --output cf1.json
  restorebench verify realesrgan.json
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 = written."""
    parser = argparse.ArgumentParser(
        prog="restorebench submit",
        description="Write the numbers of one restorer as a submission that others can check.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", default="out", metavar="DIR", help="output folder of the command (or: out=DIR)")
    parser.add_argument("--adapter", required=True, metavar="NAME", help="the restorer, as the tables call it")
    parser.add_argument("--name", metavar="TEXT", help="what others shall call it (default: the adapter's name)")
    parser.add_argument("--paper", default="", metavar="TEXT", help="citation")
    parser.add_argument("--url", default="", metavar="URL", help="project page, http or https")
    parser.add_argument("--contact", default="", metavar="TEXT", help="whom to ask")
    parser.add_argument("--output", metavar="FILE", help="where to write it (default: to the standard output)")
    chosen = parser.parse_args(spelled(arguments, ("out", "adapter", "name", "paper", "url", "contact", "output")))
    about = {"paper": chosen.paper, "url": chosen.url, "contact": chosen.contact}
    submission, left_out = submit(as_path(chosen.out), chosen.adapter, chosen.name or chosen.adapter, about)
    for line in left_out:
        sys.stderr.write(f"left out: {line}\n")
    if chosen.output:
        write_atomic(Path(chosen.output), canonical(submission))
    else:
        sys.stdout.buffer.write(canonical(submission))
        sys.stdout.flush()
    return 0


def submit(out: Path, adapter: str, name: str, about: Mapping[str, str]) -> tuple[Submission, list[str]]:
    """Describe the numbers that the newest command with an adapter left in a store.

    Args:
        out: the output folder.
        adapter: name of the restorer in tables.
        name: what the submission calls it.
        about: `paper`, `url` and `contact`.

    Returns:
        The submission, and one line for each thing that cannot be described to others.

    Raises:
        StoreError: there are no results.
        ConfigError: no command evaluated this adapter, or it cannot be described to others.
    """
    found = results.load(Store(out))
    plan = _plan(found, adapter)
    config = plan["config"]
    chosen = describe("adapter", adapter, config["adapter"][adapter])
    if config["degradation"].get("path", "opencv") != "opencv":
        raise ConfigError(
            "degradation.path: a submission is checked on the reference path; run with degradation.path=opencv"
        )
    left_out: list[str] = []
    sets = _described("dataset", _by_card(config["dataset"]), left_out)
    degradations = {
        split: None if value is None else choice
        for split, value in config["degradation"].items()
        if split not in DEGRADATION_SETTINGS
        and (value is None or (choice := _one("degradation", split, value, left_out)))
    }
    metrics = _described("metric", config["metric"], left_out)
    own = tuple(t for t in found.tables if t.cell.key in plan["cells"] and t.cell.restorer == adapter)
    made = board(replace(found, tables=own))
    claims = [claim for claim in _claims(made) if claim.dataset in sets and claim.of in metrics]
    if not claims:
        raise ConfigError(
            f"adapter={adapter}: no number of it can be claimed; {'; '.join(left_out) or 'none is finite'}"
        )
    return (
        Submission(
            format=FORMAT,
            system=name,
            restorebench=metadata.version("restorebench"),
            adapter=chosen,
            weights=_weights(found, plan, adapter, chosen),
            datasets={key: value for key, value in sets.items() if any(c.dataset == key for c in claims)},
            degradations=degradations,
            metrics={key: value for key, value in metrics.items() if any(c.of == key for c in claims)},
            degradation_seed=int(config["degradation"].get("seed", 0)),
            restorer_seeds=[int(seed) for seed in config["restorer"]["seeds"]] or [0],
            limit=int(config["limit"]),
            claims=claims,
            **about,
        ),
        left_out,
    )


def _plan(found: results.Results, adapter: str) -> Mapping[str, Any]:
    """The newest command that evaluated an adapter."""
    known: dict[str, None] = {}
    plan: Mapping[str, Any]
    for plan in reversed(found.plans):
        names = plan["config"].get("adapter") or {}
        known |= dict.fromkeys(names)
        if adapter in names:
            return plan
    given = {table.cell.restorer for table in found.tables}
    if adapter in given:
        raise ConfigError(f"adapter={adapter}: its results were given, not made here; nobody can make them again")
    raise ConfigError(
        f"adapter: no command evaluated '{adapter}'; there are {', '.join(known)}.{suggest(adapter, known)}"
    )


def _by_card(datasets: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Configurations of data sets by the names that tables use; sets of other packages are not built."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, config in datasets.items():
        ours = not unsafe(config) and set(named(config)) <= targets("dataset")
        found[str(Spec.of(config, f"dataset.{name}").build().card.name) if ours else name] = config
    return found


def _described(group: str, configs: Mapping[str, Any], left_out: list[str]) -> dict[str, Choice]:
    found = {name: _one(group, name, config, left_out) for name, config in configs.items()}
    return {name: choice for name, choice in found.items() if choice is not None}


def _one(group: str, name: str, config: Mapping[str, Any], left_out: list[str]) -> Choice | None:
    try:
        choice = describe(group, name, config)
        if group != "dataset":
            spec(group, choice)  # what needs more than ships is found out here, not by whoever checks
    except ConfigError as error:
        left_out.append(str(error))
        return None
    return choice


def _claims(made: Board) -> Iterator[Claim]:
    """Yield the finite numbers of a leaderboard of one restorer."""
    columns = {(shown, metric_id): column for (column, metric_id), shown in made.names.items()}
    of = {metric.metric_id: metric.name for table in made.results.tables for metric in table.metrics}
    for row in made.rows:
        if row.value is None or not math.isfinite(row.value) or row.unit == "images":
            continue
        if row.metric_id in of:  # the others are made from several metrics
            yield Claim(
                dataset=row.dataset,
                split=row.split,
                protocol=row.protocol,
                metric=columns.get((row.metric, row.metric_id), row.metric),
                of=of[row.metric_id],
                metric_id=row.metric_id,
                value=float(row.value),
                n=row.n,
                dataset_digest=row.dataset_digest,
                lq_digest=row.lq_digest,
            )


def _weights(found: results.Results, plan: Mapping[str, Any], adapter: str, chosen: Choice) -> dict[str, str]:
    """The sha256 of the trained files of an adapter, checked against the identity its cells carry."""
    identity = next(
        t.cell.restorer_id for t in found.tables if t.cell.key in plan["cells"] and t.cell.restorer == adapter
    )
    made = spec("adapter", chosen)
    restorer = made.build()
    recorded: dict[str, list[str]] = {}
    for item in (item for each in found.plans for item in each.get("weights", ())):
        recorded.setdefault(str(item["name"]), []).append(str(item["sha256"]))
    weights = {}
    for name in restorer.weights:
        sha256 = next((one for one in recorded.get(name, ()) if f" {name}={one[:8]}" in identity), None)
        if sha256 is None:
            raise StoreError(f"adapter={adapter}: the sha256 of {name} is in no record of a command; run it again")
        weights[name] = sha256
    if not identity.startswith(made.identity):
        raise ConfigError(f"adapter={adapter}: its results were made with other settings than the newest command's")
    return weights
