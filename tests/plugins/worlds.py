"""A folder in which one thing goes wrong, and the commands that are run in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import forking
import fragile

SHARD = 2
"""Images of a shard: the most that may be computed twice."""

RUN = (
    "run", "executor=inline", "dataset=folder", "adapter=[]", "+adapter.faint._target_=fragile.Brighter",
    "+adapter.bright._target_=fragile.Brighter", "+adapter.bright.by=0.2", "metric=[]",
    "+metric.distance._target_=fragile.Distance", "+metric.colour._target_=fragile.ColourDistance",
    f"shard={SHARD}", "batch=2", "threads=1", "device=cpu", "report.figures.enabled=false",
)  # fmt: skip
SPLITS = ("degradation=[]", "+degradation.soft._target_=fragile.Darker", "+degradation.hard._target_=fragile.Darker",
          "+degradation.hard.key=hard", "+degradation.hard.by=0.5")  # fmt: skip


@dataclass(frozen=True)
class World:
    """A folder in which one thing goes wrong, and how to run a command there.

    Attributes:
        folder: below which everything is written.
        server: runs the commands.
        faces: the data.
        more: variables of the environment.
    """

    folder: Path
    server: forking.Server
    faces: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def log(self) -> Path:
        return self.folder / "work.log"

    @property
    def board(self) -> bytes:
        return (self.out / "report" / "leaderboard.csv").read_bytes()

    def command(self, *arguments: str, **more: object) -> forking.Command:
        environment = {"FRAGILE_LOG": str(self.log), "RESTOREBENCH_HOME": str(self.folder / "home"), **self.more}
        return forking.Command(arguments, environment, **more)

    def run(self, *arguments: str, **more: object) -> forking.Ended:
        (ended,) = self.server.run(self.command(*arguments, **more))
        return ended

    def evaluation(self, *more: str) -> tuple[str, ...]:
        """Arguments of the run most tests disturb; it works in one process unless `more` chooses an executor."""
        chosen = any(argument.startswith("executor=") for argument in more)
        usual = tuple(argument for argument in RUN if not (chosen and argument.startswith("executor=")))
        return (*usual, *SPLITS, f"dataset.root={self.faces}", f"out={self.out}", "mlflow.enabled=false", *more)

    def repeated(self, undisturbed: Path) -> dict[str, int]:
        """Return the pieces of work that were begun more often than in an undisturbed run; none may be missing."""
        expected, found = fragile.work(undisturbed), fragile.work(self.log)
        assert not expected - found, "work is missing"
        return dict(found - expected)

    def at(self, folder: Path) -> World:
        """Return the same world in another folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return replace(self, folder=folder)


def files(folder: Path, suffixes: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the bytes of every file below a folder but hidden ones; of some suffixes only, if any are given."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if not suffixes or p.suffix in suffixes}
