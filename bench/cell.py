"""A cell: one restorer on one data set, one split, one restorer seed.  The unit a leaderboard averages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from .spec import Spec


def digest(*parts: str) -> str:
    """Return 32 hexadecimal digits that stand for the parts, in order."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digest_of(parts: Iterable[str]) -> str:
    """Return `digest(*parts)` of any number of parts, which are not held together."""
    found = hashlib.sha256()
    for number, some in enumerate(batched(parts, 1000)):
        text = "\x1f".join(some)
        found.update((f"\x1f{text}" if number else text).encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:32]


def batched(parts: Iterable[str], most: int) -> Iterator[list[str]]:
    """Yield the parts in lists of at most `most`."""
    left = iter(parts)
    while some := list(islice(left, most)):
        yield some


@dataclass(frozen=True)
class MetricInfo:
    """A metric as a cell records it.

    Attributes:
        name: configuration name, such as `lpips_alex`.
        metric_id: identity with version and weights digests: numbers of different ids never mix.
        kind: `pair` (one number an image) or `set` (one number a set).
        spec: builds the metric again, for its columns and for set-level values.
        extractor_id: identity of the features of a set metric, else empty.
        skipped: why it was not computed, or empty.
    """

    name: str
    metric_id: str
    kind: str
    spec: Spec
    extractor_id: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Cell:
    """What was evaluated, as plain data.

    Attributes:
        restorer: name in tables.
        restorer_id: identity of adapter, settings, version and weights.
        dataset: name in tables.
        split: name in tables; `given` is the LQ the data set brings.
        split_id: identity of the degradation and its seed; empty for `given`.
        severity: position of the split in the command, for the order of columns and curves.
        seed: restorer seed.
        ranked: False for rows that are no competitors.
        card: the restorer's card as plain data.
        dataset_card: the data set's card as plain data.
        protocol: name of the recipe the metrics were chosen by; each has rows of its own.
        skipped: why nothing was evaluated, or empty.
    """

    restorer: str
    restorer_id: str
    dataset: str
    split: str
    split_id: str
    severity: int = 0
    seed: int = 0
    ranked: bool = True
    card: Mapping[str, Any] = field(default_factory=dict)
    dataset_card: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = "standard"
    skipped: str = ""

    @property
    def key(self) -> str:
        """Name of the cell in the store; a later evaluation of the same cell replaces its table."""
        recipe = () if self.protocol == "standard" else (self.protocol,)
        return digest(self.restorer, self.restorer_id, self.dataset, self.split, self.split_id, str(self.seed), *recipe)

    def to_json(self) -> dict[str, Any]:
        """Return the cell as JSON-able data."""
        return asdict(self)
