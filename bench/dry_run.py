"""What a command would do: cells, images, weights, what is missing, and what it would cost.  Nothing is run.

Nothing is fetched or written to `out` either, so that a table of a paper can be looked at before its data are here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import weights
from .api import FolderRestorer, Restorer
from .configuration import run_request, specs, splits
from .errors import RestorebenchError, StoreError
from .files import as_path
from .identity import metric_weights
from .plan import Plan, make
from .storage import results
from .storage.store import Store


class File(NamedTuple):
    """One trained or published file; `who` asks for it."""

    name: str
    who: str
    state: str
    licence: str

    @property
    def absent(self) -> bool:
        """Whether it would have to be fetched, or given, first."""
        return self.state not in ("verified", "unverified")


@dataclass(frozen=True)
class DryRun:
    """What a command would do.

    Attributes:
        plan: of the parts that can be had; None where nothing is left.
        files: weights that are asked for, present or not.
        missing: data sets and restorers that cannot be had, one line each; absent weights are in `files`.
        expected: what a data set that is missing would add, one line each.
        notes: how the data sets that are here differ from their cards.
        seconds: restorer -> seconds per image in earlier runs of this `out`.
    """

    plan: Plan | None
    files: tuple[File, ...]
    missing: tuple[str, ...]
    expected: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: Mapping[str, float]

    def lines(self) -> Iterator[str]:
        """Yield the report for people."""
        yield from self._cells()
        yield from self.expected
        yield from self._weights()
        yield from (f"note: {note}" for note in self.notes)
        yield from (f"missing: {item}" for item in self.missing)
        yield from self._cost()
        yield "dry run: nothing was run or fetched"

    def _cells(self) -> Iterator[str]:
        images = self._images()
        for (dataset, split), restorers in self._restorers().items():
            names = ", ".join(f"{name} x {seeds} seeds" if seeds > 1 else name for name, seeds in restorers.items())
            yield f"{dataset}, {split}: {images.get(dataset, 0)} images: {names}"
        if self.plan:
            metrics = [metric.name for metric in self.plan.job.metrics]
            cells = len(self.plan.cells)
            total = sum(images.get(cell.dataset, 0) for cell in self.plan.cells)
            yield f"{cells} cells, {total} images to restore and score by {', '.join(metrics)}"

    def _weights(self) -> Iterator[str]:
        groups: dict[tuple[str, str, str, str], list[str]] = {}
        for file in self.files:
            folder = file.name.rpartition("/")[0]
            groups.setdefault((file.who, folder or file.name, file.state, file.licence), []).append(file.name)
        for (who, name, state, licence), several in groups.items():
            what = several[0] if len(several) == 1 else f"{name} ({len(several)} files)"
            wanted = several[0] if len(several) == 1 else name
            fetch = "" if state in ("verified", "unverified") else f"; restorebench weights fetch {wanted}"
            yield f"weights {what} of {who}: {state}, licence: {licence}{fetch}"

    def _cost(self) -> Iterator[str]:
        images = self._images()
        wanted: Counter[str] = Counter()
        for cell in self.plan.cells if self.plan else ():
            wanted[cell.restorer] += images.get(cell.dataset, 0)
        known = {name: count * self.seconds[name] for name, count in wanted.items() if name in self.seconds}
        for name, seconds in known.items():
            yield f"cost of {name}: {_duration(seconds)} at {self.seconds[name]:.3g} s per image, as before in this out"
        if unknown := [name for name in wanted if name not in known]:
            yield f"cost of {', '.join(unknown)}: not known; a run with limit=4 in the same out measures it"
        if known:
            yield f"cost of restoring, as far as known: {_duration(sum(known.values()))}; scoring and finished work apart"

    def _images(self) -> dict[str, int]:
        """Images of each data set; a set's shards of one cell hold each of them once."""
        if self.plan is None:
            return {}
        found: dict[str, int] = {}
        for dataset in self.plan.datasets:
            cells = [cell.key for cell in self.plan.cells if cell.dataset == dataset and not cell.skipped]
            shards = [shard for group in self.plan.shards for shard in group if cells and shard.cell.key == cells[0]]
            found[dataset] = sum(len(shard.samples) for shard in shards)
        return found

    def _restorers(self) -> dict[tuple[str, str], Counter[str]]:
        found: dict[tuple[str, str], Counter[str]] = {}
        for cell in self.plan.cells if self.plan else ():
            name = f"{cell.restorer} (weights missing)" if cell.skipped else cell.restorer
            found.setdefault((cell.dataset, cell.split), Counter())[name] += 1
        return found

    @property
    def status(self) -> int:
        """Exit status: 0 when everything is here, 3 when something is missing."""
        return 3 if self.missing or any(file.absent for file in self.files) else 0


def dry_run(config: Mapping[str, Any], splits_chosen: bool) -> DryRun:
    """Look at what a composed configuration of `run` asks for.

    Args:
        config: the composed configuration, plain.
        splits_chosen: whether the user named a degradation.

    Raises:
        ConfigError: a setting is wrong, whatever data and weights are here.
    """
    missing: list[str] = []
    files: list[File] = []
    here: dict[str, dict[str, Any]] = {"dataset": {}, "adapter": {}}
    for group, usable in here.items():
        for name, part in config[group].items():
            problem = _problem(group, str(name), part, files)
            if problem:
                missing.append(problem)
            else:
                usable[name] = part
    for name, spec in specs(config["metric"], "metric").items():
        try:
            files += _files(f"metric {name}", metric_weights(spec.build()))
        except RestorebenchError as error:  # such as the statistics of a reference set that are not here
            missing.append(f"metric {name}: {error}")
    plan = None
    if here["dataset"] and here["adapter"]:
        plan = make(replace(run_request({**config, **here}, splits_chosen), fetch=False))
    cards = plan.datasets if plan else {}
    notes = [f"data set {name}: {card['differs']}" for name, card in cards.items() if card["differs"]]
    seconds = _seconds(as_path(str(config["out"])))
    expected = _expected(config, [name for name in config["dataset"] if name not in here["dataset"]])
    return DryRun(plan, tuple(files), tuple(missing), tuple(expected), tuple(notes), seconds)


def _expected(config: Mapping[str, Any], absent: Sequence[str]) -> Iterator[str]:
    """Say what the data sets that are not here would add, by their cards."""
    made = list(splits(config["degradation"]))
    for name in absent:
        part = config["dataset"][name]
        card = part if isinstance(part, Mapping) else {}
        limits = card.get("count"), card.get("limit"), config["limit"]
        count = min((limit for limit in limits if isinstance(limit, int) and limit > 0), default=0)
        images = f"{count} images" if count else "images not counted by its card"
        yield f"{name}, {', '.join(made)}: {images}, not here: {', '.join(config['adapter'])}"


def _problem(group: str, name: str, part: Any, files: list[File]) -> str:
    """Return why a data set or a restorer cannot be used, or an empty string; note the files it asks for."""
    try:
        built = specs({name: part}, group)[name].build()
        asked = _files(f"{group} {name}", getattr(built, "weights", {}))
        files += asked
        absent = sum(file.absent for file in asked)
        if group == "dataset" and not absent:
            built.samples()
    except RestorebenchError as error:
        return f"{group} {name}: {error}"
    runs = isinstance(built, Restorer | FolderRestorer)  # the plan knows how to leave it out
    return f"{group} {name}: {absent} of its files are not here" if absent and not runs else ""


def _files(who: str, wanted: Mapping[str, str | None]) -> list[File]:
    found = []
    for name, own in wanted.items():
        if own is not None:
            state = "verified" if Path(own).expanduser().is_file() else "absent"
            found.append(File(str(own), who, state, "the user's own file"))
        else:
            (check,) = weights.verify([name])
            found.append(File(name, who, check.state, check.entry.licence))
    return found


def _seconds(out: Path) -> dict[str, float]:
    """Mean seconds per image of every restorer that ran in an `out` before."""
    try:
        tables: Sequence[results.CellTable] = results.load(Store(out)).tables
    except StoreError:
        return {}
    spent: dict[str, tuple[float, int]] = {}
    for table in tables:
        seconds = table.numbers("seconds")
        total, count = spent.get(table.cell.restorer, (0.0, 0))
        spent[table.cell.restorer] = (
            total + float(np.nansum(seconds)),
            count + int(np.count_nonzero(~np.isnan(seconds))),
        )
    return {name: total / count for name, (total, count) in spent.items() if count}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
