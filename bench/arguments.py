"""Plain commands take `out=DIR` as well as `--out DIR`: the spelling of the commands that speak Hydra's grammar."""

from __future__ import annotations

from collections.abc import Sequence


def spelled(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the arguments with `name=value` of the given names written `--name=value`."""
    return [f"--{word}" if word.partition("=")[0] in names and "=" in word else word for word in arguments]
