"""How severe the splits of a curve are: the values of the parameter that a sweep varies, or plain steps."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .groups import Group

_LOOKED_AT = 50  # images of a split; a level that is fixed is the same in all of them
_FOLLOWS = ("native_height", "native_width")  # of the images' sizes, not chosen


def levels(groups: Sequence[Group]) -> tuple[str, NDArray[np.float64]]:
    """Return the name and the values of the one parameter that tells splits apart.

    That is a number which the degradation drew, the same for all images of a split and different from split to split;
    where there is none, or more than one, the name is empty and the splits are the steps 0, 1, 2, ...

    Args:
        groups: the splits, in order.
    """
    fixed = [_fixed(group) for group in groups]
    shared = set.intersection(*(set(numbers) for numbers in fixed))
    series: dict[tuple[float, ...], str] = {}
    for name in sorted(shared):
        values = tuple(numbers[name] for numbers in fixed)
        if len(set(values)) > 1:
            series.setdefault(values, name)  # sigma_x and sigma_y of an isotropic blur are one parameter
    if len(series) == 1:
        ((values, name),) = series.items()
        if len(set(values)) == len(values):
            return _called(groups, values) or name, np.array(values)
    return "", np.arange(len(groups), dtype=np.float64)


def _fixed(group: Group) -> dict[str, float]:
    """Return the drawn numbers that are the same in all images looked at."""
    table = group.entrants[0].tables[0]
    drawn = table.texts("drawn")
    some = drawn[np.unique(np.linspace(0, len(drawn) - 1, min(len(drawn), _LOOKED_AT)).round().astype(np.int64))]
    found: list[dict[str, float]] = []
    for text in some:
        numbers = json.loads(text) if text else {}
        found.append({k: float(v) for k, v in numbers.items() if isinstance(v, int | float) and k not in _FOLLOWS})
    same = set.intersection(*(set(numbers.items()) for numbers in found)) if found else set()
    return dict(same)


def _called(groups: Sequence[Group], values: Sequence[float]) -> str:
    """Return what the names of splits call the parameter: `sigma` for `sigma_1`, `sigma_10`."""
    parts = [group.split.rpartition("_") for group in groups]
    names = {name for name, _, _ in parts}
    told = all(level == f"{value:g}" for (_, _, level), value in zip(parts, values, strict=True))
    return names.pop() if told and len(names) == 1 else ""
