"""A restorer in an environment of its own, run as a command once for every shard."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, NamedTuple

from PIL import Image

from ..bench.api import Card, Weights
from ..bench.errors import ConfigError, RestorerError, listing
from ..bench.images import Filter
from ..bench.spec import Location

_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""Variables of our Python that would lead another Python to our libraries."""

_TAIL = 600  # characters of stderr in an error message
_GRACE = 5.0  # seconds between asking a process to end and ending it


class Command:
    """Runs `command` on a folder of PNG files and takes the files it leaves in another folder.

    The command line is split as a shell would, but no shell runs it; then `{input_dir}`, `{output_dir}` are
    filled in.  If it fails half-way, what it did not reach is run again in smaller groups, so that one image
    that crashes it costs its own row only.

    Args:
        command: such as `python inference.py -i {input_dir} -o {output_dir}`.
        output: file of each result below `{output_dir}`; `{id}` stands for the input's name without suffix, `*`
            and `?` for what cannot be foretold, as in `restored_imgs/{id}_*.png`.
        cwd: working directory, such as the clone of the tool's repository; None for the current one.
        env: variables set for the command besides the inherited ones.
        timeout: seconds one run may take, loading included; then it and all its children are killed.
        output_size: `(height, width)` each file must have; None for no rule of its own.
        revision: whatever tells versions of the tool apart; stored results are used again as long as it stays.
        name: heading in tables.
        paper: citation.
        task: what the tool is for.
        input: `lq` = at the reference's size; `native` = the small image before it was brought back to size.
        size: the only `(height, width)` the tool takes; others are resized.
        scale: output side / input side.
        bring_down: filter for that, and for `native` inputs where only a resized LQ exists.
        final_resize: filter that brings the output to the reference's size; None: it must have it.
        code_licence: of the tool.
        weights_licence: of its checkpoint.
        trained_on: data sets, to flag leakage.
        losses: training losses, to flag metrics that share them.

    Raises:
        ConfigError: the command line cannot be split or lacks a folder, `output` lacks `{id}` or leaves the
            output folder, or `timeout` is not positive.
    """

    version = 1

    def __init__(
        self,
        command: str,
        output: str = "{id}.png",
        cwd: Location | None = None,
        env: Mapping[str, str | int | float] | None = None,
        timeout: float = 3600.0,
        output_size: tuple[int, int] | None = None,
        revision: str = "",
        *,
        name: str = "command",
        paper: str = "unknown",
        task: Literal["face restoration", "super-resolution", "denoising", "photo enhancement"] = "face restoration",
        input: Literal["lq", "native"] = "lq",  # noqa: A002 - the card's name for it
        size: tuple[int, int] | None = None,
        scale: int = 1,
        bring_down: Filter = "area",
        final_resize: Filter | None = None,
        code_licence: str = "unknown",
        weights_licence: str = "unknown",
        trained_on: tuple[str, ...] = (),
        losses: tuple[str, ...] = (),
    ) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"command: {command!r} cannot be split into words ({error}); check its quotes") from None
        for folder in ("{input_dir}", "{output_dir}"):
            if folder not in command:
                raise ConfigError(f"command: {command!r} does not say where {folder} goes")
        if output.count("{id}") != 1 or Path(output).is_absolute() or ".." in Path(output).parts:
            raise ConfigError(f"command: output is {output!r}; give a path below {{output_dir}} that holds {{id}} once")
        if timeout <= 0:
            raise ConfigError(f"command: timeout is {timeout}; give seconds")
        self.command, self.output, self.cwd, self.timeout = command, output, cwd, timeout
        self.env = {variable: str(value) for variable, value in (env or {}).items()}
        self.output_size, self.revision = output_size, revision
        self.weights: Weights = {}
        self.card = Card(
            name=name,
            paper=paper,
            task=task,
            input=input,
            size=size and (size[0], size[1]),
            scale=scale,
            bring_down=bring_down,
            final_resize=final_resize,
            code_licence=code_licence,
            weights_licence=weights_licence,
            trained_on=tuple(trained_on),
            losses=tuple(losses),
            knobs={"command": "the command line", "output": "how result files are called", "timeout": "seconds a run"},
        )

    def restore_folder(self, input_dir: Path, output_dir: Path, names: Sequence[str]) -> Mapping[str, Path | str]:
        """Run the command; see `FolderRestorer`.

        Raises:
            RestorerError: the command cannot be started.
        """
        results: dict[str, Path | str] = {}
        with (output_dir / "log.txt").open("wb") as log:
            self._attempt(input_dir, output_dir / "run", names, results, log)
        return results

    def _attempt(
        self, inputs: Path, outputs: Path, names: Sequence[str], results: dict[str, Path | str], log: IO[bytes]
    ) -> bool:
        """Run on `names`, and in halves again on what a crash left over; say whether anything came of it."""
        outputs.mkdir()
        end = self._run(inputs, outputs, log)
        for name in names:
            results[name] = self._result(outputs, name, end)
        missing = [name for name in names if isinstance(results[name], str)]
        progress = len(missing) < len(names)
        if end.status == 0 or end.timed_out or len(missing) < 2:
            return progress
        # The first one missing is the likely culprit: its half waits until it is clear that the rest can work.
        middle = len(missing) // 2
        for part in (missing[middle:], missing[:middle]):
            if part[0] != missing[0] or progress:
                again, folder = outputs / f"{part[0]}-again", outputs / f"{part[0]}-results"
                again.mkdir()
                for name in part:
                    shutil.copy(inputs / f"{name}.png", again)
                progress |= self._attempt(again, folder, part, results, log)
        return progress

    def _run(self, inputs: Path, outputs: Path, log: IO[bytes]) -> _End:
        folders = {"{input_dir}": str(inputs), "{output_dir}": str(outputs)}
        words = [_filled(word, folders) for word in self._words]
        log.write(f"$ {shlex.join(words)}\n".encode("utf-8", "surrogateescape"))
        log.flush()
        start = time.monotonic()
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(
                    words,
                    cwd=Path(self.cwd).expanduser() if self.cwd else None,
                    env={k: v for k, v in os.environ.items() if k not in _OURS} | self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                raise RestorerError(f"command cannot be started: {error}") from None
            timed_out = not _wait(process, self.timeout)
            stderr.seek(0)
            text = stderr.read()
        seconds = time.monotonic() - start
        log.write(b"\n-- stderr --\n" + text + f"\n-- status {process.returncode}, {seconds:.1f} s --\n".encode())
        log.flush()
        told = _tail(text)
        for placeholder, folder in folders.items():  # temporary names differ from run to run
            told = told.replace(folder, placeholder)
        return _End(process.returncode, timed_out, told)

    def _result(self, outputs: Path, name: str, end: _End) -> Path | str:
        """Return the file of one result, or the reason why there is none."""
        pattern = self.output.replace("{id}", name)
        found = sorted(path for path in outputs.glob(pattern) if path.is_file())
        if len(found) > 1:
            return f"command left {len(found)} files {self.output}: {listing(path.name for path in found)}"
        if found:
            return self._of_size(found[0])
        told = f": {end.stderr}" if end.stderr else ""
        if end.timed_out:
            return f"command took longer than {self.timeout:g} s and was ended{told}"
        if end.status:
            how = f"was ended by signal {-end.status}" if end.status < 0 else f"ended with status {end.status}"
            return f"command {how}{told}"
        others = sorted(path.relative_to(outputs).as_posix() for path in outputs.rglob("*") if path.is_file())
        return f"command left no {pattern}; it left {listing(others, 4) or 'no files'}{told}"

    def _of_size(self, file: Path) -> Path | str:
        if self.output_size is None:
            return file
        height, width = self.output_size
        try:
            with Image.open(file) as image:
                found = image.size
        except OSError:
            return file  # reading it will say what is wrong
        if found == (width, height):
            return file
        return f"command returned {found[1]} x {found[0]}, output_size says {height} x {width}"


class _End(NamedTuple):
    """How a run ended; `stderr` is its last lines."""

    status: int
    timed_out: bool
    stderr: str


def _filled(word: str, folders: Mapping[str, str]) -> str:
    for placeholder, folder in folders.items():
        word = word.replace(placeholder, folder)
    return word


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for a process, then end whatever is left of its group; say whether it ended by itself."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        return False
    finally:  # an interrupted restorebench leaves nothing running either
        with suppress(ProcessLookupError, PermissionError):  # macOS denies it for a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return True


def _tail(stderr: bytes) -> str:
    """Return the last lines of stderr as one; of a progress bar only its last state."""
    lines = [line.rpartition("\r")[2].strip() for line in stderr[-8 * _TAIL :].decode(errors="replace").splitlines()]
    return " | ".join([line for line in lines if line][-4:])[-_TAIL:]
