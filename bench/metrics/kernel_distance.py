"""Kernel inception distance.

Binkowski et al., Demystifying MMD GANs (ICLR 2018): squared maximum mean discrepancy of Inception features under
the kernel `(x.y / D + 1)^3`, by its unbiased estimator.  Unlike FID it is unbiased at any number of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..api import Column, Features, SetValue
from ..spec import Location
from . import paired_kernel
from .inception import InceptionFeatures, Resize
from .moments import stack
from .reference import SampledRows, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_BLOCK = 1024  # rows of the kernel matrix held at a time
_Z = 1.959963984540054  # 97.5 % point of the normal distribution


class KernelInceptionDistance:
    """KID between the restored images and their references, as it is (not times 1000), with a 95 % interval.

    Up to `full_up_to` images all pairs are used, which has the smallest variance there is.  Above it the mean over seeded
    subsets, as torch-fidelity draws them.  Against the references of the set under test, an image and its reference
    go together: the interval leaves both out at a time (`paired_kernel`).  Against a set of its own, the two sets
    count as independent.
    """

    version = 1
    reliable_from = 50  # unbiased at any size, but the normal interval needs some tens of images

    def __init__(
        self,
        resize: Resize = "legacy",
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 2020,
        full_up_to: int = 8192,
        checkpoint: Location | None = None,
        reference: Location | None = None,
    ) -> None:
        """Choose the features, the estimator and what to compare with.

        Args:
            resize: of the images, before the network.
            subsets: number of subsets, for large sets.
            subset_size: images in each.
            seed: the subsets are drawn from it.
            full_up_to: images a side up to which all pairs are used.
            checkpoint: replaces the registry's Inception file.
            reference: statistics of a reference set, by path or name (`reference.find`), of which a sample of rows
                is used; None compares with the references of the set under test.

        Raises:
            DatasetError: there are no such statistics, or they are of other features, or without rows.
        """
        self.subsets, self.subset_size, self.seed, self.full_up_to = subsets, subset_size, seed, full_up_to
        self.extractor = InceptionFeatures(resize, checkpoint)
        self._rows: SampledRows | None = None
        self.own_reference = stated = ""
        name, label = "kid", "KID"
        if reference is not None:
            found = find(reference, self.extractor)
            self._rows = SampledRows(found.rows)
            self.own_reference = f"{len(self._rows)} of {found.label}"
            stated = f",reference={found.identity},rows={len(self._rows)}"
            name, label = f"kid_to_{found.column}", f"KID to {found.facts.name}"
        self.columns = (
            Column(name, label, "1", higher_is_better=False, low=-float("inf"), high=float("inf"), digits=5),
        )
        self.identity = (
            f"kid(resize={resize},kernel=cubic,estimator=unbiased,all_pairs_up_to={full_up_to},"
            f"subsets={subsets}x{subset_size},seed={seed}{stated})"
        )

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        """Return the distance, such as `kid`; NaN for fewer than two images on a side.

        With a reference set of its own the metric leaves `reference` aside.
        """
        return {self.columns[0].name: self._value(restored, reference if self._rows is None else self._rows)}

    def _value(self, restored: Features, reference: Features) -> SetValue:
        if min(len(restored), len(reference)) < 2:
            return SetValue(float("nan"))
        paired = self._rows is None and len(restored) == len(reference)
        if max(len(restored), len(reference)) <= self.full_up_to:
            first, second = stack(restored), stack(reference)
            return all_pairs_of_pairs(first, second) if paired else all_pairs(first, second)
        value = subset_mean(restored, reference, self.subsets, self.subset_size, self.seed)
        if not paired:
            return value
        estimates = [
            paired_kernel.estimate(_pairwise(*part))
            for part in paired_kernel.parts(restored, reference, self.subset_size)
        ]
        return _reaching(value.value, paired_kernel.interval_of_parts(np.array(estimates)))


def all_pairs(first: Array, second: Array) -> SetValue:
    """Unbiased squared MMD over all pairs of rows `(n, D)`, `(m, D)` of independent sets, with a jackknife interval."""
    within1, within2 = _off_diagonal_sums(first), _off_diagonal_sums(second)
    across = _Sums.of(first, second)
    n, m = len(first), len(second)
    value = within1.sum() / (n * (n - 1)) + within2.sum() / (m * (m - 1)) - 2 * across.total / (n * m)
    if min(n, m) < 3:  # leaving one of two out leaves no pair
        return SetValue(float(value))
    variance = _jackknife(within1, across.rows, n, m) + _jackknife(within2, across.columns, m, n)
    margin = _Z * np.sqrt(variance)
    return SetValue(float(value), float(value - margin), float(value + margin))


def all_pairs_of_pairs(first: Array, second: Array) -> SetValue:
    """The same value for rows `(n, D)` of which those of one place go together, with an interval that respects it."""
    n = len(first)
    sums = _pairwise(first, second)
    own = float(_own(first, second).sum())
    value = (sums.first.sum() + sums.second.sum()) / (n * (n - 1)) - (sums.across.sum() + 2 * own) / n**2
    return _reaching(float(value), paired_kernel.interval(sums))


def _reaching(value: float, interval: tuple[float, float] | None) -> SetValue:
    """Widen an interval of the distance to the value that is shown, which pairs lower a little."""
    if interval is None:
        return SetValue(value)
    return SetValue(value, min(interval[0], value), max(interval[1], value))


def _pairwise(first: Array, second: Array) -> paired_kernel.Pairwise:
    across = _Sums.of(first, second)
    own = 2 * _own(first, second)
    return paired_kernel.Pairwise(
        _off_diagonal_sums(first), _off_diagonal_sums(second), across.rows + across.columns - own
    )


def _own(first: Array, second: Array) -> Array:
    """Kernel of each row with its partner, `(n,)`."""
    return np.asarray((np.einsum("nd,nd->n", first, second) / first.shape[1] + 1) ** 3)


def _jackknife(within: Array, across: Array, n: int, m: int) -> float:
    """Variance share of one set: spread of the estimates that leave out one of its `n` rows.

    Args:
        within: kernel sums of each row with the others of its set, `(n,)`.
        across: kernel sums of each row with the `m` rows of the other set, `(n,)`.
        n: rows of this set.
        m: rows of the other set.
    """
    left_out = (within.sum() - 2 * within) / ((n - 1) * (n - 2)) - 2 * (across.sum() - across) / ((n - 1) * m)
    return float((n - 1) / n * np.square(left_out - left_out.mean()).sum())


class _Sums(NamedTuple):
    """Row and column sums of the kernel matrix of two sets."""

    rows: Array
    columns: Array

    @property
    def total(self) -> float:
        return float(self.rows.sum())

    @classmethod
    def of(cls, first: Array, second: Array) -> _Sums:
        rows, columns = np.empty(len(first)), np.zeros(len(second))
        for start in range(0, len(first), _BLOCK):
            kernel = _kernel(first[start : start + _BLOCK], second)
            rows[start : start + _BLOCK] = kernel.sum(1)
            columns += kernel.sum(0)
        return cls(rows, columns)


def _off_diagonal_sums(rows: Array) -> Array:
    diagonal = (np.einsum("nd,nd->n", rows, rows) / rows.shape[1] + 1) ** 3
    return np.asarray(_Sums.of(rows, rows).rows - diagonal)


def _kernel(first: Array, second: Array) -> Array:
    kernel = first @ second.T
    kernel /= first.shape[1]
    kernel += 1
    return kernel * kernel * kernel


def subset_mean(restored: Features, reference: Features, subsets: int, size: int, seed: int) -> SetValue:
    """Mean of the unbiased estimator over random subsets, drawn as torch-fidelity does (`RandomState(seed)`).

    Only the rows drawn are kept, at most `2 * subsets * size`.  The interval scales the spread of the subsets,
    which overlap, to the size of the whole set.
    """
    n, m = len(restored), len(reference)
    size = min(size, n, m)
    generator = np.random.RandomState(seed)
    draws = [
        (generator.choice(n, size, replace=False), generator.choice(m, size, replace=False)) for _ in range(subsets)
    ]
    first = _Rows.of(restored, np.concatenate([draw for draw, _ in draws]))
    second = _Rows.of(reference, np.concatenate([draw for _, draw in draws]))
    values = np.array([_estimate(first[draw1], second[draw2]) for draw1, draw2 in draws])
    value = float(values.mean())
    margin = float(_Z * values.std(ddof=1) * np.sqrt(size / min(n, m) + 1 / subsets)) if subsets > 1 else float("nan")
    return SetValue(value, value - margin, value + margin)


def _estimate(first: Array, second: Array) -> float:
    n, m = len(first), len(second)
    within = _off_diagonal_sums(first).sum() / (n * (n - 1)) + _off_diagonal_sums(second).sum() / (m * (m - 1))
    return float(within - 2 * _kernel(first, second).mean())


@dataclass(frozen=True)
class _Rows:
    """Some rows of a feature set, addressed by their place in the whole set."""

    places: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, features: Features, wanted: NDArray[np.int64]) -> _Rows:
        places = np.unique(wanted)
        kept, start = [], 0
        for block in features.blocks():
            here = places[(places >= start) & (places < start + len(block))]
            kept.append(block[here - start])
            start += len(block)
        return cls(places, np.concatenate(kept))

    def __getitem__(self, places: NDArray[np.int64]) -> Array:
        return self.values[np.searchsorted(self.places, places)].astype(np.float64)
