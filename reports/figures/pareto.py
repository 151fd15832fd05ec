"""Which of several points no other point beats: the Pareto front of a trade-off."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]


def front(points: Sequence[Point], higher_is_better: tuple[bool, bool]) -> list[bool]:
    """Say of each point whether it lies on the Pareto front.

    A point is off the front where another one is at least as good on both axes and better on one.  Equal points
    share their place; a point with a NaN is never on the front and beats nobody.

    Args:
        points: `(x, y)` each.
        higher_is_better: direction of each axis.

    >>> front([(1, 10), (2, 20), (3, 15)], (False, True))  # say seconds and PSNR
    [True, True, False]
    """
    signs = tuple(1.0 if higher else -1.0 for higher in higher_is_better)
    signed = [(x * signs[0], y * signs[1]) for x, y in points]
    known = [point for point in signed if not any(map(math.isnan, point))]
    return [point in known and not any(_beats(other, point) for other in known) for point in signed]


def _beats(one: Point, other: Point) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]
