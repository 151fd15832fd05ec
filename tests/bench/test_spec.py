"""A Spec is complete, comparable and refuses what does not fit."""

from __future__ import annotations

import pytest

from restorebench.bench.errors import ConfigError
from restorebench.bench.spec import Location, Spec


class Thing:
    def __init__(self, size: int, rate: float = 0.5, where: Location | None = None, inner: object = None) -> None:
        self.size, self.rate, self.where, self.inner = size, rate, where, inner


TARGET = "test_spec_things.Thing"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("test_spec_things")
    module.Thing = Thing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "test_spec_things", module)


def of(**arguments: object) -> Spec:
    return Spec.of({"_target_": TARGET, **arguments}, "adapter.thing")


def test_writing_out_a_default_changes_nothing() -> None:
    assert of(size=3).digest == of(size=3, rate=0.5).digest == of(rate=0.5, size=3).digest
    assert of(size=3).digest != of(size=3, rate=0.25).digest


def test_where_something_lies_is_not_what_it_is() -> None:
    assert of(size=3, where="here").digest == of(size=3, where="there").digest


def test_an_integer_is_a_float_where_a_float_is_meant() -> None:
    assert of(size=3, rate=1).digest == of(size=3, rate=1.0).digest


def test_it_builds_what_it_says_and_survives_json() -> None:
    spec = Spec.from_json(of(size=3, inner={"_target_": TARGET, "size": 4}).to_json())
    thing = spec.build()
    assert (thing.size, thing.rate, thing.inner.size, thing.inner.rate) == (3, 0.5, 4, 0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sise": 3}, r"adapter\.thing\.sise: no such setting.*Did you mean 'size'"),
        ({}, r"adapter\.thing\.size: a value is needed"),
        ({"size": "???"}, r"adapter\.thing\.size: a value is needed"),
        ({"size": "many"}, r"adapter\.thing\.size: 'many' is not int"),
        ({"size": 3, "inner": {"_target_": TARGET, "sise": 1}}, r"adapter\.thing\.inner\.sise: no such setting"),
        ({"size": 3, "inner": {"_target_": "nowhere.Thing"}}, r"adapter\.thing\.inner: cannot import nowhere\.Thing"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(**arguments)
