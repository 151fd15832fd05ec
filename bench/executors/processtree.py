"""Processes below a process, by Linux's /proc and prctl; elsewhere there are none to be seen.

Imports nothing of ours and nothing heavy: the guard of a worker runs it before it forks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable
from pathlib import Path

# linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE")


def descendants(pid: int) -> set[int]:
    """Return the processes that a process started, directly or not."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    frontier = [pid]
    while frontier:
        new = [child for parent in frontier for child in children.get(parent, ()) if child not in found]
        found.update(new)
        frontier = new
    return found


def _parents() -> Iterable[tuple[int, int]]:
    with contextlib.suppress(OSError):
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    # proc(5): pid (name) state ppid ...; the name may hold spaces and parentheses
                    stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                    yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of processes; shared pages count in each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return total


def end(pids: Iterable[int]) -> None:
    """Kill processes that may be gone already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def die_with(parent: int) -> None:
    """Be killed when `parent`, which started this process, ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def offer_to_the_system(score: int = 500) -> None:
    """Let a system that runs out of memory end this process before its parent (0 = as likely, 1000 = surely)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(score), encoding="ascii")


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
