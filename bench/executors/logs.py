"""Where the workers of one run print: `out/logs/worker-<n>.log`, one for each place, whoever works there."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..files import is_remote, write_atomic
from .output import Output


@contextlib.contextmanager
def worker_logs(out: Path, numbers: Iterable[int]) -> Iterator[list[Output]]:
    """Give the log of each worker; logs on object storage are written locally and sent there at the end."""
    with contextlib.ExitStack() as stack:
        remote = is_remote(out)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if remote else out / "logs"
        outputs = [Output(folder / f"worker-{number}.log") for number in numbers]
        try:
            yield outputs
        finally:
            for output in outputs:
                output.close()
                if remote and output.path.exists():
                    write_atomic(out / "logs" / output.path.name, output.path.read_bytes())
