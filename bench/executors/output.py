"""What workers print: kept in a file of bounded size, whatever they print."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import BinaryIO

MIB = 2**20


class Output:
    """A log of which the head and the tail are kept and the middle is dropped.

    Several workers, one after another, may write to it.  The tail goes round in the same file until `close` puts it
    in order, so that neither memory nor the disk ever holds more than the two parts.

    Args:
        path: a local file; made when the first byte comes, replacing an older one.
        head, tail: bytes to keep.
    """

    def __init__(self, path: Path, head: int = MIB, tail: int = MIB) -> None:
        self.path = path
        self._head, self._tail = head, tail
        self._written = 0
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._drains: list[threading.Thread] = []
        path.unlink(missing_ok=True)

    def drain(self, descriptor: int) -> None:
        """Read a pipe to its end in a thread of its own, and close it."""
        thread = threading.Thread(target=self._read, args=(descriptor,), daemon=True, name=f"drain {self.path.name}")
        self._drains = [*(old for old in self._drains if old.is_alive()), thread]
        thread.start()

    def _read(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as pipe:
            while data := pipe.read(64 * 1024):
                self.write(data)

    def write(self, data: bytes) -> None:
        """Add bytes; a full disk loses them, and nothing else."""
        with self._lock, contextlib.suppress(OSError):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w+b")
            while data:
                offset, room = self._place()
                self._file.seek(offset)
                self._file.write(data[:room])
                self._written += len(data[:room])
                data = data[room:]
            self._file.flush()

    def _place(self) -> tuple[int, int]:
        """Where the next byte goes, and how many fit there."""
        if self._written < self._head:
            return self._written, self._head - self._written
        beyond = (self._written - self._head) % self._tail
        return self._head + beyond, self._tail - beyond

    def close(self) -> None:
        """Wait for what is still in the pipes and put the tail in order."""
        for thread in self._drains:
            thread.join(timeout=5)
        with self._lock, contextlib.suppress(OSError):
            if self._file is None:
                return
            dropped = self._written - self._head - self._tail
            if dropped > 0:
                self._file.seek(self._head)
                ring = self._file.read(self._tail)
                start = (self._written - self._head) % self._tail
                self._file.seek(self._head)
                self._file.write(b"\n... %d bytes left out here ...\n" % dropped + ring[start:] + ring[:start])
            self._file.close()
            self._file = None
