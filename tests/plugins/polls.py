"""A small study to vote on: a store with pictures, and the server on a port of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvicorn
from handmade import Writer, picture

from restorebench.bench.storage.store import Store
from restorebench.bench.study.ballots import Ballots
from restorebench.bench.study.server import Study, application
from restorebench.reports.groups import gather
from restorebench.reports.study.design import Design, design


def pictures(out: Path, restorers: list[str], samples: list[str], splits: tuple[str, ...] = ("severe",)) -> None:
    """Fill `out` with random pictures of every restorer, split and sample, all different."""
    writer, rng = Writer(out), np.random.default_rng(0)
    for split in splits:
        inputs = {sample: picture(writer, rng) for sample in samples}
        for restorer in restorers:
            own = {sample: {"lq": inputs[sample], "restored": picture(writer, rng)} for sample in samples}
            scores = {"psnr": list(np.linspace(20, 30, len(samples)))}
            writer.cell(restorer, scores, samples=samples, pixels=own, split=split)


def deal(out: Path, **settings: Any) -> Design:
    """Return the design of a study on `out`."""
    from restorebench.bench.storage import results

    store = Store(out)
    return design(gather(results.load(store)), store, **settings)


@contextmanager
def served(out: Path, *, question: str = "Which?", show_lq: bool = True, **settings: Any) -> Iterator[str]:
    """Serve a study on `out`; yield its address."""
    study = Study(Store(out), Ballots(out), deal(out, **settings), question, show_lq, warn=print)
    config = uvicorn.Config(application(study), port=0, lifespan="off", ws="none", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Voter:
    """A browser without a screen."""

    def __init__(self, address: str, name: str | None = "Anna") -> None:
        self.address = address
        self.session = requests.Session()
        page = self.session.get(f"{address}/", timeout=10).text
        self.token = page.split('name="study-token" content="')[1].split('"')[0]
        if name is not None:
            self.post("join", name=name)

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: Any) -> requests.Response:
        """Send fields with the page's token."""
        sent = {"X-Study-Token": self.token, **(headers or {})}
        return self.session.post(f"{self.address}/{path}", json=fields, headers=sent, timeout=10)

    def state(self) -> dict[str, Any]:
        """What the page would show."""
        return dict(self.session.get(f"{self.address}/state", timeout=10).json())

    def picture(self, token: str, which: str) -> requests.Response:
        """Fetch one picture of a pair."""
        return self.session.get(f"{self.address}/picture/{token}/{which}", timeout=10)

    def answer(self, answer: str = "left") -> str:
        """Answer what is asked; return the token of the pair."""
        token = str(self.state()["pair"]["token"])
        assert self.post("answer", token=token, answer=answer).status_code == 200
        return token
