"""A `Spec`: which object to build, with which arguments, as plain data.

Configuration becomes Specs at the edge.  A Spec is what is hashed, sent to workers and instantiated
there; inside the engine no configuration object travels.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from .errors import ConfigError, RestorebenchError, suggest

Location = Annotated[str, "location"]
"""A parameter that says where something lies, not what it is: kept out of every identity."""


@dataclass(frozen=True)
class Spec:
    """An import path and its complete arguments.

    Attributes:
        target: dotted path of a class or function, such as `restorebench.adapters.classic.Lanczos`.
        arguments: JSON-able values by parameter name, defaults bound, so that writing out a default
            changes no hash.  A nested mapping with `_target_` builds a nested object.
    """

    target: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any], where: str) -> Spec:
        """Read a Spec from a configuration mapping with `_target_`.

        Args:
            config: plain mapping (no DictConfig), `_target_` and the arguments.
            where: the configuration key, for messages, such as `adapter.lanczos`.

        Raises:
            ConfigError: the target cannot be imported, or an argument is unknown, missing or of the wrong type.
        """
        if "_target_" not in config:
            raise ConfigError(f"{where}: has no _target_, the dotted path of the class to build")
        target = str(config["_target_"])
        given = {key: value for key, value in config.items() if key != "_target_"}
        return cls(target, _bind(_locate(target, where), given, where))

    def build(self) -> Any:
        """Import the target and call it with the arguments.

        Raises:
            RestorebenchError: what the target raised, without Hydra's wrapping.
        """
        from hydra.errors import InstantiationException
        from hydra.utils import instantiate

        try:
            return instantiate({"_target_": self.target, **self.arguments}, _convert_="all")
        except InstantiationException as error:
            cause = error.__cause__ or error
            if isinstance(cause, RestorebenchError):
                raise cause from None
            raise ConfigError(f"{self.target}: cannot be built ({type(cause).__name__}: {cause})") from None

    @cached_property
    def identity(self) -> str:
        """Canonical JSON of target and arguments, nested ones too, without `Location` arguments."""
        return json.dumps([self.target, _placeless(self.target, self.arguments)], sort_keys=True, ensure_ascii=False)

    @property
    def digest(self) -> str:
        """First 32 hexadecimal digits of the sha256 of `identity`."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        """Return the Spec as JSON-able data."""
        return {"target": self.target, "arguments": dict(self.arguments)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Inverse of `to_json`."""
        return cls(data["target"], data["arguments"])


def _locate(target: str, where: str) -> Callable[..., Any]:
    module_name, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigError(f"{where}: cannot import {target} ({error})") from None
    if not callable(found):
        raise ConfigError(f"{where}: {target} is not a class or function")
    return found  # type: ignore[no-any-return]


def parameters(target: str, where: str) -> dict[str, Any]:
    """Return the annotation of each parameter of a target that has one.

    Raises:
        ConfigError: the target cannot be imported.
    """
    return _hints(_locate(target, where))


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}


def _locations(target: Callable[..., Any]) -> set[str]:
    return {name for name, hint in _hints(target).items() if is_location(hint)}


def _placeless(target: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out every argument that says where something lies, in nested targets too."""
    locations = _locations(_locate(target, target))
    return {key: _inner(value) for key, value in arguments.items() if key not in locations}


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "_target_" not in value:
            return {key: _inner(item) for key, item in value.items()}
        target = str(value["_target_"])
        inner = {key: item for key, item in value.items() if key != "_target_"}
        return {"_target_": target, **_placeless(target, inner)}
    return [_inner(item) for item in value] if isinstance(value, list) else value


def is_location(hint: Any) -> bool:
    """Say whether an annotation is `Location`, or may be it."""
    if get_origin(hint) is Annotated:
        return "location" in get_args(hint)[1:]
    return any(is_location(part) for part in get_args(hint))


def _bind(target: Callable[..., Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {name: p for name, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for key in given:
        if key not in named and not takes_any:
            raise ConfigError(f"{where}.{key}: no such setting; known: {', '.join(named)}.{suggest(key, named)}")
    missing = [n for n, p in named.items() if p.default is p.empty and given.get(n, "???") == "???"]
    if missing:
        raise ConfigError(f"{where}.{missing[0]}: a value is needed, such as {where}.{missing[0]}=...")
    defaults = {name: p.default for name, p in named.items() if p.default is not p.empty}
    hints = _hints(target)
    return {key: _checked(value, hints.get(key), f"{where}.{key}") for key, value in {**defaults, **given}.items()}


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Return `value` as the annotated type, refusing what does not fit; nested targets are bound like the outer one."""
    if isinstance(value, Mapping) and "_target_" in value:
        nested = Spec.of(value, where)
        return {"_target_": nested.target, **nested.arguments}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) and "_target_" in item for item in value):
        return [_checked(item, None, f"{where}.{index}") for index, item in enumerate(value)]
    if hint is None:
        return _plain(value)
    from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticSchemaGenerationError:
        return _plain(value)
    except Exception:  # a config cannot be given beside types that carry their own
        try:
            adapter = TypeAdapter(hint)
        except PydanticSchemaGenerationError:
            return _plain(value)
    try:
        return _plain(adapter.validate_python(value))
    except ValidationError as error:
        expected = getattr(hint, "__name__", str(hint)).replace("typing.", "")
        reason = error.errors()[0]["msg"]
        raise ConfigError(f"{where}: {value!r} is not {expected} ({reason})") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
