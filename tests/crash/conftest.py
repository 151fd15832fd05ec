"""A web server with weights, and a world of one's own for every kill."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import forking
import numpy as np
import pytest
import yaml
from worlds import World


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A web server with one file of weights, and the variable that makes it known."""
    folder = tmp_path_factory.mktemp("web")
    data = np.random.default_rng(0).bytes(700_000)
    (folder / "net.bin").write_bytes(data)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:])
            served.append(len(data) - start)

    served: list[int] = []
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.handle_error = lambda *_: None  # the client is killed in mid-sentence
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    entry = {
        "file": "net.bin", "what": "a test file", "licence": "CC0-1.0", "sha256": hashlib.sha256(data).hexdigest(),
        "sources": [{"url": f"http://127.0.0.1:{web.server_port}/net.bin"}],
    }  # fmt: skip
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"artifacts": {}, "weights": {"net": entry}}))
    yield {"FRAGILE_CATALOGUE": str(folder / "catalogue.yaml")}
    web.shutdown()
    web.server_close()
    thread.join()


@pytest.fixture(scope="session")
def undisturbed(server: forking.Server, tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run nobody disturbed."""
    world = World(tmp_path_factory.mktemp("undisturbed"), server, tiny_faces)
    ended = world.run(*world.evaluation(), passages=str(world.folder / "passages"))
    assert ended.status == 0, ended.output
    return world


@pytest.fixture
def world(undisturbed: World, tmp_path: Path) -> World:
    """A fresh folder with the data of the undisturbed run."""
    return undisturbed.at(tmp_path)


@pytest.fixture
def damaged_copy(undisturbed: World, world: World) -> Callable[[], World]:
    """Copy the undisturbed run's `out`, to be damaged."""

    def copy() -> World:
        shutil.copytree(undisturbed.out, world.out)
        return world

    return copy
