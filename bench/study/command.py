"""`restorebench study`: serve the page on which people compare pictures."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..files import as_path

if TYPE_CHECKING:
    from rich.console import Console

_FLAGS = {"host": "--host 192.168.0.7", "port": "--port 8750"}
_ENDING = 3  # seconds that open requests get when the server is stopped


def with_flags(arguments: Sequence[str]) -> list[str]:
    """Write `--host H` and `--port N`, as other servers take them, as the settings `host=H` and `port=N`."""
    found: list[str] = []
    waiting = ""
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if waiting:
            found.append(f"{waiting}={argument}")
            waiting = ""
        elif argument.startswith("--") and name in _FLAGS:
            if equals:
                found.append(f"{name}={value}")
            else:
                waiting = name
        else:
            found.append(argument)
    if waiting:
        raise ConfigError(f"--{waiting}: a value is missing, such as {_FLAGS[waiting]}")
    return found


def serve(config: Mapping[str, Any], console: Console) -> int:
    """Serve a study until it is interrupted; return the number of answers there are then.

    Raises:
        ConfigError: nothing to compare, or the address cannot be used.
        StoreError: there are no results, or the answers cannot be written.
    """
    import uvicorn

    from ...reports.groups import gather
    from ...reports.study.design import design
    from ..storage import results
    from ..storage.store import Store
    from .ballots import Ballots, votes
    from .server import Study, application

    out, wanted = as_path(config["out"]), config["study"]
    if wanted["pairs"] < 0:
        raise ConfigError(f"study.pairs: {wanted['pairs']} is negative; use 0 for all, or more")
    found = results.load(Store(out))
    made = design(gather(found), found.store, wanted["restorers"], wanted["split"], wanted["pairs"], wanted["seed"])
    study = Study(
        found.store, Ballots(out), made, wanted["question"], wanted["lq"], partial(_say, console, style="red")
    )
    listening = _listen(config["host"], config["port"])
    host, port = listening.getsockname()[:2]
    _say(console, f"{made.asked} of {made.total} comparisons for each rater: {', '.join(made.restorers)}")
    if not ipaddress.ip_address(host).is_loopback:
        _say(
            console,
            f"warning: {host} is reached from other machines, without a password: whoever opens the page can answer "
            "and sees the pictures",
            "yellow",
        )
    _say(console, f"study: http://{_in_address(host)}:{port}/    answers: {study.ballots.path}    stop: Ctrl-C")
    server = uvicorn.Server(
        uvicorn.Config(
            application(study),
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_ENDING,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        server.run(sockets=[listening])
    answers = len(votes(out))
    _say(console, f"{answers} answers; tables: restorebench report out={out}")
    return answers


def _say(console: Console, line: str, style: str = "") -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _listen(host: str, port: int) -> socket.socket:
    """Open the address before anything is announced."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"host={host} port={port}: cannot be served there ({getattr(error, 'strerror', None) or error}); "
            "choose another port with port=N, or any free one with port=0"
        ) from None


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
