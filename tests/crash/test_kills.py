"""Killed with SIGKILL in any stage: one plain re-run gives the same bytes, and nothing finished is computed twice.

Three kills in each stage here; thirty with `make crash`, which prints the table of docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import faults
import pytest
from mlflow.tracking import MlflowClient
from worlds import SHARD, World, files

FEW, MANY = 3, int(os.environ.get("CRASH_KILLS", "30"))
SEED = random.SystemRandom().randrange(10**6)


def evaluation(world: World) -> tuple[str, ...]:
    return world.evaluation()


def with_weights(world: World) -> tuple[str, ...]:
    return world.evaluation("+adapter.bright.file=net")


def tracked(world: World) -> tuple[str, ...]:
    return tuple(argument for argument in world.evaluation() if argument != "mlflow.enabled=false")


def sweep(world: World) -> tuple[str, ...]:
    return world.evaluation("-m", "limit=2,4")


def fetch(world: World) -> tuple[str, ...]:
    return "weights", "fetch", "net"


def synthesize(world: World) -> tuple[str, ...]:
    splits = [argument for argument in world.evaluation() if "degradation" in argument]
    return "synthesize", "dataset=folder", f"dataset.root={world.faces}", *splits, f"out={world.out}"


def statistics(world: World) -> tuple[str, ...]:
    place = world.out / "references" / "faces.npz"
    metric = ("metric=[]", "+metric.colour._target_=fragile.ColourDistance")
    return "reference", "dataset=folder", f"dataset.root={world.faces}", *metric, f"out={place}", "batch=1", "threads=1"


def report(world: World) -> tuple[str, ...]:
    return "report", f"out={world.out}", "report.figures.enabled=false"


def board(world: World) -> object:
    return world.board


def everything(world: World) -> object:
    return files(world.out)


def weights(world: World) -> object:
    return files(world.folder / "home" / "weights")


def tracking(world: World) -> object:
    """The leaderboard, and all that MLflow shows, however often it was begun."""
    client = MlflowClient(f"sqlite:///{world.out / 'mlflow.db'}")
    found = {}
    for run in client.search_runs([e.experiment_id for e in client.search_experiments()]):
        points = {key: len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics}
        artifacts = sorted(a.path for a in client.list_artifacts(run.info.run_id))
        tags = run.data.tags
        name = tags.get("restorebench.cell") or tags.get("restorebench.curve") or "plan"
        assert name not in found, "two runs for one cell"
        found[name] = (
            run.info.status,
            run.data.metrics,
            run.data.params,
            points,
            artifacts,
            len(run.inputs.dataset_inputs),
        )
    return world.board, found


@dataclass(frozen=True)
class Stage:
    """What is killed, where, and what must be the same afterwards.

    Attributes:
        command: what runs.
        points: fault points, see `faults.py`; one is drawn for each kill.
        result: what must equal that of an undisturbed command.
        finished: every piece of work was committed before; nothing at all may be computed twice.
        torn: a file may also be left half written.
    """

    command: Callable[[World], tuple[str, ...]] = evaluation
    points: tuple[str, ...] = ()
    result: Callable[[World], object] = board
    finished: bool = False
    torn: bool = True


STAGES: Mapping[str, Stage] = {
    "download": Stage(with_weights, ("download", "weights file"), finished=True),
    "synthesis": Stage(points=("synthesis",), torn=False),
    "restoring": Stage(points=("restoring",), torn=False),
    "scoring": Stage(points=("scoring", "features"), torn=False),
    "writing images": Stage(points=("image",)),
    "writing features": Stage(points=("feature file",)),
    "commit": Stage(points=("commit",)),
    "cell table": Stage(points=("cell table",)),
    "plan record": Stage(points=("plan record",), finished=True),
    "report": Stage(points=("report file",), finished=True),
    "MLflow logging": Stage(tracked, ("MLflow",), tracking, finished=True, torn=False),
    "`-m` sweep": Stage(sweep, ("synthesis", "restoring", "scoring", "image", "commit", "cell table", "report file")),
    "`weights fetch`": Stage(fetch, ("download", "weights file"), weights),
    "`synthesize`": Stage(synthesize, ("synthesis", "synthesized file"), everything, torn=True),
    "`reference`": Stage(statistics, ("features", "statistics file"), everything),
    "`report`": Stage(report, ("report file",), finished=True),
}


class Kill(NamedTuple):
    """What one kill cost: the fault, and how many images were restored, scored, extracted or degraded twice."""

    fault: faults.Fault
    repeated: int


@pytest.fixture(scope="session")
def baselines(undisturbed: World, catalogue: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    """Every command undisturbed, once: the passages of each fault point, and the result."""
    known: dict[str, tuple[World, dict[str, int], object]] = {}

    def baseline(stage: Stage) -> tuple[World, dict[str, int], object]:
        name = stage.command.__name__
        if name not in known:
            world = replace(undisturbed.at(tmp_path_factory.mktemp(name)), more=catalogue)
            prepare(stage, undisturbed, world)
            ended = world.run(*stage.command(world), passages=str(world.folder / "passages"))
            assert ended.status == 0, ended.output
            known[name] = world, json.loads((world.folder / "passages").read_text())["passages"], stage.result(world)
        return known[name]

    return baseline


def prepare(stage: Stage, undisturbed: World, world: World) -> None:
    if stage.command is report:
        shutil.copytree(undisturbed.out / "store", world.out / "store")


def kill(stage: Stage, number: int, draw: random.Random, baseline, undisturbed: World, folder: Path) -> Kill:
    """Kill one command, run it again, and compare."""
    calm, passages, expected = baseline(stage)
    point = draw.choice(stage.points)
    files_too = stage.torn and point not in ("download", "synthesis", "restoring", "scoring", "features")
    how = draw.choice(["before", "torn", "after"] if files_too else ["before", "after"])
    fault = faults.Fault(point, draw.randint(1, passages[point]), how)
    world = calm.at(folder / str(number))
    prepare(stage, undisturbed, world)
    killed = world.run(*stage.command(world), fault=fault)
    assert killed.status == -signal.SIGKILL, (fault, killed.output)
    again = world.run(*stage.command(world))
    assert again.status == 0, (fault, again.output)
    assert stage.result(world) == expected, fault
    repeated = world.repeated(calm.log)
    kinds = {what.split()[0] for what in repeated}
    for kind in kinds:
        most = 2 * SHARD if kind == "extract" else SHARD  # of each restored image and its reference
        again_of_kind = sum(count for what, count in repeated.items() if what.startswith(kind))
        assert again_of_kind <= most or stage.command is not evaluation, (fault, repeated)
    if stage.finished:
        assert not repeated, (fault, repeated)
    shutil.rmtree(world.folder)
    return Kill(fault, sum(repeated.values()))


@pytest.mark.parametrize("name", STAGES)
def test_a_killed_command_goes_on_and_ends_like_an_undisturbed_one(
    name: str, baselines, undisturbed: World, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    draw = random.Random(f"{SEED} {name}")
    for number in range(FEW):
        kill(STAGES[name], number, draw, baselines, undisturbed, tmp_path)


@pytest.mark.crash
@pytest.mark.parametrize("name", STAGES)
def test_many_kills_in_every_stage(name: str, baselines, undisturbed: World, tmp_path: Path) -> None:
    """Prints its row of the table: stage, kills, different faults, equal results, most computed twice."""
    draw = random.Random(f"{SEED} {name}")
    kills = [kill(STAGES[name], number, draw, baselines, undisturbed, tmp_path) for number in range(MANY)]
    faults_met = len({one.fault for one in kills})
    worst = max(one.repeated for one in kills)
    print(f"\n| {name} | {MANY} | {faults_met} | {MANY} of {MANY} | {worst or 'nothing'} |  seed {SEED}")
