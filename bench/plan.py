"""From what the user asked for to the shards that workers run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from .api import Dataset, FolderRestorer, GivenResults, Obtaining, PairMetric, Restorer, Sample, SetMetric
from .cell import Cell, MetricInfo, digest_of
from .errors import ConfigError, DatasetError, WeightsError, listing
from .identity import extractor_id, metric_id, metric_weights, restorer_id, split_id
from .provenance import cores
from .shards import Part, Shard, Shards
from .spec import Spec
from .weights import Weight, resolve

__all__ = ["REFERENCE", "Job", "Options", "Plan", "Request", "Shard", "make"]

REFERENCE = Spec("restorebench.adapters.baselines.Reference", {})
"""Builds the unranked row that shows what a perfect result scores."""


@dataclass(frozen=True)
class Options:
    """Settings that are not part of any identity, but of equal bits.

    Attributes:
        batch: images per forward pass.
        shard: samples per shard; what a worker holds in memory at once.
        threads: torch threads per worker; 0 = the processors this process may use.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        keep: keep restored, degraded and reference images in the store.
        limit: use the first so many samples of every set; 0 = all.
    """

    batch: int = 4
    shard: int = 16
    threads: int = 0
    device: str = "auto"
    keep: bool = True
    limit: int = 0


@dataclass(frozen=True)
class Request:
    """What the user asked for, as Specs by name."""

    adapters: Mapping[str, Spec]
    datasets: Mapping[str, Spec]
    splits: Mapping[str, Spec | None]
    metrics: Mapping[str, Spec]
    out: Path
    degradation_seed: int = 0
    restorer_seeds: tuple[int, ...] = (0,)
    reference_row: bool = True
    splits_chosen: bool = True
    options: Options = field(default_factory=Options)
    sort: tuple[str, ...] = ("lpips_alex", "psnr")
    protocol: str = "standard"
    fetch: bool = True


@dataclass(frozen=True)
class Job:
    """All a worker needs besides its shards; plain data, ready to be sent."""

    out: Path
    adapters: Mapping[str, Spec]
    splits: Mapping[str, Spec | None]
    metrics: tuple[MetricInfo, ...]
    degradation_seed: int
    options: Options


@dataclass(frozen=True)
class Plan:
    """Cells, their shards and everything that is skipped and why.

    `unaligned` says which restorers of aligned faces meet images that are not.
    """

    job: Job
    cells: tuple[Cell, ...]
    shards: Shards
    skipped: tuple[Mapping[str, str], ...]
    weights: tuple[Weight, ...]
    datasets: Mapping[str, Mapping[str, Any]]
    unaligned: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """Equal for equal commands on equal lists of samples."""
        cells = "".join(sorted(cell.key for cell in self.cells))
        metrics = "".join(sorted(metric.metric_id for metric in self.job.metrics))
        return digest_of(chain((cells, metrics), self.shards.names()))

    @property
    def images(self) -> int:
        """Number of images to restore and score, over all cells."""
        return self.shards.images


def make(request: Request) -> Plan:
    """List the samples, resolve the weights, and cut the work into shards.

    Raises:
        ConfigError: nothing to do, or two things of one name.
        DatasetError, PairingError: a data set or a folder of results cannot be used.
    """
    weights: dict[str, Weight] = {}
    skipped: list[dict[str, str]] = []
    metrics = tuple(_metric(name, spec, request.fetch, weights, skipped) for name, spec in request.metrics.items())
    _refuse_twins(metrics)
    restorers = [_restorer(name, spec, request.fetch, weights, skipped) for name, spec in request.adapters.items()]
    if not restorers:
        raise ConfigError("adapter: nothing selected; try adapter=[input,lanczos], or see: restorebench list adapters")
    cells: list[Cell] = []
    parts: list[Part] = []
    cards: dict[str, Mapping[str, Any]] = {}
    unaligned: list[str] = []
    for dataset, samples in _datasets(request).values():
        card = asdict(dataset.card)
        cards[dataset.card.name] = card
        wanted = samples[: request.options.limit or None]
        made = _cells(request, restorers, wanted, card)
        cells += made
        unaligned += _unaligned(dataset.card.name, made, wanted)
        parts.append(Part(tuple(c for c in made if not c.skipped), wanted, _given_results(restorers, samples)))
    job = Job(
        request.out,
        {**request.adapters, "reference": REFERENCE},
        request.splits,
        metrics,
        request.degradation_seed,
        replace(request.options, threads=request.options.threads or cores()),
    )
    shards = Shards(parts, request.options.shard)
    return Plan(job, tuple(cells), shards, tuple(skipped), tuple(weights.values()), cards, tuple(unaligned))


def _metric(
    name: str, spec: Spec, fetch: bool, weights: dict[str, Weight], skipped: list[dict[str, str]]
) -> MetricInfo:
    try:
        metric = spec.build()
    except WeightsError as error:  # of a file that says what it is, such as the statistics of a reference set
        skipped.append({"kind": "metric", "name": name, "reason": error.summary, "detail": str(error)})
        return MetricInfo(name, f"{name}: {spec.identity}", "set", spec, skipped=error.summary)
    if not isinstance(metric, PairMetric | SetMetric):
        raise ConfigError(f"metric.{name}: {spec.target} offers neither PairMetric nor SetMetric (see bench/api.py)")
    kind = "pair" if isinstance(metric, PairMetric) else "set"
    try:
        weights.update(resolve(metric_weights(metric), fetch=fetch))
        if fetch and isinstance(metric, Obtaining):
            metric.obtain()
    except WeightsError as error:
        skipped.append({"kind": "metric", "name": name, "reason": error.summary, "detail": str(error)})
        return MetricInfo(name, f"{metric.identity} v{metric.version}", kind, spec, skipped=error.summary)
    features = extractor_id(metric.extractor) if isinstance(metric, SetMetric) else ""
    return MetricInfo(name, metric_id(metric), kind, spec, features)


def _refuse_twins(metrics: Sequence[MetricInfo]) -> None:
    """Two metrics of one identity would read each other's numbers from the store."""
    names: dict[str, str] = {}
    for metric in metrics:
        if metric.metric_id in names:
            raise ConfigError(
                f"metric.{metric.name}: is the same as metric.{names[metric.metric_id]} ({metric.metric_id})"
            )
        names[metric.metric_id] = metric.name


@dataclass(frozen=True)
class _Chosen:
    name: str
    restorer: Any
    restorer_id: str
    skipped: str


def _restorer(name: str, spec: Spec, fetch: bool, weights: dict[str, Weight], skipped: list[dict[str, str]]) -> _Chosen:
    restorer = spec.build()
    if isinstance(restorer, GivenResults):
        return _Chosen(name, restorer, f"{spec.identity} v{restorer.version}", "")
    if not isinstance(restorer, Restorer | FolderRestorer):
        offers = "neither Restorer, FolderRestorer nor GivenResults (see bench/api.py)"
        raise ConfigError(f"adapter.{name}: {spec.target} offers {offers}")
    for file in restorer.weights.values():
        if file is not None and not Path(file).expanduser().is_file():
            raise ConfigError(f"adapter.{name}.checkpoint: {file} is not a file")
    try:
        weights.update(resolve(restorer.weights, fetch=fetch))
    except WeightsError as error:
        skipped.append({"kind": "adapter", "name": name, "reason": error.summary, "detail": str(error)})
        return _Chosen(name, restorer, f"{spec.identity} v{restorer.version}", error.summary)
    return _Chosen(name, restorer, restorer_id(spec, restorer), "")


def _datasets(request: Request) -> dict[str, tuple[Dataset, Sequence[Sample]]]:
    if not request.datasets:
        raise ConfigError("dataset: nothing selected; try dataset=builtin, or see: restorebench list datasets")
    found: dict[str, tuple[Dataset, Sequence[Sample]]] = {}
    for name, spec in request.datasets.items():
        dataset: Dataset = spec.build()
        if dataset.card.name in found:
            raise ConfigError(
                f"dataset.{name}: two sets are called '{dataset.card.name}'; give one dataset.{name}.name=..."
            )
        samples = dataset.samples()
        if not samples:
            raise DatasetError(f"dataset.{name}: no samples")
        found[dataset.card.name] = dataset, samples
    return found


def _splits_for(request: Request, chosen: Sequence[_Chosen], samples: Sequence[Sample]) -> Mapping[str, Spec | None]:
    """The splits of one set: `given` by default where the set brings LQ images, and only there."""
    brings_lq = samples[0].lq is not None
    if brings_lq and not request.splits_chosen:
        return {"given": None}
    runs = [row.name for row in chosen if not isinstance(row.restorer, GivenResults)]
    if "given" in request.splits and not brings_lq and runs:
        raise ConfigError(f"degradation=given: the data set brings no LQ images for {', '.join(runs)} to restore")
    if any(request.splits.values()) and samples[0].hq is None:
        raise ConfigError("degradation: the data set has no reference images to degrade; use degradation=given")
    return request.splits


def _cells(
    request: Request, chosen: Sequence[_Chosen], samples: Sequence[Sample], card: Mapping[str, Any]
) -> list[Cell]:
    rows = list(chosen)
    if request.reference_row and samples[0].hq is not None and all(c.name != "reference" for c in chosen):
        reference = REFERENCE.build()
        rows.append(_Chosen("reference", reference, restorer_id(REFERENCE, reference), ""))
    cells = []
    for severity, (split, spec) in enumerate(_splits_for(request, chosen, samples).items()):
        made = "" if spec is None else split_id(spec, spec.build(), request.degradation_seed)
        for row in rows:
            seeds = request.restorer_seeds if row.restorer.card.stochastic else request.restorer_seeds[:1]
            cells += [
                Cell(
                    restorer=row.name,
                    restorer_id=row.restorer_id,
                    dataset=card["name"],
                    split=split,
                    split_id=made,
                    severity=severity,
                    seed=seed,
                    ranked=row.restorer.card.ranked,
                    card=asdict(row.restorer.card),
                    dataset_card=card,
                    protocol=request.protocol,
                    skipped=row.skipped,
                )
                for seed in seeds
            ]
    return cells


def _unaligned(dataset: str, cells: Sequence[Cell], samples: Sequence[Sample]) -> list[str]:
    """Say which restorers want aligned faces where this set is known to have others."""
    strays = sum(sample.meta.get("alignment") == "none" for sample in samples)
    wanting = dict.fromkeys(c.restorer for c in cells if not c.skipped and c.card.get("alignment") == "ffhq_512")
    if not strays or not wanting:
        return []
    what = f"dataset {dataset}: {strays} of {len(samples)} images are no aligned faces, which {listing(wanting)} expect"
    return [f"{what}; cut faces out first with: restorebench align"]


def _given_results(chosen: Sequence[_Chosen], samples: Sequence[Sample]) -> dict[str, Mapping[str, Path]]:
    """Where each folder of results has the result of each sample; pairing is checked against the whole set."""
    ids = [sample.id for sample in samples]
    return {row.name: row.restorer.locate(ids) for row in chosen if isinstance(row.restorer, GivenResults)}
