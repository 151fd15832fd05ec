"""A check that nothing was written or run elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import forking
import pytest
from worlds import World

STATUSES = (0, 2, 3)


@pytest.fixture
def world(server: forking.Server, tiny_faces: Path, tmp_path: Path) -> World:
    return World(tmp_path, server, tiny_faces)


def tree(folder: Path, but: tuple[Path, ...]) -> dict[str, tuple[int, int]]:
    """Return size and time of everything below a folder, but not of what may change."""
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(parent, name) not in but]
        for name in (*folders, *names):
            path = Path(parent, name)
            if path not in but:
                status = path.lstat()
                found[str(path)] = (status.st_size, status.st_mtime_ns) if path.is_file() else (0, 0)
    return found


@pytest.fixture
def harmless(world: World) -> Callable[..., forking.Ended]:
    """Run a command; it must end in one of the statuses, in plain words, and touch nothing but `out` and the cache."""

    def run(*arguments: str, out: Path | None = None, statuses: tuple[int, ...] = STATUSES) -> forking.Ended:
        mine = (out or world.out, world.folder / "home", world.log)
        before = tree(world.folder, mine)
        ended = world.run(*arguments)
        said = f"{arguments}\n{ended.output}"
        assert ended.status in statuses, said
        assert "Traceback" not in ended.output, said
        assert "restorebench: unexpected" not in ended.output, said
        assert tree(world.folder, mine) == before, said
        assert not list(world.folder.rglob("canary*")), said
        if ended.status == 2:
            told = [line for line in ended.output.splitlines() if line.startswith("restorebench")]
            assert told, said
        return ended

    return run
