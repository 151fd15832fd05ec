"""Feature sets: stacked where that is small, else mean and covariance in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ..api import Features


class Moments(NamedTuple):
    """Mean and scatter of `n` feature rows, mergeable without loss.

    Attributes:
        n: number of rows.
        mean: `(D,)` `float64`.
        scatter: `(D, D)` `float64`, sum of outer products of the centred rows.
    """

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Unbiased covariance, as `numpy.cov`."""
        return self.scatter / (self.n - 1)


def stack(features: Features) -> NDArray[np.float64]:
    """Return all rows `(n, D)` as `float64`."""
    return np.concatenate([block.astype(np.float64) for block in features.blocks()])


def moments(blocks: Iterable[NDArray[np.float32]]) -> Moments:
    """Reduce blocks of rows one after the other (Chan, Golub, LeVeque 1983); memory does not grow with `n`."""
    total: Moments | None = None
    for block in blocks:
        if len(block):
            part = _of_block(block.astype(np.float64))
            total = part if total is None else merge(total, part)
    if total is None:
        raise ValueError("moments of an empty set of features")
    return total


def _of_block(rows: NDArray[np.float64]) -> Moments:
    mean = rows.mean(0)
    centred = rows - mean
    return Moments(len(rows), mean, centred.T @ centred)


def merge(first: Moments, second: Moments) -> Moments:
    """Return the moments of two sets of rows together."""
    n = first.n + second.n
    shift = second.mean - first.mean
    scatter = first.scatter + second.scatter
    scatter += np.outer(shift, shift * (first.n * second.n / n))
    return Moments(n, first.mean + shift * (second.n / n), scatter)
