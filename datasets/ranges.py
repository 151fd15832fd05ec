"""What a parameter is drawn from.

| written | drawn |
|---|---|
| `4` | always 4 |
| `[1, 3]` | uniformly between 1 and 3; whole numbers where only they have a meaning, both ends included |
| `{low: 2, high: 10, step: 0.1}` | one of 2, 2.1, ..., 10, all alike |
| `{one_of: [1, [2, 4]], weights: [1, 3]}` | one of these, then from it; without weights, all alike |

Every draw takes one `generator.random()` whatever its range, so that narrowing the range of one
parameter to a point leaves all other draws as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..bench.errors import ConfigError

Range = float | Sequence[float] | Mapping[str, Any]
"""A number, `[low, high]`, `{low, high, step}` or `{one_of, weights}`; see the module."""

_EPSILON = 1e-9  # a step that does not quite reach `high` for lack of precision still does


def bounds(what: str, span: Range) -> tuple[float, float]:
    """Return the smallest and the largest value of a range.

    Raises:
        ConfigError: it is none of the forms above.
    """
    if isinstance(span, Mapping):
        parts = [bounds(what, part) for part in _parts(what, span)]
        return min(low for low, _ in parts), max(high for _, high in parts)
    try:
        low, high = (span, span) if isinstance(span, int | float) else span
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ConfigError(f"{what} is {span!r}; a number or [low, high], ascending, is expected")
    return low, high


def whole_bounds(what: str, span: Range) -> tuple[int, int]:
    """Return `bounds` of a range of whole numbers.

    Raises:
        ConfigError: it is no range, or has a part whose ends are not whole.
    """
    low, high = bounds(what, span)
    if isinstance(span, Mapping):
        for part in _parts(what, span):
            whole_bounds(what, part)
    elif low != int(low) or high != int(high):
        raise ConfigError(f"{what} is {span!r}; whole numbers are expected")
    return int(low), int(high)


def probability(what: str, value: float) -> None:
    """Refuse what is no probability.

    Raises:
        ConfigError: it lies outside 0..1.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{what} is {value}; a probability lies in 0..1")


def sample(generator: np.random.Generator, span: Range) -> float:
    """Draw from a range; a single number is returned as it is, at the same cost in random numbers."""
    return _quantile(span, generator.random(), whole=False)


def sample_whole(generator: np.random.Generator, span: Range) -> int:
    """Draw from a range of whole numbers, both ends included."""
    return int(_quantile(span, generator.random(), whole=True))


def pick(generator: np.random.Generator, count: int, weights: Sequence[float] = ()) -> int:
    """Draw one of `0 .. count - 1`, by weight; without weights, all alike."""
    return _piece(generator.random(), list(weights) or [1.0] * count)[0]


def _quantile(span: Range, u: float, *, whole: bool) -> float:
    """Return the value below which a fraction `u` in [0, 1) of all draws lies."""
    if isinstance(span, Mapping):
        parts = _parts("range", span)
        index, rest = _piece(u, span.get("weights") or [1.0] * len(parts))
        return _quantile(parts[index], rest, whole=whole)
    low, high = bounds("range", span)
    if whole:
        return int(min(low + u * (high + 1 - low), high))
    return float(low + u * (high - low))


def _piece(u: float, weights: Sequence[float]) -> tuple[int, float]:
    """Return which of the weighted pieces of [0, 1) holds `u`, and how far into it."""
    edges = np.concatenate([[0.0], np.cumsum(weights)]) / np.sum(weights)
    index = min(int(np.searchsorted(edges, u, side="right")) - 1, len(weights) - 1)
    low, high = edges[index], edges[index + 1]
    return index, min(float((u - low) / (high - low)), math.nextafter(1, 0))


def _parts(what: str, span: Mapping[str, Any]) -> list[Range]:
    """Return the alternatives of a range given as a mapping."""
    match dict(span):
        case {"low": low, "high": high, "step": step, **rest} if not rest:
            first, last = bounds(what, [low, high])
            if not bounds(what, step)[0] > 0:
                raise ConfigError(f"{what} is {dict(span)!r}; the step must be above 0")
            count = math.floor((last - first) / step + _EPSILON) + 1
            return [round(first + index * step, 9) for index in range(count)]
        case {"one_of": list() | tuple() as parts, **rest} if parts and not rest.keys() - {"weights"}:
            weights = rest.get("weights") or [1] * len(parts)
            numbers = all(isinstance(weight, int | float) and weight > 0 for weight in weights)
            if len(weights) != len(parts) or not numbers:
                raise ConfigError(f"{what} has weights {weights!r}; {len(parts)} numbers above 0 are expected")
            return list(parts)
    raise ConfigError(f"{what} is {dict(span)!r}; {{low, high, step}} or {{one_of, weights}} is expected")
