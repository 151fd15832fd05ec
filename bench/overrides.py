"""What the user typed, made ready for Hydra's grammar.

Hydra's grammar gives meaning to spaces, commas, quotes, `=` and non-ASCII letters; folders have them in
their names.  Values of path-like settings and command lines are quoted here, duplicate choices are refused (Hydra would
silently keep one), and `dataset.root=...` may be written for the one data set that is selected.  Tables are chosen with
`report.table=...`, which stands for the group `table`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .errors import ConfigError

GROUPS = ("adapter", "dataset", "degradation", "metric", "table")

_PATHS = re.compile(
    r"^(out|restored|reference|mlflow\.uri|study\.question|degradation\.kernels|checkpoint|report\.table\.(.*\.)?(title|(names|labels|titles)\..+)"
    r"|dataset\.(.*\.)?(root|hq|lq|path|names)|metric\.(.*\.)?(checkpoint|reference)"
    r"|adapter\.(.*\.)?(path|checkpoint|root|cwd|command|output|luts|classifier))$"
)
_FLAGS_WITH_VALUE = {
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--config-path",
    "-cp",
    "--cfg",
    "-c",
    "--package",
    "-p",
}
_MAPPING_ITEM = re.compile(r"\s*([^:,{}]+?)\s*:\s*(.*?)\s*(?=,\s*[^:,{}/\\]+\s*:|$)", re.DOTALL)
_OPEN = re.compile(r"^report\.table\.\w+\.(names|labels|digits|titles|columns_of)(\.|$)")
"""Mappings of a table that take any key."""
_SELECTION = re.compile(rf"^\+?({'|'.join(GROUPS)})(?:@([\w.]+))?$")


def normalise(arguments: Sequence[str], defaults: dict[str, list[str]] | None = None) -> list[str]:
    """Return the arguments as Hydra should see them.

    Args:
        arguments: flags and `key=value` overrides as typed.
        defaults: choices by group where the user selects none, to complete `dataset.root`.

    Raises:
        ConfigError: an argument is no override, or a choice is selected twice.
    """
    pairs = [("table" if key == "report.table" else key, value) for key, value in _pairs(arguments)]
    sweep = any(flag in ("-m", "--multirun") for flag, value in pairs if value is None)
    selected = {group: list(names) for group, names in (defaults or {}).items()}
    for key, value in pairs:
        match = _SELECTION.match(key) if value is not None else None
        if match and not match[2] and not key.startswith("+"):
            selected[match[1]] = _names(match[1], value or "", sweep)
    _refuse_twins(pairs, selected)
    flags = [key for key, value in pairs if value is None and not key.startswith("~")]  # Hydra wants them together
    rest = [(key, value) for key, value in pairs if value is not None or key.startswith("~")]
    return [*flags, *(k if value is None else f"{_complete(k, selected)}={_quote(k, value)}" for k, value in rest)]


def chosen_groups(arguments: Sequence[str]) -> set[str]:
    """Return the groups (and `experiment`) the user selected something of."""
    return {argument.lstrip("+").partition("=")[0].partition("@")[0] for argument in arguments if "=" in argument}


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Split arguments into flags (`value` None) and overrides."""
    expects_value = False
    for argument in arguments:
        if expects_value or (argument.startswith("-") and "=" not in argument.partition("/")[0]):
            expects_value = not expects_value and argument in _FLAGS_WITH_VALUE
            yield argument, None
            continue
        if argument.startswith("--"):
            yield argument, None
            continue
        key, equals, value = argument.partition("=")
        if not equals and not argument.startswith("~"):
            raise ConfigError(f"'{argument}' is not an override; write KEY=VALUE, such as adapter=input (see --help)")
        yield (key, value) if equals else (argument, None)


def _names(group: str, value: str, sweep: bool) -> list[str]:
    inner = value.strip()
    listed = inner.startswith("[")
    names = [name.strip() for name in inner.strip("[]").split(",") if name.strip()]
    if not listed and len(names) > 1 and not sweep:
        raise ConfigError(
            f"{group}={value}: write {group}=[{','.join(names)}] to select several, or -m to sweep over them"
        )
    if listed and len(set(names)) < len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"{group}: '{twin}' is selected twice; a second instance is +{group}@{group}.NAME={twin}")
    return names


def _refuse_twins(pairs: Sequence[tuple[str, str | None]], selected: dict[str, list[str]]) -> None:
    """Refuse two selections that would land on one key."""
    taken: dict[str, str] = {}
    for key, value in pairs:
        match = _SELECTION.match(key) if value is not None else None
        if not match:
            continue
        package = match[2] or match[1]
        if package in taken:
            raise ConfigError(f"{key}={value}: {package} is already given by {taken[package]}; select each once")
        taken[package] = f"{key}={value}"
        group, _, name = package.partition(".")
        if name and name in selected.get(group, []):
            raise ConfigError(f"{key}={value}: {group} '{name}' is selected already; choose another name than {name}")


def _complete(key: str, selected: dict[str, list[str]]) -> str:
    """Write `dataset.root` out as `dataset.NAME.root` when one data set is selected."""
    if key.startswith("report.table."):
        return _complete_table(key, selected.get("table", []))
    group, _, rest = key.lstrip("+").partition(".")
    names = selected.get(group, [])
    if group not in GROUPS or not rest or rest in ("seed", "path", "kernels") or len(names) != 1:
        return key
    first = rest.partition(".")[0]
    if first in names or "." in rest:
        return key
    return f"{'+' if key.startswith('+') else ''}{group}.{names[0]}.{rest}"


def _complete_table(key: str, names: Sequence[str]) -> str:
    """Write `report.table.digits.psnr` as `report.table.NAME.digits.psnr` when one table is selected; any key may be new."""
    _, _, rest = key.removeprefix("report.").partition(".")
    if len(names) == 1 and rest.partition(".")[0] not in names:
        key = f"report.table.{names[0]}.{rest}"
    return f"++{key}" if _OPEN.match(key) else key


def _quote(key: str, value: str) -> str:
    if not _PATHS.match(key.lstrip("+")) or value in ("", "null", "???"):
        return value
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    if value.startswith("{") and value.endswith("}") and ":" in value:
        items = _MAPPING_ITEM.findall(value[1:-1])
        return "{" + ",".join(f"{name}:{_literal(path)}" for name, path in items) + "}"
    return _literal(value)


def _literal(value: str) -> str:
    """Quote for Hydra's grammar: backslashes before a quote are doubled, interpolations are escaped."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    escaped = re.sub(r"(\\*)(?='|$)", lambda found: found[1] * 2, value).replace("'", "\\'")
    return "'" + escaped.replace("${", "\\${") + "'"
