"""The package indexes, certificates and timeout that pip would use here.

pip merges its files (`pip config debug` lists them) and the environment itself, so it is asked.  Where pip
is not installed, the `PIP_*` variables alone count.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_SECTIONS = (":env:", "download", "install", "global")  # the first that has a key decides, as in pip


@dataclass(frozen=True)
class PipSettings:
    """What pip would use to download a package.

    Attributes:
        indexes: addresses or folders of simple indexes, in order.
        find_links: addresses, pages or folders that list files directly.
        cert: certificate bundle, or None for the default one.
        client_cert: client certificate, or None.
        proxy: address of a proxy, or None for what the environment says.
        timeout: seconds of silence after which a connection is given up.
        trusted_hosts: hosts whose certificate is not checked.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout: float = 60.0
    trusted_hosts: tuple[str, ...] = ()

    def verify(self, url: str) -> bool | str:
        """Return the `verify` argument of `requests` for an address."""
        parts = urlsplit(url)
        if parts.hostname in self.trusted_hosts or parts.netloc.rpartition("@")[2] in self.trusted_hosts:
            return False
        return self.cert or True


def pip_settings() -> PipSettings:
    """Return the settings of this interpreter's pip."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # pip's own default

    config = _ask_pip()
    if config is None:
        config = _from_environment(os.environ)

    def first(*keys: str) -> str:
        found = (config[f"{section}.{key}"] for section in _SECTIONS for key in keys if f"{section}.{key}" in config)
        return next(found, "")

    indexes = [*(first("index-url", "index").split() or [PYPI_SIMPLE_ENDPOINT]), *first("extra-index-url").split()]
    if first("no-index").lower() in {"1", "true", "yes", "on"}:
        indexes = []
    return PipSettings(
        indexes=tuple(indexes),
        find_links=tuple(first("find-links").split()),
        cert=first("cert") or None,
        client_cert=first("client-cert") or None,
        proxy=first("proxy") or None,
        timeout=float(first("timeout", "default-timeout") or 60),
        trusted_hosts=tuple(first("trusted-host").split()),
    )


def _ask_pip() -> dict[str, str] | None:
    command = [sys.executable, "-P", "-m", "pip", "config", "list"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    pairs = (line.partition("=") for line in answer.stdout.splitlines() if "='" in line or '="' in line)
    return {key: str(ast.literal_eval(value)) for key, _, value in pairs}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    named = ((key[4:].lower().replace("_", "-"), value) for key, value in environment.items() if key.startswith("PIP_"))
    return {f":env:.{key}": value for key, value in named}
