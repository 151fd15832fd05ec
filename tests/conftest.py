"""Fixtures every room uses: small real images, command lines in this process and in forks, a prepared MLflow database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import forking
import pytest

from restorebench.bench import cli

FACES = Path(__file__).parent.parent / "datasets" / "builtin"


class Outcome(NamedTuple):
    """What a command printed and how it ended."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a command line in this process: `command("run", "adapter=[input]")`.

    `run` works in this process, too, where the test names no executor: workers take a second to start.
    """
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        if words[:1] == ["run"] and not any(word.startswith("executor=") for word in words):
            words.append("executor=inline")
        status = cli.main(words)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def small_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in faces at 64 x 64, named a to e."""
    folder = tmp_path_factory.mktemp("faces")
    for name, path in zip("abcde", sorted(FACES.glob("*.png")), strict=True):
        image = cv2.imread(str(path))
        cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA))
    return folder


@pytest.fixture(scope="session")
def tiny_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four faces at 24 x 24, named a to d."""
    folder = tmp_path_factory.mktemp("tiny")
    for name, path in zip("abcd", sorted(FACES.glob("*.png")), strict=False):
        cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(cv2.imread(str(path)), (24, 24), interpolation=3))
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[forking.Server]:
    """A server of forks: whole commands in processes of their own, without the time to start one."""
    with forking.Server(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def faces(small_faces: Path, tmp_path: Path) -> Path:
    """A copy of the small faces that a test may damage."""
    return Path(shutil.copytree(small_faces, tmp_path / "faces"))
