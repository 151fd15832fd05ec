"""A package index, a web server and a catalogue of one's own, for tests of the weights manager."""

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from restorebench.bench.weights import catalogue, download


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pack(file: str, members: Mapping[str, bytes]) -> bytes:
    """Return a wheel or sdist, by the ending of its name."""
    buffer = io.BytesIO()
    if file.endswith(".tar.gz"):
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    else:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; pip's own settings and the user's folders are out of sight."""
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("RESTOREBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "_unreachable", {})
    return tmp_path / "home"


@pytest.fixture
def known(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the catalogue: `known({name: fields}, artifacts={...})`."""
    numbers = iter(range(100))

    def write(weights: Mapping[str, Any], artifacts: Mapping[str, Any] | None = None) -> None:
        defaults = {"what": "a test file", "licence": "CC0-1.0"}
        content = {"artifacts": artifacts or {}, "weights": {n: {**defaults, **w} for n, w in weights.items()}}
        file = tmp_path / f"catalogue{next(numbers)}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        monkeypatch.setattr(catalogue, "CATALOGUE", file)

    return write


class Index:
    """A simple index in a folder, which `PIP_INDEX_URL` names by a `file:` address."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, file: str, content: bytes | Mapping[str, bytes], promised: str | None = None) -> str:
        """Put an artifact of the project `thing` on its page; return the artifact's sha256."""
        data = content if isinstance(content, bytes) else pack(file, content)
        folder = self.root / "thing"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        page = folder / "index.html"
        before = page.read_text() if page.exists() else ""
        page.write_text(f'{before}<a href="{file}#sha256={promised or sha256(data)}">{file}</a><br/>\n')
        return sha256(data)


@pytest.fixture
def index(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    return Index(tmp_path / "simple")


@pytest.fixture
def make_index() -> type[Index]:
    """More indexes, in folders of the test's choice."""
    return Index


class Server:
    """Serves bytes by path; counts what it was asked, and can break off or refuse to continue."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.break_after: int | None = None  # bytes of the next answer
        self.break_always = False
        self.ranges = True
        self.pause = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def serve(self, path: str, file: str, members: Mapping[str, bytes]) -> str:
        """Serve an archive; return its sha256."""
        self.files[path] = pack(file, members)
        return sha256(self.files[path])

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        data = self.files.get(request.path)
        if data is None:
            request.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if start and start >= len(data):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(data)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Type", "text/html" if request.path.endswith("/") else "application/octet-stream")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        body = data[start:][: self.break_after]
        if not self.break_always:
            self.break_after = None
        threading.Event().wait(self.pause)
        request.wfile.write(body)
        request.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.http.shutdown()
    started.http.server_close()
