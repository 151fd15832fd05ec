"""Scoring restored images: what the store already knows is not computed again.

Reference-side state is prepared once per batch of references and metric and kept for the current chunk,
because every restorer and split of the chunk is scored against the same references.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .api import FeatureExtractor, Meta, PairMetric, SetMetric
from .cell import MetricInfo
from .identity import score_key
from .images import to_tensor
from .lanes import Lanes
from .pictures import Picture
from .restoring import batches
from .states import States
from .storage.results import feature_key, score_column
from .storage.store import Commit, Store

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

One = TypeVar("One")
Result = TypeVar("Result")
Row = dict[str, float]

NO_REFERENCE = "no reference"
NO_LQ = "no LQ image"
NO_DEGRADATION = "the LQ was not made here"
NOT_APPLICABLE = frozenset({NO_REFERENCE, NO_LQ, NO_DEGRADATION})
"""Reasons that are no failures: the data set does not offer what the metric needs."""


@dataclass
class Subject:
    """One restored image on its way through the metrics.

    Attributes:
        scores: column of `CellTable.images` -> number; NaN is a miss.
        errors: metric name -> why this image has no number.
    """

    sample_id: str
    restored: Picture
    reference: Picture | None
    lq: Picture | None
    meta: Meta
    scores: dict[str, float]
    errors: dict[str, str]


@dataclass(frozen=True)
class _Part:
    """A batch of subjects with the keys of their scores, and the scores, or why there are none, in the same order."""

    info: MetricInfo
    keys: Sequence[str]
    subjects: Sequence[Subject]
    rows: Future[list[Row | Exception]]


class Scorer:
    """The metrics of a job, loaded on first use.

    Metrics without a network (`concurrent`) are scored in the lanes when they run on the CPU, all others by the
    calling thread.  Batches do not depend on it, and neither do the numbers.

    Args:
        infos: the metrics; skipped ones are left out.
        store: known scores and features.
        device: where networks run.
        batch: images per forward pass.
        lanes: for metrics without a network.
    """

    def __init__(
        self, infos: Sequence[MetricInfo], store: Store, device: torch.device, batch: int, lanes: Lanes
    ) -> None:
        self._store = store
        self._device = device
        self._batch = batch
        self._lanes = lanes
        self._pairs: list[tuple[MetricInfo, PairMetric]] = []
        self._extractors: dict[str, tuple[MetricInfo, FeatureExtractor]] = {}
        for info in infos:
            if info.skipped:
                continue
            metric: PairMetric | SetMetric = info.spec.build()
            if isinstance(metric, PairMetric):
                self._pairs.append((info, metric))
            else:
                self._extractors.setdefault(info.extractor_id, (info, metric.extractor))
        self._loaded: set[str] = set()
        self._states = States()

    def forget(self) -> None:
        """Drop the reference-side state of the last chunk."""
        self._states.clear()

    def missing(self, restored: str, reference: Picture | None, lq: Picture | None, meta: Meta) -> bool:
        """Say whether anything about this restored image still has to be computed."""
        pairs = any(
            self._key(info, metric, restored, reference, lq, meta) not in self._store.scores
            for info, metric in self._pairs
            if not _lacking(metric, reference, lq, meta)
        )
        return pairs or any(not self._store.has_features(feature_key(e, restored)) for e in self._extractors)

    def score(self, subjects: Sequence[Subject], commit: Commit) -> None:
        """Fill in the scores of the subjects; new ones also go into the commit.  Finishes what the lanes have to do."""
        parts = [
            part
            for info, metric in sorted(self._pairs, key=lambda pair: not self._in_lanes(pair[1]))
            for part in self._begin(info, metric, subjects, commit)
        ]
        for extractor_id, (info, extractor) in self._extractors.items():
            self._extract(info, extractor_id, extractor, subjects, commit)
        self._lanes.finish()
        for part in parts:
            for key, subject, row in zip(part.keys, part.subjects, part.rows.result(), strict=True):
                if isinstance(row, Exception):
                    subject.errors[part.info.name] = _reason(row)
                else:
                    commit.scores[key] = row
                    _fill(subject, part.info, row)
        columns = [score_column(info.metric_id, c.name) for info, metric in self._pairs for c in metric.columns]
        for subject in subjects:
            subject.scores = {column: subject.scores[column] for column in columns if column in subject.scores}

    # -- pair metrics -------------------------------------------------------------------------

    def _key(
        self, info: MetricInfo, metric: PairMetric, restored: str, ref: Picture | None, lq: Picture | None, meta: Meta
    ) -> str:
        used = json.dumps([meta.get(name) for name in metric.uses_meta], sort_keys=True) if metric.uses_meta else ""
        reference = ref.sha256 if ref and "reference" in metric.needs else None
        return score_key(info.metric_id, restored, reference, lq.sha256 if lq and "lq" in metric.needs else None, used)

    def _in_lanes(self, metric: PairMetric) -> bool:
        return self._device.type == "cpu" and getattr(metric, "concurrent", False)

    def _begin(self, info: MetricInfo, metric: PairMetric, subjects: Sequence[Subject], commit: Commit) -> list[_Part]:
        """Take over what is known and start on the rest."""
        todo: list[tuple[str, Subject]] = []
        for subject in subjects:
            if lacking := _lacking(metric, subject.reference, subject.lq, subject.meta):
                subject.errors[info.name] = lacking
                continue
            key = self._key(info, metric, subject.restored.sha256, subject.reference, subject.lq, subject.meta)
            known = self._store.scores.get(key) or commit.scores.get(key)
            if known is None:
                todo.append((key, subject))
            else:
                _fill(subject, info, known)
        return [
            self._part(info, metric, [todo[position] for position in positions])
            for positions in batches([subject.restored.size for _, subject in todo], self._batch)
        ]

    def _part(self, info: MetricInfo, metric: PairMetric, todo: Sequence[tuple[str, Subject]]) -> _Part:
        keys, subjects = zip(*todo, strict=True)
        work = partial(_divided, partial(self._compute, info, metric), subjects)
        if not self._in_lanes(metric):
            return _Part(info, keys, subjects, _done(work()))
        try:
            self._load(info.metric_id, metric)  # here: two lanes would load it twice
        except Exception as error:  # a plugin may raise anything
            return _Part(info, keys, subjects, _done([error] * len(subjects)))
        return _Part(info, keys, subjects, self._lanes.add(work))

    def _compute(self, info: MetricInfo, metric: PairMetric, subjects: Sequence[Subject]) -> list[Row]:
        import torch

        meta = [subject.meta for subject in subjects]
        with torch.inference_mode():
            self._load(info.metric_id, metric)
            state = None
            if "reference" in metric.needs:
                references = [subject.reference for subject in subjects if subject.reference]
                used = [[one.get(name) for name in metric.uses_meta] for one in meta]
                key = (info.metric_id, *(f"{r.sha256}{m}" for r, m in zip(references, used, strict=True)))
                state = self._states.get(key)
                if state is None:
                    state = metric.prepare(to_tensor([r.pixels for r in references], self._device), meta)
                    self._states.put(key, state)
            restored = to_tensor([subject.restored.pixels for subject in subjects], self._device)
            lq = None
            if "lq" in metric.needs:
                lq = to_tensor([subject.lq.pixels for subject in subjects if subject.lq], self._device)
            values = metric.score(restored, state, lq, meta)
            expected = {column.name for column in metric.columns}
            if set(values) != expected or any(len(column) != len(subjects) for column in values.values()):
                raise ValueError(f"metric {info.name} returned {sorted(values)}, its columns are {sorted(expected)}")
            numbers = {name: column.detach().double().cpu().tolist() for name, column in values.items()}
        return [{name: float(column[i]) for name, column in numbers.items()} for i in range(len(subjects))]

    # -- features -----------------------------------------------------------------------------

    def _extract(
        self,
        info: MetricInfo,
        extractor_id: str,
        extractor: FeatureExtractor,
        subjects: Sequence[Subject],
        commit: Commit,
    ) -> None:
        pictures = {s.restored.sha256: s.restored for s in subjects}
        pictures |= {s.reference.sha256: s.reference for s in subjects if s.reference}
        keyed = [(feature_key(extractor_id, picture.sha256), picture) for picture in pictures.values()]
        todo = [(k, p) for k, p in keyed if k not in commit.features and not self._store.has_features(k)]
        failed: dict[str, str] = {}
        for positions in batches([picture.size for _, picture in todo], self._batch):
            part = [todo[position] for position in positions]
            rows = _divided(partial(self._features, extractor_id, extractor), [picture for _, picture in part])
            for (key, picture), row in zip(part, rows, strict=True):
                if isinstance(row, Exception):
                    failed[picture.sha256] = _reason(row)
                else:
                    commit.features[key] = row
        for subject in subjects:
            reasons = (failed.get(p.sha256) for p in (subject.restored, subject.reference) if p)
            if reason := next((reason for reason in reasons if reason), ""):
                subject.errors[info.name] = reason

    def _features(
        self, extractor_id: str, extractor: FeatureExtractor, pictures: Sequence[Picture]
    ) -> list[NDArray[np.float32]]:
        import torch

        with torch.inference_mode():
            self._load(extractor_id, extractor)
            rows = extractor.extract(to_tensor([picture.pixels for picture in pictures], self._device))
            return [np.ascontiguousarray(row) for row in rows.float().cpu().numpy()]

    def _load(self, key: str, plugin: PairMetric | FeatureExtractor) -> None:
        if key not in self._loaded:
            plugin.load(self._device)
            self._loaded.add(key)


def _divided(compute: Callable[[Sequence[One]], list[Result]], batch: Sequence[One]) -> list[Result | Exception]:
    """Compute a batch; where it fails, its halves, so that only the culprit has no result and little memory may do."""
    try:
        return [*compute(batch)]
    except Exception as error:  # a plugin may raise anything
        if len(batch) == 1:
            return [error]
    middle = len(batch) // 2
    return [*_divided(compute, batch[:middle]), *_divided(compute, batch[middle:])]


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _fill(subject: Subject, info: MetricInfo, row: Mapping[str, float]) -> None:
    subject.scores.update({score_column(info.metric_id, name): value for name, value in row.items()})


def _lacking(metric: PairMetric, reference: Picture | None, lq: Picture | None, meta: Meta) -> str:
    """Say what a metric needs and does not get, or nothing."""
    if "reference" in metric.needs and reference is None:
        return NO_REFERENCE
    if "lq" in metric.needs and lq is None:
        return NO_LQ
    return NO_DEGRADATION if "degradation" in metric.needs and "degradation" not in meta else ""
