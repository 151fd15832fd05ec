"""Identities: every choice that changes a number, spelled out.  Equal identity, comparable number."""

from __future__ import annotations

import json
from types import MappingProxyType

from .api import Degradation, FeatureExtractor, FolderRestorer, Meta, PairMetric, Restorer, SetMetric, Weights
from .cell import digest
from .spec import Spec
from .weights import identity as weights_identity


def _with_weights(identity: str, version: int, weights: Weights) -> str:
    digests = "".join(f" {name}={sha256[:8]}" for name, sha256 in sorted(weights_identity(weights).items()))
    return f"{identity} v{version}{digests}"


def metric_weights(metric: PairMetric | SetMetric) -> Weights:
    """Weights a metric needs before it can be computed."""
    return metric.weights if isinstance(metric, PairMetric) else metric.extractor.weights


def metric_id(metric: PairMetric | SetMetric) -> str:
    """Identity of a metric; of a set metric it includes the features it compares."""
    if isinstance(metric, PairMetric):
        return _with_weights(metric.identity, metric.version, metric.weights)
    return f"{metric.identity} v{metric.version} on {extractor_id(metric.extractor)}"


def extractor_id(extractor: FeatureExtractor) -> str:
    """Identity of feature rows."""
    return _with_weights(extractor.identity, extractor.version, extractor.weights)


def restorer_id(spec: Spec, restorer: Restorer | FolderRestorer) -> str:
    """Identity of a restorer: class, settings, version, weights and other files it reads, but not where they lie."""
    identity = _with_weights(spec.identity, restorer.version, restorer.weights)
    content = getattr(restorer, "content", "")
    return f"{identity} content={content}" if content else identity


def split_id(spec: Spec, degradation: Degradation, seed: int) -> str:
    """Identity of a synthesised split: class, settings, version, other files it reads, and the seed."""
    content = getattr(degradation, "content", "")
    return f"{spec.identity} v{degradation.version}{f' content={content}' if content else ''} seed={seed}"


def degraded_key(split: str, sample_id: str, hq: str, meta: Meta = MappingProxyType({})) -> str:
    """Key of one degraded image: the split's identity, the sample, the pixels it was made from, the facts it hangs on."""
    used = [json.dumps(dict(meta), sort_keys=True)] if meta else []
    return digest("degraded", split, sample_id, hq, *used)


def restored_key(restorer: str, source: str, size: tuple[int, int], draw: str, meta: Meta) -> str:
    """Key of one restored image.

    Args:
        restorer: identity of the restorer.
        source: sha256 of the pixels it was fed.
        size: `(height, width)` of the result.
        draw: what noise came from, empty where there is none.
        meta: the facts about the sample that the restorer uses.
    """
    used = json.dumps(meta, sort_keys=True, default=str)
    return digest("restored", restorer, source, f"{size[0]}x{size[1]}", draw, used)


def score_key(metric: str, restored: str, reference: str | None, lq: str | None, meta: str) -> str:
    """Key of one image's score; the parts a metric does not use are left empty."""
    return digest("score", metric, restored, reference or "", lq or "", meta)
