"""Frechet inception distance.

Heusel et al., GANs trained by a two time-scale update rule (NeurIPS 2017).  Between normal distributions
`|m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)`.  The last trace needs no general matrix square root: it is the
sum of the square roots of the eigenvalues of a symmetric matrix with the eigenvalues of `S1 S2`, and of the smaller
side when a set has fewer images than features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..api import Column, Features, SetValue
from ..spec import Location
from .inception import InceptionFeatures, Resize
from .jackknife import Without, with_interval
from .moments import moments, stack
from .precision import Precision
from .reference import Reference, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RELIABLE_FROM = 2048  # fewer images than features: the covariance has no full rank and the bias is large


class FrechetInceptionDistance:
    """FID between the restored images and their references, or a reference set of its own such as FFHQ.

    `legacy` equals pytorch-fid and torch-fidelity, `clean` clean-fid.  One image in a set gives NaN: it has no
    covariance.  The value falls with the number of images by itself; below 2048 it is marked unreliable.
    """

    version = 1
    reliable_from = RELIABLE_FROM

    def __init__(
        self,
        resize: Resize = "legacy",
        checkpoint: Location | None = None,
        reference: Location | None = None,
        interval: Literal["none", "jackknife"] = "none",
        precision: Precision = "float32",
    ) -> None:
        """Choose the resize filter and what to compare with.

        Args:
            resize: of the images, before the network.
            checkpoint: replaces the registry's Inception file.
            reference: statistics of a reference set, by path or name (`reference.find`); None compares with the
                references of the set under test.
            interval: `jackknife` gives a 95 % interval, for the time of twenty distances more (20 to 40 s from 2048
                images on); it changes no value, so it is no part of the identity.
            precision: of the network; see `InceptionFeatures`.

        Raises:
            DatasetError: there are no such statistics, or they are of other features.
        """
        self.interval = interval
        name, label = ("fid", "FID") if resize == "legacy" else ("fid_clean", "FID-clean")
        self.extractor = InceptionFeatures(resize, checkpoint, precision)
        self._reference: Reference | None = None
        self.own_reference = stated = ""
        if reference is not None:
            self._reference = find(reference, self.extractor)
            self.own_reference, stated = self._reference.label, f",reference={self._reference.identity}"
            name, label = f"{name}_to_{self._reference.column}", f"{label} to {self._reference.facts.name}"
        self.columns = (Column(name, label, "1", higher_is_better=False, low=0.0, high=float("inf"), digits=2),)
        self.identity = f"fid(resize={resize},covariance=unbiased{stated})"

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        """Return the distance, such as `fid`, with an interval if one was asked for.

        With statistics of its own the metric leaves `reference` aside; else rows of one number are one image and its
        reference, and are left out together.
        """
        value = self._distance(restored, reference)
        paired = self._reference is not None or len(restored) == len(reference)
        if self.interval == "none" or not paired:
            return {self.columns[0].name: SetValue(value)}

        def without(group: int, groups: int) -> float:
            return self._distance(Without(restored, group, groups), Without(reference, group, groups))

        return {self.columns[0].name: with_interval(value, len(restored), without)}

    def _distance(self, restored: Features, reference: Features) -> float:
        if self._reference is None:
            return _distance(restored, reference)
        return _distance_to(restored, *self._reference.mean_and_covariance)


def _distance(restored: Features, reference: Features) -> float:
    if min(len(restored), len(reference)) < 2:
        return float("nan")
    if max(len(restored), len(reference)) < RELIABLE_FROM:
        return distance_of_rows(stack(restored), stack(reference))
    first, second = moments(restored.blocks()), moments(reference.blocks())
    return distance_of_moments(first.mean, first.covariance, second.mean, second.covariance)


def _distance_to(restored: Features, mean: Array, covariance: Array) -> float:
    if len(restored) < 2:
        return float("nan")
    if len(restored) < RELIABLE_FROM:
        return distance_of_rows_to(stack(restored), mean, covariance)
    own = moments(restored.blocks())
    return distance_of_moments(mean, covariance, own.mean, own.covariance)


def distance_of_rows_to(rows: Array, mean: Array, covariance: Array) -> float:
    """Frechet distance of rows `(n, D)`, at least two, and a normal distribution, mean `(D,)`, covariance `(D, D)`.

    With centred rows `X` the eigenvalues of `S1 S2` that are not zero are those of `X S2 X^T / (n - 1)`, `(n, n)`.
    """
    import scipy.linalg

    x = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    product = x @ covariance @ x.T
    values = scipy.linalg.eigvalsh((product + product.T) / 2, check_finite=False)
    root = np.sqrt(values.clip(min=0)).sum()
    return _total(rows.mean(0) - mean, np.vdot(x, x), np.trace(covariance), root)


def distance_of_rows(first: Array, second: Array) -> float:
    """Frechet distance of two sets of rows `(n, D)`, `(m, D)`, at least two each, through `n x m` products.

    With centred rows `X`, `Y` the eigenvalues of `S1 S2` are the squared singular values of
    `X Y^T / sqrt((n - 1)(m - 1))`, so that the trace of the root is their plain sum.
    """
    shift = first.mean(0) - second.mean(0)
    x = (first - first.mean(0)) / np.sqrt(len(first) - 1)
    y = (second - second.mean(0)) / np.sqrt(len(second) - 1)
    root = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return _total(shift, np.vdot(x, x), np.vdot(y, y), root)


def distance_of_moments(mean1: Array, covariance1: Array, mean2: Array, covariance2: Array) -> float:
    """Frechet distance of two normal distributions, means `(D,)` and covariances `(D, D)`.

    With `S1 = L L^T` (Cholesky, or eigenvectors where `S1` is singular) the eigenvalues of `S1 S2` are those of
    the symmetric `L^T S2 L`, which LAPACK's `sygst` forms for half the price of two products.
    """
    import scipy.linalg
    from scipy.linalg import lapack

    # .T: the same symmetric matrix in the order of columns that LAPACK wants, without a copy
    factor, singular = lapack.dpotrf(covariance1.T, lower=1)
    if singular:
        values, vectors = scipy.linalg.eigh(covariance1, check_finite=False)
        factor = vectors * np.sqrt(values.clip(min=0))
        product = factor.T @ covariance2 @ factor
        product = (product + product.T) / 2
    else:
        product, _ = lapack.dsygst(covariance2.T, factor, itype=2, lower=1)
    roots = scipy.linalg.eigvalsh(product, lower=True, overwrite_a=True, check_finite=False)
    root = np.sqrt(roots.clip(min=0)).sum()
    return _total(mean1 - mean2, np.trace(covariance1), np.trace(covariance2), root)


def _total(shift: Array, trace1: float, trace2: float, root: float) -> float:
    # equal sets leave a rounding error that may be negative
    return max(0.0, float(shift @ shift + trace1 + trace2 - 2 * root))
