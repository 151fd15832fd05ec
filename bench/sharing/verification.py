"""Measuring a submission's numbers again, with what ships and with files that the person who checks points at."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ...reports.leaderboard import Board, board
from ...reports.rows import Row
from ..commands import perform
from ..configuration import compose_config, splits
from ..errors import ConfigError, InputError, WeightsError
from ..identity import restorer_id
from ..plan import Options, Request
from ..provenance import environment
from ..spec import Spec
from ..storage import results
from ..storage.store import Store
from ..weights import identity, resolve
from .choice import configure, spec
from .submission import VERIFIED_FORMAT, Checked, Claim, Submission, Verification

RELATIVE = 1e-4
"""Difference that devices and library versions make at most, relative to the value (docs/performance.md)."""

Places = Mapping[str, Mapping[str, str]]
"""Name of a data set -> key such as `root` -> folder; an empty name stands for every set."""


@dataclass(frozen=True)
class Means:
    """What the person who checks brings along.

    Attributes:
        out: where results go; the same folder again continues.
        data: where data sets lie.
        checkpoints: key such as `checkpoint` -> file, whose sha256 must be the claimed one.
        relative: see `RELATIVE`.
        options: device, threads and batch.
        fetch: download weights that are missing.
    """

    out: Path
    data: Places
    checkpoints: Mapping[str, str]
    relative: float = RELATIVE
    options: Options = field(default_factory=Options)
    fetch: bool = True


def verify(submission: Submission, means: Means, console: Any = None) -> Verification:
    """Measure every claim of a submission that can be measured here.

    Args:
        submission: as it was read; nothing in it is run.
        means: data, files and settings of the person who checks.
        console: where progress is drawn; None draws nothing.

    Raises:
        InputError: the submission contradicts itself or what ships.
        ConfigError: a choice or setting that may not be named from outside, or a file that is not the claimed one.
        DatasetError: a folder cannot be used.
    """
    made = spec("adapter", submission.adapter, means.checkpoints)
    absent = _weights(submission, made, means)
    groups: dict[tuple[str, str], list[Claim]] = {}
    for claim in submission.claims:
        groups.setdefault((claim.dataset, claim.protocol), []).append(claim)
    requests = {place: _request(submission, made, means, claims) for place, claims in groups.items()}
    reasons: dict[tuple[str, str], str] = {}
    for place, request in requests.items():
        if isinstance(request, str) or absent:
            reasons[place] = absent or str(request)
        else:
            perform(request, _config(request), console, final=False)
    seen = _measured(means.out, restorer_id(made, made.build())) if len(reasons) < len(groups) else None
    return Verification(
        format=VERIFIED_FORMAT,
        submission=submission,
        checked=[
            _not_measured(reasons[place], claim, means)
            if (place := (claim.dataset, claim.protocol)) in reasons or seen is None
            else _check(claim, seen, means)
            for claim in submission.claims
        ],
        restorebench=metadata.version("restorebench"),
        machine=_machine(),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def _weights(submission: Submission, made: Spec, means: Means) -> str:
    """Check that the trained files here are the claimed ones; return why they cannot be had, or an empty string."""
    restorer = made.build()
    if restorer.weights.keys() != submission.weights.keys():
        names = ", ".join(restorer.weights) or "none"
        raise InputError(
            f"weights: {submission.adapter.name} needs {names}; the file names {', '.join(submission.weights) or 'none'}"
        )
    try:
        here = identity(restorer.weights)
    except WeightsError as error:
        return str(error).splitlines()[0]
    for name, claimed in submission.weights.items():
        if here[name] == claimed:
            continue
        if restorer.weights[name] is not None:
            raise ConfigError(f"{restorer.weights[name]}: has sha256 {here[name]}, the claim is about {claimed}")
        return (
            f"{name}: the claim is about a file with sha256 {claimed}, the registered one has {here[name]}; whoever has "
            "that file checks with --checkpoint FILE"
        )
    try:
        resolve(restorer.weights, fetch=means.fetch)
    except WeightsError as error:
        return error.summary
    return ""


def _request(submission: Submission, made: Spec, means: Means, claims: Sequence[Claim]) -> Request | str:
    """What has to be run for the claims of one data set and protocol, or why it cannot be."""
    name = claims[0].dataset
    try:
        dataset = spec("dataset", submission.datasets[name], {**means.data.get("", {}), **means.data.get(name, {})})
    except ConfigError as error:
        if name in means.data or means.data.get(""):
            raise
        return str(error)
    called = str(dataset.build().card.name)
    if called != name:
        raise InputError(f"datasets: '{name}' is called '{called}' by its own settings")
    chosen = {
        key: None if choice is None else configure("degradation", choice)
        for key, choice in submission.degradations.items()
    }
    known = splits(chosen)
    wanted = list(dict.fromkeys(claim.split for claim in claims))
    missing = [split for split in wanted if split not in known]
    if missing:
        raise InputError(f"claims: split '{missing[0]}' is made by none of the degradations of the file")
    return Request(
        adapters={submission.adapter.name: made},
        datasets={name: dataset},
        splits={split: known[split] for split in known if split in wanted},
        metrics={key: spec("metric", submission.metrics[key]) for key in dict.fromkeys(claim.of for claim in claims)},
        out=means.out,
        degradation_seed=submission.degradation_seed,
        restorer_seeds=tuple(submission.restorer_seeds),
        reference_row=False,
        options=replace(means.options, limit=submission.limit),
        protocol=claims[0].protocol,
        fetch=means.fetch,
    )


def _config(request: Request) -> dict[str, Any]:
    """The configuration that is recorded with the results: what was run, and nothing of the file as it came."""
    groups = {"adapter": request.adapters, "dataset": request.datasets, "metric": request.metrics}
    config = compose_config("run", [])
    for group, specs in groups.items():
        config[group] = {name: {"_target_": one.target, **one.arguments} for name, one in specs.items()}
    config["degradation"] = {
        "seed": request.degradation_seed,
        **{name: one and {"_target_": one.target, **one.arguments} for name, one in request.splits.items()},
    }
    config["restorer"] = {"seeds": list(request.restorer_seeds)}
    return {**config, "limit": request.options.limit, "out": str(request.out), "protocol": request.protocol}


def _measured(out: Path, identity: str) -> Board:
    """The leaderboard of one restorer alone: its values are those of all of its images."""
    found = results.load(Store(out))
    own = tuple(table for table in found.tables if table.cell.restorer_id == identity)
    return board(replace(found, tables=own))


def _check(claim: Claim, seen: Board, means: Means) -> Checked:
    columns = {(shown, metric_id): column for (column, metric_id), shown in seen.names.items()}
    rows = [
        row
        for row in seen.rows
        if (row.dataset, row.split, row.protocol) == (claim.dataset, claim.split, claim.protocol)
        and columns.get((row.metric, row.metric_id), row.metric) == claim.metric
    ]
    row = next((row for row in rows if row.metric_id == claim.metric_id), None)
    if row is None or row.value is None:
        return _not_measured("; ".join(_why(claim, rows, row)), claim, means)
    other = [
        f"the {what} here have digest {here}, those of the claim {claimed}"
        for what, here, claimed in (
            ("references", row.dataset_digest, claim.dataset_digest),
            ("LQ images", row.lq_digest, claim.lq_digest),
        )
        if here != claimed
    ]
    if other:
        return _not_measured("; ".join(other), claim, means)
    tolerance = max(means.relative * abs(claim.value), 0.5 * 10.0 ** -seen.columns[row.metric].digits)
    difference = row.value - claim.value
    same = abs(difference) <= tolerance and row.n == claim.n
    reason = "" if same else f"measured minus claimed is {difference:+.6g}, on {row.n} images (claimed: {claim.n})"
    return Checked(measured=row.value, tolerance=tolerance, status="verified" if same else "differs", reason=reason)


def _why(claim: Claim, rows: Sequence[Row], row: Row | None) -> Iterator[str]:
    if row is not None:
        yield row.note or "no value here"
    elif rows:
        yield f"the metric here is {rows[0].metric_id}, that of the claim {claim.metric_id}"
    else:
        yield f"{claim.of} makes no {claim.metric} here"


def _not_measured(reason: str, claim: Claim, means: Means) -> Checked:
    return Checked(
        measured=None, tolerance=means.relative * abs(claim.value), status="not measured", reason=reason[:2000]
    )


def _machine() -> dict[str, str]:
    """Processor and libraries, for people; no name of the machine and no path."""
    facts = environment()
    named = {"cpu": facts["cpu"], "gpus": ", ".join(facts["gpus"]), "platform": facts["platform"], **facts["versions"]}
    return {name: str(value)[:2000] for name, value in named.items() if value}
