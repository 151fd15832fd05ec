"""What ships with restorebench, so that what others send can be used without running their code.

Hydra's `instantiate` calls whatever a `_target_` names.  A table or a file from somewhere else may therefore name
only targets that stand in the configurations of this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_CONF = Path(__file__).resolve().parents[2] / "conf"


@lru_cache(maxsize=8)
def choices(group: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the configurations of one group by name, as they are in the files."""
    import yaml

    files = sorted((_CONF / group).glob("*.yaml"))
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
    return {name: content for name, content in found.items() if isinstance(content, Mapping)}


@lru_cache(maxsize=8)
def targets(group: str) -> frozenset[str]:
    """Return every `_target_` in the configurations of one group, nested ones too."""
    return frozenset(target for content in choices(group).values() for target in named(content))


def unsafe(value: Any) -> str:
    """Name what in plain data would make `instantiate` do more than call `_target_`, or return an empty string."""
    if isinstance(value, Mapping):
        special = [key for key in value if not isinstance(key, str) or (key.startswith("_") and key != "_target_")]
        if special:
            return f"the key {special[0]!r}"
        return next(filter(None, map(unsafe, value.values())), "")
    if isinstance(value, list | tuple):
        return next(filter(None, map(unsafe, value)), "")
    if isinstance(value, str) and "${" in value:
        return f"the interpolation {value[:60]!r}"
    return ""


def named(value: Any) -> Iterator[str]:
    """Yield every `_target_` in plain data, nested ones too."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield str(value["_target_"])
        for item in value.values():
            yield from named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from named(item)
