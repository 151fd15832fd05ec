"""Whose code may run when results are read: restorebench's own, and that of packages this user chose before.

A store says how its metrics are built (`_target_`), and reading somebody else's results must not run what they wrote
there.  A target that does not ship with restorebench is built only if its package was named on a command line or in
a configuration of this user, here or in an earlier command, or is trusted explicitly.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .sharing.shipped import named, targets, unsafe
from .spec import Spec
from .weights import home

_packages: set[str] = set()


def allow(packages: Iterable[str]) -> None:
    """Trust packages for the rest of this process."""
    _packages.update(packages)


def remember(specs: Iterable[Spec]) -> None:
    """Trust the packages of what the user asked for, now and in later commands."""
    used = {
        target.partition(".")[0] for spec in specs for target in named(_plain(spec)) if target not in targets("metric")
    }
    new = used - _packages - _kept()
    allow(used)
    if new:
        with suppress(OSError):  # a read-only home only means that later commands have to be told
            _file().parent.mkdir(parents=True, exist_ok=True)
            with _file().open("a", encoding="utf-8") as file:
                file.write("".join(f"{package}\n" for package in sorted(new)))


def refused(spec: Spec) -> str:
    """Say why what a store names may not be built, or return an empty string."""
    problem = unsafe(_plain(spec))
    if problem:
        return f"{spec.target}: holds {problem}, which no configuration of restorebench does"
    foreign = [target for target in named(_plain(spec)) if target not in targets("metric")]
    packages = dict.fromkeys(target.partition(".")[0] for target in foreign)
    unknown = [package for package in packages if package not in _packages | _kept()]
    if not unknown:
        return ""
    return (
        f"{spec.target} is not built: {unknown[0]} is no package you used before; if you trust it: trust=[{unknown[0]}]"
    )


def _plain(spec: Spec) -> dict[str, object]:
    return {"_target_": spec.target, **spec.arguments}


def _kept() -> set[str]:
    try:
        return set(_file().read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError):
        return set()


def _file() -> Path:
    return home() / "plugins.txt"
