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


def test_nor_is_it_in_a_nested_object() -> None:
    inner = {"_target_": TARGET, "size": 4}
    here, there = ({**inner, "where": where} for where in ("here", "there"))
    assert of(size=3, inner=here).digest == of(size=3, inner=there).digest
    assert of(size=3, inner=here).digest != of(size=3, inner={**inner, "size": 5}).digest


def test_an_integer_is_a_float_where_a_float_is_meant() -> None:
    assert of(size=3, rate=1).digest == of(size=3, rate=1.0).digest


def test_it_builds_what_it_says_and_survives_json() -> None:
    spec = Spec.from_json(of(size=3, inner={"_target_": TARGET, "size": 4}).to_json())
    thing = spec.build()
    assert (thing.size, thing.rate, thing.inner.size, thing.inner.rate) == (3, 0.5, 4, 0.5)


def test_an_object_that_refuses_its_arguments_is_named() -> None:
    def refuse(self: object, size: int) -> None:
        raise ValueError("too small")

    import sys

    sys.modules["test_spec_things"].Refusing = type("Refusing", (), {"__init__": refuse})  # type: ignore[attr-defined]
    spec = Spec.of({"_target_": "test_spec_things.Refusing", "size": 1}, "adapter.thing")
    with pytest.raises(ConfigError, match=r"test_spec_things\.Refusing: cannot be built \(ValueError: too small\)"):
        spec.build()


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
