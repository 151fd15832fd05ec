"""Commits: what one shard found out, and the file that makes it permanent."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..costs import Cost
from ..errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1

_DIGEST = re.compile("[0-9a-f]{64}")

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
    """Return the content of a commit, or None where the bytes are not those its name promises, or no commit.

    Args:
        name: of the commit.
        data: content of its file.
        place: the file, for messages.

    Raises:
        StoreError: it is of another version.
    """
    if hashlib.sha256(data).hexdigest() != name:
        return None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("version"), int):
        return None
    if content["version"] != VERSION:
        raise StoreError(f"{place}: store version {content['version']}, this restorebench reads {VERSION}")
    return content if _is_sound(content) else None


def _is_sound(content: Mapping[str, Any]) -> bool:
    """Say whether content has the shape of a commit: others may have written it, and its names become paths."""
    kinds = [content[kind] for kind in (*RECORDS, "features") if isinstance(content.get(kind), dict)]
    if len(kinds) <= len(RECORDS):
        return False
    files, degraded, restored, scores, images, features = kinds
    return (
        all(map(_is_picture, files.values()))
        and all(_is_degraded(record) for record in degraded.values())
        and all(_is_restored(record) for record in restored.values())
        and all(_is_score(values) for values in scores.values())
        and all(is_digest(name) and type(length) is int for name, length in images.items())
        and all(is_digest(name) and isinstance(keys, list) for name, keys in features.items())
    )


def is_digest(name: Any) -> bool:
    """Say whether a name is a sha256 in hexadecimal digits, as those of all files of a store are."""
    return isinstance(name, str) and _DIGEST.fullmatch(name) is not None


def _is_picture(record: Any) -> bool:
    return (
        isinstance(record, list)
        and len(record) == 3
        and is_digest(record[0])
        and all(type(side) is int and 0 < side < 2**20 for side in record[1:])
    )


def _is_degraded(record: Any) -> bool:
    if not isinstance(record, dict) or not {"lq", "native", "parameters"} <= record.keys():
        return False
    native = record["native"] is None or _is_picture(record["native"])
    return _is_picture(record["lq"]) and native and isinstance(record["parameters"], dict)


def _is_restored(record: Any) -> bool:
    if not isinstance(record, dict) or not {"image", "seconds", "note", "cost"} <= record.keys():
        return False
    cost = record["cost"]
    known = isinstance(cost, dict) and cost.keys() <= Cost.__dataclass_fields__.keys()
    return (
        _is_picture(record["image"])
        and isinstance(record["seconds"], int | float)
        and isinstance(record["note"], str)
        and known
        and all(value is None or isinstance(value, int | float) for value in cost.values())
    )


def _is_score(values: Any) -> bool:
    return isinstance(values, dict) and all(
        isinstance(value, int | float) or value in ("inf", "-inf", "nan") for value in values.values()
    )


def _number(value: float) -> float | str:
    """JSON has no infinity and no NaN: they are written as text and read back by `float`."""
    return value if math.isfinite(value) else str(value)
