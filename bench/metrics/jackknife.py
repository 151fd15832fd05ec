"""Grouped jackknife of a distance between sets: an interval, and an estimate of the bias.

A plain bootstrap is wrong here: images drawn twice make a set look smaller than it is, and the distance grows.
Leaving images out moves it the same way, but by a known share.

Source:
    Shao and Tu, The Jackknife and Bootstrap (1995), sect. 1.1 (bias) and 2.3 (groups).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..api import Features, SetValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS = 20
"""Groups of images left out in turn; each costs one more distance."""

_ALPHA = 0.05


def with_interval(value: float, n: int, distance_without: Callable[[int, int], float]) -> SetValue:
    """Return a distance with its 95 % interval, and say how much of it is bias.

    The interval is for the distance of *so many* images, `value +- t * s`, and keeps the bias.

    Args:
        value: distance of all `n` images.
        n: images a side that are left out in groups; fewer than two a group give no interval.
        distance_without: takes `(group, groups)` and returns the distance without the images `group`,
            `group + groups`, ...
    """
    from scipy.special import stdtrit

    if n < 2 * GROUPS:
        return SetValue(value)
    left_out = np.array([distance_without(group, GROUPS) for group in range(GROUPS)])
    mean = float(left_out.mean())
    error = float(np.sqrt((GROUPS - 1) / GROUPS * np.square(left_out - mean).sum()))
    margin = float(stdtrit(GROUPS - 1, 1 - _ALPHA / 2)) * error
    bias = (GROUPS - 1) * (mean - value)
    note = f"interval by grouped jackknife, of the value at {n} images, which is too high by about {bias:.3g}"
    return SetValue(value, max(0.0, value - margin), value + margin, note)


@dataclass(frozen=True)
class Without:
    """Features without every `groups`-th row from `group` on, in blocks."""

    features: Features
    group: int
    groups: int

    def __len__(self) -> int:
        n = len(self.features)
        return n - len(range(self.group, n, self.groups))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the rows that stay, block by block."""
        start = 0
        for block in self.features.blocks():
            places = np.arange(start, start + len(block))
            start += len(block)
            yield block[places % self.groups != self.group]
