"""Commits: what one shard found out, and the file that makes it permanent."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1

RECORDS = ("files", "degraded", "restored", "scores", "images")
"""Kinds of records of a commit: mappings from a key to something that JSON can hold."""


@dataclass
class Commit:
    """Results of one shard on their way into the store.

    Attributes:
        files: sha256 of a file's bytes -> `[sha256 of its pixels, height, width]`.
        degraded: key -> `{lq, native, size..., parameters}`.
        restored: key -> `{image, size}`.
        scores: key -> `{column: value}`.
        images: sha256 of pixels -> bytes of its PNG, already written.
        features: key -> feature row, written beside the commit.
    """

    files: dict[str, list[Any]] = field(default_factory=dict)
    degraded: dict[str, dict[str, Any]] = field(default_factory=dict)
    restored: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.degraded or self.restored or self.scores or self.images or self.features)


def encode(commit: Commit, features: Mapping[str, list[str]]) -> tuple[str, bytes]:
    """Return a commit's name, which is the sha256 of its bytes, and the bytes.

    Args:
        commit: the results.
        features: name of each file of feature rows -> keys of its rows, in order.
    """
    content = {
        "version": VERSION,
        **{kind: getattr(commit, kind) for kind in RECORDS},
        "scores": {key: {n: _number(v) for n, v in values.items()} for key, values in commit.scores.items()},
        "features": features,
    }
    data = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    return hashlib.sha256(data).hexdigest(), data


def decode(name: str, data: bytes, place: str) -> dict[str, Any] | None:
    """Return the content of a commit, or None where the bytes are not those its name promises.

    Args:
        name: of the commit.
        data: content of its file.
        place: the file, for messages.

    Raises:
        StoreError: it is of another version.
    """
    if hashlib.sha256(data).hexdigest() != name:
        return None
    content: dict[str, Any] = json.loads(data)
    if content["version"] != VERSION:
        raise StoreError(f"{place}: store version {content['version']}, this restorebench reads {VERSION}")
    return content


def _number(value: float) -> float | str:
    """JSON has no infinity and no NaN: they are written as text and read back by `float`."""
    return value if math.isfinite(value) else str(value)
