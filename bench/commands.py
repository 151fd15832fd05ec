"""The commands, as Python functions: `run`, `score`, `synthesize`, `report`.

The command line calls the same functions; both compose the same configuration.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .configuration import compose_config, default_choices, run_request, score_request, specs, splits
from .errors import ConfigError, RestorebenchError
from .files import as_local_path, as_path, is_remote
from .overrides import chosen_groups, normalise
from .plan import Request
from .runlog import recorded, tell
from .trusted import allow

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from .dry_run import DryRun

COMPLETE, BAD_INPUT, INCOMPLETE = 0, 2, 3
"""Exit statuses of the command line."""


@dataclass(frozen=True)
class RunResult:
    """What a command left behind.

    Attributes:
        out: the output folder.
        leaderboard: long form, one row per restorer, data set, split and metric.
        costs: seconds per image.
        failed: number of failed rows of this command.
        skipped: parts that were asked for and left out, with reasons.
        plan_key: identity of the command in the store and in MLflow.
        absent: tables and metrics that the report was asked for by name and that are not in the results, a sentence each.
    """

    out: Path
    leaderboard: pd.DataFrame
    costs: pd.DataFrame
    failed: int
    skipped: tuple[Mapping[str, str], ...]
    plan_key: str
    absent: tuple[str, ...] = ()

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """One row per restorer, data set, split, seed and sample, one column per score; read when somebody asks."""
        import pandas as pd

        file = self.out / "report" / "per_image.parquet"
        return pd.read_parquet(io.BytesIO(file.read_bytes())) if len(self.leaderboard) else pd.DataFrame()

    @property
    def status(self) -> int:
        """Exit status: 0 complete, 3 finished with failed or skipped parts."""
        return INCOMPLETE if self.failed or self.skipped or self.absent else COMPLETE


def run(*overrides: str, console: Console | None = None, **selection: Any) -> RunResult:
    """Restore, score and report, like `restorebench run`.

    Args:
        *overrides: as on the command line, such as `"adapter.nlmeans.h=7"`.
        console: where progress is drawn; None draws nothing.
        **selection: top-level settings, such as `adapter=["input", "lanczos"]`, `out="first"`, `batch=1`.

    Raises:
        ConfigError: a selection, key or value is wrong.
        InputError: data cannot be used.
        StoreError: `out` cannot be written.
    """
    arguments = [*overrides, *as_overrides(selection)]
    config = compose_config("run", normalise(arguments, default_choices("run")))
    if config["dry_run"]:
        raise ConfigError("dry_run: nothing would be run; from Python, call restorebench.bench.commands.look(...)")
    request = run_request(config, bool({"degradation", "experiment"} & chosen_groups(arguments)))
    return perform(request, config, console, command=("run", *arguments))


def look(*overrides: str, **selection: Any) -> DryRun:
    """Return what `run` would do with the same arguments, like `restorebench run dry_run=true`; runs nothing."""
    from .dry_run import dry_run

    arguments = [*overrides, *as_overrides(selection)]
    config = compose_config("run", normalise(arguments, default_choices("run")))
    return dry_run(config, bool({"degradation", "experiment"} & chosen_groups(arguments)))


def score(
    restored: str | Path | Mapping[str, str | Path],
    reference: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    *overrides: str,
    console: Console | None = None,
    **selection: Any,
) -> RunResult:
    """Score folders of restored images, like `restorebench score`.

    Args:
        restored: a folder, or folders by name.
        reference: folder of references with the same names; None scores without.
        metrics: names such as `["psnr", "lpips_alex"]`; None takes the command's default.
        *overrides: as on the command line.
        console: where progress is drawn; None draws nothing.
        **selection: top-level settings, such as `out="scores"`.

    Raises:
        ConfigError, InputError, StoreError: as `run`.
    """
    chosen = dict(selection) if metrics is None else {"metric": list(metrics), **selection}
    arguments = [*overrides, *as_overrides({"restored": restored, "reference": reference, **chosen})]
    config = compose_config("score", normalise(arguments))
    return perform(score_request(config), config, console, command=("score", *arguments))


def synthesize(*overrides: str, console: Console | None = None, **selection: Any) -> dict[str, Path]:
    """Write degraded images and their parameters, like `restorebench synthesize`.

    Returns:
        The folder of each `dataset/split`, holding `lq/`, `native/` and `parameters.parquet`.
    """
    config = compose_config(
        "synthesize", normalise([*overrides, *as_overrides(selection)], default_choices("synthesize"))
    )
    return synthesize_config(config, console)[0]


def report(out: str | Path = "out", *overrides: str, **selection: Any) -> RunResult:
    """Rebuild tables, figures and page from the store alone, like `restorebench report`."""
    config = compose_config("report", normalise([*overrides, *as_overrides({"out": out, **selection})]))
    return report_config(config)


def as_overrides(selection: Mapping[str, Any]) -> list[str]:
    """Write keyword arguments as overrides."""
    return [f"{key}={_text(value)}" for key, value in selection.items()]


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return str(value)


# -- from a composed configuration -------------------------------------------------------------


def perform(
    request: Request,
    config: Mapping[str, Any],
    console: Console | None,
    *,
    command: Sequence[str] = (),
    final: bool = True,
) -> RunResult:
    """Plan, run, report and track one request.

    Args:
        request: what was asked for.
        config: the composed configuration, recorded with the results.
        console: where progress is drawn.
        command: the words behind `restorebench` that ask for the same, for whoever wants to repeat it.
        final: whether to build the report and project it to MLflow (a sweep does so once, at its end).
    """
    import pandas as pd

    from ..reports.tables.choices import choices
    from . import events
    from .driver import execute, record
    from .plan import make
    from .progress import Progress
    from .provenance import environment
    from .storage.locking import locked
    from .storage.store import Store
    from .trusted import remember

    choices(config["report"])  # what is wrong there is told before the work, not after it
    executor = specs({"executor": config["executor"]}, "executor")["executor"].build()
    started = time.monotonic()
    with recorded(request.out, "evaluation", environment()), locked(request.out):
        remember(request.metrics.values())
        plan = make(request)
        store = Store(request.out)
        events.planned(plan, store)
        for problem in store.unreadable:
            _say(console, problem)
        for name, card in plan.datasets.items():
            _tell_difference(console, name, str(card["differs"]))
        for line in plan.unaligned:
            _say(console, line)
        for part in plan.skipped:
            _say(console, f"skipped: {part['kind']} {part['name']}: {part['detail']}")
        with Progress(plan.images, console) as progress:
            failed = execute(plan, executor, store, progress)
        facts = {
            "config": _recorded(config),
            "command": ["restorebench", *command] if command else [],
            "environment": environment(),
            "sort": list(request.sort),
        }
        record(plan, store, facts)
        events.evaluated(plan, failed, time.monotonic() - started)
        if final and config["report"]["enabled"]:
            return finish(request.out, config, failed, plan.skipped, plan.key)
        empty = pd.DataFrame()
        return RunResult(request.out, empty, empty, failed, plan.skipped, plan.key)


def finish(
    out: Path, config: Mapping[str, Any], failed: int, skipped: tuple[Mapping[str, str], ...], plan_key: str
) -> RunResult:
    """Build the report of an `out` and project it to MLflow."""
    from ..reports.build import build
    from ..reports.tables.choices import choices

    started = time.monotonic()
    built = build(
        out,
        select=list(config["report"]["select"]) or None,
        sort=list(config["report"]["sort"]),
        shown=choices(config["report"]),
    )
    seconds = time.monotonic() - started
    tell("report", f"report: {len(built.paths)} files in {seconds:.1f} s", files=sorted(built.paths), seconds=seconds)
    tracked = config.get("mlflow", {})
    if tracked.get("enabled") and is_remote(out) and tracked["uri"] is None:
        warnings.warn(
            f"MLflow: {out} cannot hold its database; name one with mlflow.uri=..., or mlflow.enabled=false",
            stacklevel=2,
        )
    elif tracked.get("enabled"):
        from .tracking.projection import Shown, project

        made = {key: config["report"][key] for key in ("select", "sort", "published")}
        shown = Shown(built.board.results, built.leaderboard, built.places, built.paths, built.pictures, made)
        started = time.monotonic()
        project(out, config["mlflow"], shown, plan_key)
        tell("mlflow", f"MLflow is up to date after {time.monotonic() - started:.1f} s")
    return RunResult(out, built.leaderboard, built.costs, failed, skipped, plan_key, built.absent)


def _recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "hydra"}


def report_config(config: Mapping[str, Any]) -> RunResult:
    """Rebuild the report of `config["out"]`, brought back from a tracked run first if `config["source"]` names one."""
    out = as_path(config["out"])
    report = dict(config["report"])
    allow(config["trust"])
    if config["source"]:
        from .tracking.tracked import bring_back

        made = bring_back(config["source"], config["mlflow"]["uri"], out)
        report |= {key: value for key, value in made.items() if not report[key]}
    return finish(out, {**config, "report": report}, 0, (), "")


def synthesize_config(config: Mapping[str, Any], console: Console | None) -> tuple[dict[str, Path], int]:
    """Write every split of every data set; return the folders and the number of failed images."""
    from .synthesis import write_split

    out = as_local_path(config["out"], "out")
    wanted = {name: spec for name, spec in splits(config["degradation"]).items() if spec is not None}
    if not wanted:
        raise ConfigError("degradation: nothing to synthesize; try degradation=[mild,medium,severe]")
    datasets = {name: spec.build() for name, spec in specs(config["dataset"], "dataset").items()}
    folders: dict[str, Path] = {}
    failed = 0
    for dataset in datasets.values():
        samples = dataset.samples()[: config["limit"] or None]
        _tell_difference(console, dataset.card.name, dataset.card.differs)
        below = out if len(datasets) == 1 else out / dataset.card.name
        for split, spec in wanted.items():
            written = write_split(
                samples,
                split,
                spec,
                int(config["degradation"].get("seed", 0)),
                below,
                native=config["native"],
                console=console,
            )
            folders[f"{dataset.card.name}/{split}"] = written.folder
            counts = f"{written.written} written, {written.unchanged} unchanged, {written.failed} failed"
            tell("split", f"{dataset.card.name}, {split}: {counts}, in {written.folder}", split=split)
            failed += written.failed
    return folders, failed


def _tell_difference(console: Console | None, dataset: str, differs: str) -> None:
    """Say that a data set is not quite the published one."""
    if differs:
        _say(console, f"dataset {dataset}: {differs}")


def _say(console: Console | None, line: str) -> None:
    if console:
        console.print(line, style="yellow", markup=False, highlight=False)


__all__ = ["BAD_INPUT", "RestorebenchError", "RunResult", "report", "run", "score", "synthesize"]
