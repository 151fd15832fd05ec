"""Values of set metrics, such as FID: remembered during a report, and carried where the features do not travel.

    out/store/sets/<sha256>.json   values an earlier report computed; named by its own bytes

Feature rows are thousands of numbers an image, a value is one number a set.  A copy of a store that is only to be
read, such as the artifacts of a tracked run, holds the values and says which features they were made from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .api import SetMetric, SetValue
from .cell import digest, digest_of
from .errors import StoreError
from .files import entries
from .runlog import tell
from .storage.store import Store, StoredFeatures

Values = Mapping[str, SetValue]

_KEY = 16  # bytes of a key

_LOOKED_UP = 32
"""Sets of features whose places are remembered: 16 bytes an image each."""


class StayedBehindError(StoreError):
    """The features of a comparison stayed where its values came from, and this comparison was not made there."""


class SetValues:
    """The set-level values of one store.

    Args:
        store: where features lie, and values of an earlier report under `sets/`.

    Attributes:
        values: key of a comparison -> value of each column.
        problems: key of a comparison -> why it has no value.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._carried: set[str] = set()  # features that were there where the values come from
        self._seen: list[bytes] = []
        self._looked_up: OrderedDict[str, StoredFeatures] = OrderedDict()
        self.values: dict[str, Values] = {}
        self.problems: dict[str, str] = {}
        for name in sorted(name for name, _ in entries(store.root / "sets") if name.endswith(".json")):
            self._load(store.root / "sets" / name)

    def _load(self, path: Path) -> None:
        """Read one file; what is damaged is as if it were not there."""
        try:
            data = path.read_bytes()
            whole = hashlib.sha256(data).hexdigest() == path.stem
            if whole:
                self._read(json.loads(data))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            tell("damaged", f"{path}: damaged; its values are computed again", level=logging.WARNING, file=str(path))

    def have(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """Say of every key whether its features are in the store, or were where its values come from."""
        found = self._look_up(keys).present
        if self._carried:
            found = found | np.array([key in self._carried for key in keys], dtype=bool)
        self._seen.append(b"".join(bytes.fromhex(key) for key, here in zip(keys, found, strict=True) if here))
        return found

    @property
    def present(self) -> set[str]:
        """Keys of the features that a report asked for and that are, or were, there."""
        parts = (part[start : start + _KEY].hex() for part in self._seen for start in range(0, len(part), _KEY))
        return self._carried.union(parts)

    def _look_up(self, keys: Sequence[str]) -> StoredFeatures:
        """Find features; those of the references, and of one that was just found to have them, are asked for again."""
        asked = digest_of(keys)
        if asked not in self._looked_up:
            self._looked_up[asked] = self._store.find_features(keys)
            while len(self._looked_up) > _LOOKED_UP:
                self._looked_up.popitem(last=False)
        self._looked_up.move_to_end(asked)
        return self._looked_up[asked]

    def value(self, metric_id: str, metric: SetMetric, restored: Sequence[str], reference: Sequence[str]) -> Values:
        """Return the values of one comparison, computed unless they are known.

        Args:
            metric_id: identity of the metric.
            metric: computes them from features.
            restored: keys of the features of one side, in order.
            reference: those of the other side; empty where the metric brings its own.

        Raises:
            StayedBehindError: they are not known, and the store came without features.
            StoreError: they are not known, and features are damaged.
            ValueError, ArithmeticError: what the metric raises.
        """
        key = digest("set", metric_id, *restored, "against", *reference)
        if key in self.problems:
            raise ValueError(self.problems[key])
        if key not in self.values:
            try:
                self.values[key] = metric.compare(self._features(restored), self._features(reference))
            except (ValueError, ArithmeticError) as error:
                self.problems[key] = str(error)
                raise
        return self.values[key]

    def _features(self, keys: Sequence[str]) -> StoredFeatures:
        found = self._look_up(keys)
        if not found.present.all():
            raise StayedBehindError(
                f"{self._store.out}: came without the features, and not with the values of this comparison"
            )
        return found

    def to_bytes(self) -> bytes:
        """Return everything that is known as JSON; equal knowledge gives equal bytes."""
        content = {
            "present": sorted(self.present),
            "values": {
                key: {name: [_text(v.value), _text(v.low), _text(v.high), v.note] for name, v in values.items()}
                for key, values in self.values.items()
            },
            "problems": self.problems,
        }
        return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()

    def _read(self, content: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]) -> None:
        self._carried.update(content["present"])
        self.problems.update(content["problems"])  # type: ignore[arg-type]
        for key, values in content["values"].items():
            self.values[key] = {
                name: SetValue(float(value), _number(low), _number(high), note)
                for name, (value, low, high, note) in values.items()
            }


def _text(value: float | None) -> float | str | None:
    """JSON has no infinity and no NaN."""
    return str(value) if value is not None and not math.isfinite(value) else value


def _number(value: str | float | None) -> float | None:
    return None if value is None else float(value)
