"""Records of commands, `store/plans/<key>.json`: what each asked for, what it skipped, where it ran.

A record is told to people and nothing is computed from it, so one that is damaged, or that somebody else wrote with
another content, is left out instead of ending a report.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..runlog import tell

_TEXTS = ("key", "started")
_LISTS = {"splits": str, "metrics": str, "cells": str, "command": str, "sort": str, "weights": dict, "skipped": dict}
_MAPPINGS = ("datasets", "config", "environment")


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record of a command, or None, told in the log, where it is none."""
    try:
        content = json.loads(path.read_bytes())
        problem = _problem(content)
    except (OSError, ValueError, RecursionError) as error:
        content, problem = None, str(error)
    if not problem:
        return dict(content)
    tell("damaged", f"{path}: no record of a command ({problem}); left out", level=logging.WARNING, file=str(path))
    return None


def _problem(content: Any) -> str:
    if not isinstance(content, dict):
        return f"holds a {type(content).__name__}"
    texts = [key for key in _TEXTS if not isinstance(content.get(key), str)]
    lists = [key for key, kind in _LISTS.items() if not _is_list(content.get(key, []), kind)]
    mappings = [key for key in _MAPPINGS if not isinstance(content.get(key, {}), Mapping)]
    wrong = [*texts, *lists, *mappings]
    if isinstance(content.get("datasets"), Mapping) and not all(
        isinstance(facts, Mapping) and isinstance(facts.get("card", {}), Mapping)
        for facts in content["datasets"].values()
    ):
        wrong.append("datasets")
    return f"{', '.join(wrong)}: missing or of another kind" if wrong else ""


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)
