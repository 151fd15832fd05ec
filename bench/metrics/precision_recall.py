"""Precision and recall of a set of images: how many look real, and how much of the real is covered.

Kynkaanniemi et al., Improved precision and recall metric for assessing generative models (NeurIPS 2019): an image
counts when it lies within the distance of some image of the other set to its third neighbour in its own set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..api import Column, Features, SetValue
from ..errors import ConfigError
from ..spec import Location
from .inception import InceptionFeatures, Resize
from .moments import stack
from .reference import SampledRows, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_BLOCK = 1024  # rows of the distance matrix held at a time


class PrecisionRecall:
    """Precision and recall on Inception features, against the references or a reference set of its own.

    The algorithm is that of torch-fidelity's `prc`, which PMRF prints, but there and in the paper the features are
    VGG16's, so the numbers are not theirs.
    """

    version = 1
    reliable_from = 1000  # the radii shrink with the number of images, and both numbers fall with them

    def __init__(
        self,
        resize: Resize = "legacy",
        neighbours: int = 3,
        checkpoint: Location | None = None,
        reference: Location | None = None,
    ) -> None:
        """Choose the features, the radius and what to compare with.

        Args:
            resize: of the images, before the network.
            neighbours: an image's radius is the distance to its so many-th neighbour.
            checkpoint: replaces the registry's Inception file.
            reference: statistics of a reference set, of which a sample of rows is used; None compares with the
                references of the set under test.

        Raises:
            ConfigError: `neighbours` is below 1.
            DatasetError: there are no such statistics, or they are of other features, or without rows.
        """
        if neighbours < 1:
            raise ConfigError(f"metric.precision_recall.neighbours: {neighbours} is too small; use 1 or more")
        self._neighbours = neighbours
        self.extractor = InceptionFeatures(resize, checkpoint)
        self._rows: SampledRows | None = None
        self.own_reference = stated = suffix = place = ""
        if reference is not None:
            found = find(reference, self.extractor)
            self._rows = SampledRows(found.rows)
            self.own_reference = f"{len(self._rows)} of {found.label}"
            stated = f",reference={found.identity},rows={len(self._rows)}"
            suffix, place = f"_to_{found.column}", f" to {found.facts.name}"
        self.columns = tuple(
            Column(f"{name}{suffix}", f"{label}{place}", "1", higher_is_better=True, low=0.0, high=1.0, digits=4)
            for name, label in (("precision", "Precision"), ("recall", "Recall"))
        )
        self.identity = f"precision_recall(resize={resize},neighbours={neighbours},distance=euclidean{stated})"

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        """Return precision and recall; NaN where a set has no so many-th neighbour.

        With a reference set of its own the metric leaves `reference` aside.
        """
        first, second = stack(restored), stack(reference if self._rows is None else self._rows)
        values = (float("nan"), float("nan"))
        if min(len(first), len(second)) > self._neighbours:
            k = self._neighbours
            values = _covered(first, second, _radii(second, k)), _covered(second, first, _radii(first, k))
        return {column.name: SetValue(value) for column, value in zip(self.columns, values, strict=True)}


def _radii(rows: Array, neighbours: int) -> Array:
    """Squared distance of each row to its so many-th neighbour; the row itself comes before all of them."""
    return np.concatenate([np.partition(block, neighbours, axis=1)[:, neighbours] for block in _distances(rows, rows)])


def _covered(rows: Array, others: Array, radii: Array) -> float:
    """Share of the rows that lie within the radius of at least one of the others."""
    return float(np.concatenate([(block <= radii).any(1) for block in _distances(rows, others)]).mean())


def _distances(first: Array, second: Array) -> Iterator[Array]:
    """Yield squared distances of blocks of rows to all of `second`."""
    squares = np.einsum("nd,nd->n", second, second)
    for start in range(0, len(first), _BLOCK):
        block = first[start : start + _BLOCK]
        yield np.einsum("nd,nd->n", block, block)[:, None] + squares - 2 * (block @ second.T)
