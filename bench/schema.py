"""The keys of each command's configuration and their types; Hydra refuses anything else.

The four groups (`adapter`, `dataset`, `degradation`, `metric`) hold one mapping with `_target_` per choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class MlflowSchema:
    """Where results are projected to; `uri: null` means a SQLite file inside `out`.

    `name` registers the run as a leaderboard; `artifacts` = where a new experiment keeps its files; `images` = faces
    of each cell; `pictures` = MiB of pictures that the run keeps, so that the page can be built again.
    """

    enabled: bool = True
    uri: str | None = None
    experiment: str = "restorebench"
    name: str | None = None
    artifacts: str | None = None
    images: int = 2
    pictures: int = 16


@dataclass
class RestorerSchema:
    """Seeds of stochastic restorers; several are averaged within an image before any interval."""

    seeds: list[int] = field(default_factory=lambda: [0])


class Groups(Enum):
    """What groups of columns, or blocks of rows, of a table stand for."""

    split = "split"
    dataset = "dataset"
    none = "none"


@dataclass
class TableSchema:
    """One preset of the group `table`; what the keys mean: `reports.preset.Preset` and docs/tables.md."""

    title: str = ""
    source: str = ""
    across: Groups = Groups.none
    blocks: Groups = Groups.none
    rows: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    card_names: bool = False
    columns: list[str] = field(default_factory=list)
    columns_of: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    digits: dict[str, int] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    splits: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    intervals: bool = False
    daggers: bool = True
    unranked: bool = True
    published: bool = False
    published_by: list[str] = field(default_factory=list)
    most_columns: int = 12


class Faces(Enum):
    """Which faces a gallery shows: evenly spread over the set, or chosen by the first metric of `report.sort`."""

    spread = "spread"
    worst = "worst"
    median = "median"
    best = "best"
    random = "random"


@dataclass
class FiguresSchema:
    """What the figures show.

    `metrics`: those drawn one by one, empty = those of `sort` and the next ones, six at most; `faces`, `choose` and
    `seed`: how many faces a gallery has and which; `insets`: parts of aligned faces shown enlarged below them.
    """

    enabled: bool = True
    metrics: list[str] = field(default_factory=list)
    faces: int = 3
    choose: Faces = Faces.spread
    seed: int = 0
    insets: list[str] = field(default_factory=lambda: ["eyes", "mouth"])


@dataclass
class ReportSchema:
    """What the report shows: `sort` = columns that order it, `select` = restorers to show (empty: all).

    `enabled: false` leaves everything in the store, for `restorebench report` later.  `table` = presets by name, chosen
    with `report.table=[NAME,...]`; `published` = show numbers in print in each of them.
    """

    enabled: bool = True
    sort: list[str] = field(default_factory=lambda: ["lpips_alex", "psnr"])
    select: list[str] = field(default_factory=list)
    table: dict[str, TableSchema] = field(default_factory=dict)
    published: bool = False
    figures: FiguresSchema = field(default_factory=FiguresSchema)


@dataclass
class EvaluationSchema:
    """Shared by `run` and `score`."""

    metric: dict[str, Any] = field(default_factory=dict)
    protocol: str = "standard"
    executor: Any = MISSING
    out: str = "out"
    batch: int = 4
    shard: int = 16
    threads: int = 0
    device: str = "auto"
    keep: bool = True
    limit: int = 0
    fetch: bool = True
    mlflow: MlflowSchema = field(default_factory=MlflowSchema)
    report: ReportSchema = field(default_factory=ReportSchema)


@dataclass
class RunSchema(EvaluationSchema):
    """`restorebench run`."""

    adapter: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    degradation: dict[str, Any] = field(default_factory=dict)
    restorer: RestorerSchema = field(default_factory=RestorerSchema)
    reference_row: bool = True
    dry_run: bool = False


@dataclass
class ScoreSchema(EvaluationSchema):
    """`restorebench score`; `restored` is a folder or a mapping of names to folders."""

    restored: Any = MISSING
    reference: str | None = None
    alignment: str = "auto"
    partial: bool = False
    reference_row: bool = True


@dataclass
class SynthesizeSchema:
    """`restorebench synthesize`."""

    dataset: dict[str, Any] = field(default_factory=dict)
    degradation: dict[str, Any] = field(default_factory=dict)
    out: str = "lq"
    limit: int = 0
    native: bool = True


@dataclass
class ReferenceSchema:
    """`restorebench reference`."""

    dataset: dict[str, Any] = field(default_factory=dict)
    metric: dict[str, Any] = field(default_factory=dict)
    out: str = "auto"
    merge: list[str] = field(default_factory=list)
    part: str = "1/1"
    rows: int = 4096
    batch: int = 16
    threads: int = 0
    device: str = "auto"
    limit: int = 0
    fetch: bool = True


@dataclass
class ReportCommandSchema:
    """`restorebench report`; `source` = a tracked run to bring back into `out` first."""

    out: str = "out"
    source: str | None = None
    trust: list[str] = field(default_factory=list)
    mlflow: MlflowSchema = field(default_factory=lambda: MlflowSchema(enabled=False))
    report: ReportSchema = field(default_factory=ReportSchema)


@dataclass
class StudySchema:
    """What a preference study asks; see conf/study.yaml."""

    restorers: list[str] = field(default_factory=list)
    split: str | None = None
    pairs: int = 100
    lq: bool = True
    question: str = "Which picture do you prefer?"
    seed: int = 0


@dataclass
class StudyCommandSchema:
    """`restorebench study`."""

    out: str = "out"
    host: str = "127.0.0.1"
    port: int = 8750
    study: StudySchema = field(default_factory=StudySchema)


def register() -> None:
    """Make the schemas known to Hydra; the primary configs name them in their defaults lists."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunSchema)
    store.store(name="score_schema", node=ScoreSchema)
    store.store(name="synthesize_schema", node=SynthesizeSchema)
    store.store(name="reference_schema", node=ReferenceSchema)
    store.store(name="report_schema", node=ReportCommandSchema)
    store.store(name="study_schema", node=StudyCommandSchema)
