"""A shipped configuration and the settings that were changed: how others name what can be built without their code.

Only scalars travel: switches, numbers and words from a fixed list.  A place on somebody's disk, a list, a text of
one's own or another class never does.
"""

from __future__ import annotations

import copy
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..errors import ConfigError, suggest
from ..spec import Spec, is_location, parameters
from .shipped import choices, unsafe

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,79}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,3}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,79}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Scalar = bool | int | Number | Word | None

_LABELS = ("name", "licence", "source", "note", "drawn_from")
"""Settings of data sets and others that only say what tables call them; of these `name` alone travels."""


class Choice(BaseModel):
    """One choice of a configuration group.

    Attributes:
        name: of the file below `conf/<group>/`.
        settings: dotted key -> value, where it is not the file's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    settings: dict[Key, Scalar] = Field(default_factory=dict, max_length=60)


def configure(group: str, choice: Choice, places: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a choice's configuration.

    Args:
        group: `adapter`, `dataset`, `degradation` or `metric`.
        choice: which of the shipped ones, with which settings.
        places: files and folders of the user's own by key, such as `{"root": "faces"}`.

    Raises:
        ConfigError: no such choice or setting, or one that may not be named from outside.
    """
    where = f"{group} '{choice.name}'"
    config = _shipped(group, choice.name)
    if group != "dataset" and (needed := [key for key, value in _leaves(config) if value == "???"]):
        raise ConfigError(
            f"{where}: needs {needed[0]}, which is no part of restorebench; only what ships whole can be named to others"
        )
    for key, value in choice.settings.items():
        holder, last = _holder(config, key, where)
        if not _may_travel(holder, last, where):
            raise ConfigError(f"{where}: {key} may not be set from outside: it is no number, switch or word of a list")
        if isinstance(value, str) and unsafe(value):
            raise ConfigError(f"{where}: {key} holds {unsafe(value)}")
        holder[last] = value
    known = [key for key, _ in _leaves(config) if key in config and _is_place(config, key, where)]
    for key, place in (places or {}).items():
        if key not in known:
            raise ConfigError(f"{where}: has no place '{key}'; it has {', '.join(known) or 'none'}")
        config[key] = place
    missing = [key for key, value in _leaves(config) if value == "???"]
    if missing:
        raise ConfigError(f"{where}: is not among what ships; say where it lies: --data {missing[0]}=DIR")
    return config


def describe(group: str, name: str, config: Mapping[str, Any]) -> Choice:
    """Return the shipped choice that a configuration is, with the settings that differ.

    Args:
        group: as in `configure`.
        name: what the command called it, tried first.
        config: as it was composed.

    Raises:
        ConfigError: it is none that ships, or differs by more than scalars.
    """
    problems = []
    found: list[Choice] = []
    for candidate in sorted(choices(group), key=lambda other: (other != name, other)):
        if choices(group)[candidate].get("_target_") == config.get("_target_"):
            try:
                found.append(Choice(name=candidate, settings=_changed(group, candidate, config)))
            except ConfigError as error:
                problems.append(str(error))
    if not found:
        reason = problems[0] if problems else f"{config.get('_target_')} does not ship with restorebench"
        raise ConfigError(f"{group} '{name}': cannot be named to others: {reason}")
    return min(found, key=lambda choice: len(choice.settings))


def _changed(group: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    shipped = dict(_leaves(_shipped(group, name)))
    own = dict(_leaves(config))
    where = f"{group} '{name}'"
    changed = {}
    for key, value in sorted(own.items()):  # a setting that is newer than the command had its default then
        if key in shipped and value == shipped[key]:
            continue
        holder, last = _holder(config, key, where)
        if _is_place(holder, last, where) or (last in _LABELS and last != "name"):
            continue
        if key not in shipped or not _may_travel(holder, last, where):
            raise ConfigError(f"{where}: {key} = {value!r} is no scalar setting of its configuration")
        if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,79}", value):
            raise ConfigError(f"{where}: {key} = {value!r} is no plain word")
        changed[key] = value
    return changed


def _shipped(group: str, name: str) -> dict[str, Any]:
    known = {key: content for key, content in choices(group).items() if "_target_" in content}
    if name not in known:
        raise ConfigError(f"{group}: nothing called '{name}' ships with restorebench.{suggest(name, known)}")
    return copy.deepcopy(dict(known[name]))


def _leaves(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted key and value of everything that is no mapping; lists are values."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _holder(config: Any, key: str, where: str) -> tuple[Any, str]:
    """Return the mapping with `_target_` that holds a dotted key, and the key in it."""
    *path, last = key.split(".")
    holder = config
    for part in path:
        holder = holder.get(part) if isinstance(holder, Mapping) else None
    if not isinstance(holder, Mapping) or last not in holder or "_target_" not in holder:
        raise ConfigError(f"{where}: has no setting '{key}'.{suggest(key, [name for name, _ in _leaves(config)])}")
    return holder, last


def _is_place(holder: Mapping[str, Any], key: str, where: str) -> bool:
    return key != "_target_" and is_location(parameters(str(holder["_target_"]), where).get(key))


def _may_travel(holder: Mapping[str, Any], key: str, where: str) -> bool:
    known = parameters(str(holder["_target_"]), where)
    return key in known and (key == "name" or _is_scalar(known[key]))


def _is_scalar(hint: Any) -> bool:
    """Say whether a parameter takes numbers, switches and words of a list, and nothing else."""
    if get_origin(hint) is Literal:
        return True
    if get_origin(hint) in (Union, types.UnionType):
        return all(map(_is_scalar, get_args(hint)))
    return hint in (bool, int, float, type(None))


def spec(group: str, choice: Choice, places: Mapping[str, str] | None = None) -> Spec:
    """Return a choice as a Spec; see `configure`."""
    return Spec.of(configure(group, choice, places), f"{group} '{choice.name}'")
