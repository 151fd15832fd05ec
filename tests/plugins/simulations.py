"""Simulated data sets: how often an interval holds the truth, and how often a table separates equals.

`python tests/plugins/simulations.py` (`make coverage`) prints the table of docs/statistics.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from restorebench.bench.statistics import interval, tiers

DATA_SETS = 1000
KEYS = 50
"""So many sets of resamples stand in for one per data set, whose drawing takes most of the time."""

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


class Distribution(NamedTuple):
    """What the scores of a simulated data set are drawn from."""

    name: str
    draw: Draw
    mean: float


NORMAL = Distribution("normal", lambda rng, size: rng.normal(0, 1, size), 0)
LOGNORMAL = Distribution("log-normal, sigma 0.5", lambda rng, size: rng.lognormal(0, 0.5, size), np.exp(0.125))
SKEWED = Distribution("log-normal, sigma 1", lambda rng, size: rng.lognormal(0, 1, size), np.exp(0.5))
HEAVY = Distribution("Student's t, 3 degrees", lambda rng, size: rng.standard_t(3, size), 0)
BOUNDED = Distribution("beta(8, 1), as of SSIM near 1", lambda rng, size: rng.beta(8, 1, size), 8 / 9)
ALL = (NORMAL, LOGNORMAL, SKEWED, HEAVY, BOUNDED)
SIZES = (8, 12, 20, 50, 100, 300)


def coverage(distribution: Distribution, n: int) -> float:
    """Return the share of simulated data sets of `n` images whose 95 % interval holds the true mean."""
    scores = distribution.draw(np.random.default_rng(n), (DATA_SETS, n))
    found = [interval(row, "simulation", str(i % KEYS)) for i, row in enumerate(scores)]
    return float(np.mean([made is not None and made.low <= distribution.mean <= made.high for made in found]))


def family_error(restorers: int, n: int, tables: int = DATA_SETS) -> float:
    """Return the share of tables of equal restorers on shared images in which any two are separated."""
    rng = np.random.default_rng(n)
    images = rng.normal(0, 1, (tables, n, 1))  # hard and easy ones, the same for all
    scores = images + rng.normal(0, 0.3, (tables, n, restorers))
    return float(np.mean([max(tiers(table, higher_is_better=True)) > 1 for table in scores]))


def table() -> list[str]:
    """Return the lines of the table of docs/statistics.md."""
    heads = [f"| scores | {' | '.join(f'n = {n}' for n in SIZES)} |", f"| :-- |{' --: |' * len(SIZES)}"]
    return [*heads, *map(line, ALL)]


def line(distribution: Distribution) -> str:
    """Return one row of the table."""
    return f"| {distribution.name} | {' | '.join(f'{100 * coverage(distribution, n):.1f}' for n in SIZES)} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n\n")
    for restorers, n in ((5, 20), (5, 60), (8, 30)):
        sys.stdout.write(f"equal restorers {restorers}, images {n}: {100 * family_error(restorers, n):.1f} %\n")
