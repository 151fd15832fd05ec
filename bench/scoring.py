"""Scoring restored images: what the store already knows is not computed again.

Reference-side state is prepared once per batch of references and metric and kept for the current chunk,
because every restorer and split of the chunk is scored against the same references.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .api import FeatureExtractor, Meta, PairMetric, SetMetric
from .cell import MetricInfo
from .identity import score_key
from .images import to_tensor
from .pictures import Picture
from .restoring import batches
from .results import feature_key, score_column
from .store import Commit, Store

if TYPE_CHECKING:
    import torch

STATE_BYTES = 2 * 2**30
"""Reference-side state kept for the current chunk; what does not fit is prepared again."""

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


class Scorer:
    """The metrics of a job, loaded on first use.

    Args:
        infos: the metrics; skipped ones are left out.
        store: known scores and features.
        device: where networks run.
        batch: images per forward pass.
    """

    def __init__(self, infos: Sequence[MetricInfo], store: Store, device: torch.device, batch: int) -> None:
        self._store = store
        self._device = device
        self._batch = batch
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
        self._states = _States(STATE_BYTES)

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
        """Fill in the scores of the subjects; new ones also go into the commit."""
        for info, metric in self._pairs:
            self._score(info, metric, subjects, commit)
        for extractor_id, (info, extractor) in self._extractors.items():
            pictures = {s.restored.sha256: s.restored for s in subjects}
            pictures |= {s.reference.sha256: s.reference for s in subjects if s.reference}
            try:
                self._extract(extractor_id, extractor, list(pictures.values()), commit)
            except Exception as error:  # a plugin may raise anything
                for subject in subjects:
                    subject.errors[info.name] = f"{type(error).__name__}: {error}"

    # -- pair metrics -------------------------------------------------------------------------

    def _key(
        self, info: MetricInfo, metric: PairMetric, restored: str, ref: Picture | None, lq: Picture | None, meta: Meta
    ) -> str:
        used = json.dumps([meta.get(name) for name in metric.uses_meta], sort_keys=True) if metric.uses_meta else ""
        reference = ref.sha256 if ref and "reference" in metric.needs else None
        return score_key(info.metric_id, restored, reference, lq.sha256 if lq and "lq" in metric.needs else None, used)

    def _score(self, info: MetricInfo, metric: PairMetric, subjects: Sequence[Subject], commit: Commit) -> None:
        todo = []
        for subject in subjects:
            if lacking := _lacking(metric, subject.reference, subject.lq, subject.meta):
                subject.errors[info.name] = lacking
                continue
            key = self._key(info, metric, subject.restored.sha256, subject.reference, subject.lq, subject.meta)
            known = self._store.scores.get(key) or commit.scores.get(key)
            if known is None:
                todo.append((key, subject))
            else:
                subject.scores.update({score_column(info.metric_id, name): value for name, value in known.items()})
        for positions in batches([subject.restored.size for _, subject in todo], self._batch):
            self._score_batch(info, metric, [todo[p] for p in positions], commit)

    def _score_batch(
        self, info: MetricInfo, metric: PairMetric, part: Sequence[tuple[str, Subject]], commit: Commit
    ) -> None:
        try:
            values = self._compute(info, metric, [subject for _, subject in part])
        except Exception as error:  # a plugin may raise anything
            if len(part) == 1:
                part[0][1].errors[info.name] = f"{type(error).__name__}: {error}"
                return
            for one in part:
                self._score_batch(info, metric, [one], commit)
            return
        for i, (key, subject) in enumerate(part):
            row = {name: column[i] for name, column in values.items()}
            commit.scores[key] = row
            subject.scores.update({score_column(info.metric_id, name): value for name, value in row.items()})

    def _compute(self, info: MetricInfo, metric: PairMetric, subjects: Sequence[Subject]) -> dict[str, list[float]]:
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
        return {name: [float(v) for v in column.detach().double().cpu().tolist()] for name, column in values.items()}

    # -- features -----------------------------------------------------------------------------

    def _extract(
        self, extractor_id: str, extractor: FeatureExtractor, pictures: Sequence[Picture], commit: Commit
    ) -> None:
        import torch

        keyed = [(feature_key(extractor_id, picture.sha256), picture) for picture in pictures]
        todo = [(k, p) for k, p in keyed if k not in commit.features and not self._store.has_features(k)]
        for positions in batches([picture.size for _, picture in todo], self._batch):
            with torch.inference_mode():
                self._load(extractor_id, extractor)
                images = to_tensor([todo[p][1].pixels for p in positions], self._device)
                rows = extractor.extract(images).float().cpu().numpy()
            for p, row in zip(positions, rows, strict=True):
                commit.features[todo[p][0]] = np.ascontiguousarray(row)

    def _load(self, key: str, plugin: PairMetric | FeatureExtractor) -> None:
        if key not in self._loaded:
            plugin.load(self._device)
            self._loaded.add(key)


def _lacking(metric: PairMetric, reference: Picture | None, lq: Picture | None, meta: Meta) -> str:
    """Say what a metric needs and does not get, or nothing."""
    if "reference" in metric.needs and reference is None:
        return NO_REFERENCE
    if "lq" in metric.needs and lq is None:
        return NO_LQ
    return NO_DEGRADATION if "degradation" in metric.needs and "degradation" not in meta else ""


class _States:
    """Reference-side states of the current chunk, the least recently used dropped beyond a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._held = 0
        self._states: OrderedDict[tuple[str, ...], tuple[Any, int]] = OrderedDict()

    def clear(self) -> None:
        self._states.clear()
        self._held = 0

    def get(self, key: tuple[str, ...]) -> Any:
        if key not in self._states:
            return None
        self._states.move_to_end(key)
        return self._states[key][0]

    def put(self, key: tuple[str, ...], state: Any) -> None:
        size = sum(_tensor_bytes(state))
        self._states[key] = state, size
        self._held += size
        while self._held > self._budget and len(self._states) > 1:
            self._held -= self._states.popitem(last=False)[1][1]


def _tensor_bytes(state: Any) -> Iterator[int]:
    if isinstance(state, Mapping):
        state = list(state.values())
    if isinstance(state, list | tuple):
        for part in state:
            yield from _tensor_bytes(part)
    elif hasattr(state, "nbytes"):
        yield int(state.nbytes)
