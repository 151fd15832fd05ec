"""MLflow shows what the store holds, once, and never costs a result."""

from __future__ import annotations

import re
import shutil
from collections import OrderedDict
from pathlib import Path

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

import restorebench
from restorebench.bench.errors import ConfigError, StoreError

SELECTION = [
    "adapter=[input]",
    "+adapter.blend._target_=fakes.Blend",
    "metric=[]",
    "+metric.mae._target_=fakes.Mae",
    "report.figures.enabled=false",
]


def run(faces: Path, out: Path, *more: str) -> restorebench.bench.commands.RunResult:
    data = ["dataset=folder", f"dataset.folder.root={faces}", "degradation=[mild,severe]"]
    return restorebench.run(*data, *SELECTION, "executor=inline", *more, out=out)


@pytest.fixture(scope="module")
def tracked(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An `out` with its MLflow database."""
    out = tmp_path_factory.mktemp("tracked")
    run(small_faces, out)
    return out


def runs(out: Path) -> list[object]:
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def test_a_repeated_command_adds_nothing(tracked: Path, small_faces: Path) -> None:
    before = {r.info.run_id: r.data.metrics for r in runs(tracked)}
    assert len(before) == 1 + 3 * 2 + 3  # the command, its cells, a curve per restorer
    run(small_faces, tracked)
    assert {r.info.run_id: r.data.metrics for r in runs(tracked)} == before
    client = MlflowClient(f"sqlite:///{tracked / 'mlflow.db'}")
    for key, found in before.items():
        for name in found:
            points = client.get_metric_history(key, name)
            assert [point.step for point in points] == (
                [0, 1] if name.startswith("curve/") else points[:1] and [points[0].step]
            )


def artifacts(out: Path) -> list[str]:
    """Every file of every run, and what it holds by its length."""
    return sorted(f"{p.relative_to(out)} {p.stat().st_size}" for p in (out / "mlartifacts").rglob("*") if p.is_file())


def test_a_repeated_command_adds_no_file(tracked: Path, small_faces: Path) -> None:
    before = artifacts(tracked)
    assert (
        len([name for name in before if name.split()[0].endswith(".webp")]) == 2 * 2 * 2 * 3
    )  # cells, faces, LQ to HQ
    run(small_faces, tracked)
    assert artifacts(tracked) == before


def test_a_killed_projection_is_continued(small_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = []
    whole = MlflowClient.log_image

    def dies(self: MlflowClient, *arguments: object, **more: object) -> None:
        logged.append(more["key"])
        if len(logged) == 5:
            raise KeyboardInterrupt
        whole(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_image", dies)
        with pytest.raises(KeyboardInterrupt):
            run(small_faces, tmp_path)
    run(small_faces, tmp_path)
    assert len(runs(tmp_path)) == 1 + 3 * 2 + 3
    webp = [name for name in artifacts(tmp_path) if ".webp" in name]
    assert len(webp) == len({re.sub(r"\+timestamp.*", "", name) for name in webp}) == 2 * 2 * 2 * 3
    assert all(r.info.status == "FINISHED" for r in runs(tmp_path))


def test_another_command_on_the_same_folder_is_another_parent(tracked: Path, small_faces: Path) -> None:
    more = run(small_faces, tracked, "+adapter.soft._target_=fakes.Blend", "+adapter.soft.amount=0.4")
    parents = [r for r in runs(tracked) if "restorebench.plan" in r.data.tags]
    assert more.plan_key in {r.data.tags["restorebench.plan"] for r in parents}
    assert len(parents) == 2


def test_the_configuration_and_the_manifest_are_there(tracked: Path) -> None:
    client = MlflowClient(f"sqlite:///{tracked / 'mlflow.db'}")
    parent = next(r for r in runs(tracked) if "restorebench.plan" in r.data.tags)
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"config.yaml", "plan.json", "report", "store"} <= names
    assert parent.info.artifact_uri.startswith((tracked / "mlartifacts").as_uri())
    child = next(
        r for r in runs(tracked) if (r.data.tags.get("split"), r.data.tags.get("restorer")) == ("mild", "blend")
    )
    board = pd.read_csv(tracked / "report" / "leaderboard.csv")
    assert child.inputs.dataset_inputs[0].dataset.digest in set(board["dataset_digest"])
    assert {artifact.path for artifact in client.list_artifacts(child.info.run_id)} == {"manifest.csv", "images"}


def test_a_server_that_does_not_answer_costs_no_result(
    small_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.warns(UserWarning, match="MLflow was not updated"):
        result = run(small_faces, tmp_path, "mlflow.uri=http://127.0.0.1:9")
    assert result.status == 0
    assert (tmp_path / "report" / "leaderboard.csv").exists()


def test_a_copied_folder_has_artifacts_of_its_own(
    tracked: Path, small_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(tracked, tmp_path / "copy"))
    before = artifacts(tracked)
    monkeypatch.setattr(
        "mlflow.tracking._tracking_service.utils._artifact_repos_cache", OrderedDict()
    )  # as in a new process
    run(small_faces, copy, "limit=2", "mlflow.name=copy")
    assert artifacts(tracked) == before
    assert len(artifacts(copy)) > len(before)
    uri = f"mlflow.uri=sqlite:///{copy / 'mlflow.db'}"
    restorebench.report(tmp_path / "again", "source=mlflow:copy", uri, "report.figures.enabled=false")
    again, first = (folder / "report" / "leaderboard.csv" for folder in (tmp_path / "again", copy))
    assert again.read_bytes() == first.read_bytes()


def test_a_plain_name_and_a_known_run_are_needed(tracked: Path, tmp_path: Path) -> None:
    uri = f"mlflow.uri=sqlite:///{tracked / 'mlflow.db'}"
    with pytest.raises(ConfigError, match="is not mlflow:RUN_ID or mlflow:LEADERBOARD"):
        restorebench.report(tmp_path, "source=faces", uri)
    with pytest.raises(ConfigError, match=r"may hold letters, digits"):
        restorebench.report(tmp_path, "source='mlflow:a or b; --'", uri)
    with pytest.raises(StoreError, match="no run 'faces' and no leaderboard of this name"):
        restorebench.report(tmp_path, "source=mlflow:faces", uri)
    child = next(r for r in runs(tracked) if "restorer" in r.data.tags)
    with pytest.raises(StoreError, match="keeps no snapshot; name the parent run"):
        restorebench.report(tmp_path, f"source=mlflow:{child.info.run_id}", uri)
    with pytest.raises(StoreError, match="cannot be read from"):
        restorebench.report(tmp_path, "source=mlflow:faces", "mlflow.uri=http://127.0.0.1:9")
    assert not (tmp_path / "store").exists()
