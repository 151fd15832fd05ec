"""The command line.

`run`, `score`, `synthesize`, `reference`, `report` and `study` speak Hydra's grammar; the others take plain arguments.
Every error a user can mend is one line and exit status 2.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, RestorebenchError, WeightsError, suggest, visible
from .files import is_remote
from .runlog import explained, tell

if TYPE_CHECKING:
    from .sweeps import Note

OVERVIEW = """\
restorebench: benchmarks of blind face restoration and photo enhancement

  restorebench                     the demo: built-in faces, three splits, the restorers that run anywhere
  restorebench run                 restore, score, report     adapter=[input,realesrgan] dataset=folder dataset.root=DIR
  restorebench score               score existing results     restored=DIR reference=DIR metric=[psnr,lpips_alex]
  restorebench synthesize          write degraded images      dataset=folder dataset.root=DIR degradation=[mild,severe]
  restorebench reference           statistics of a set for FID and KID     dataset=ffhq_512 dataset.root=DIR
  restorebench report              rebuild tables, figures and page from the store     out=DIR
  restorebench study               people compare two restorers on the same face, blind     out=DIR --port 8750
  restorebench merge               bring several output folders together     merge monday tuesday out=week
  restorebench submit              one restorer's numbers as a file to share  submit out=first adapter=realesrgan
  restorebench verify              measure such a file's numbers again     verify realesrgan.json --data DIR
  restorebench leaderboard         a folder of submissions as static pages  leaderboard add FILE FOLDER
  restorebench align               cut the faces out of photos             align PHOTOS --out FACES
  restorebench paste               put restored faces back                 paste RESTORED --faces FACES/faces.json ...
  restorebench list                adapters | datasets | degradations | metrics | tables | experiments
  restorebench weights             list | fetch NAME... | verify
  restorebench doctor              check this machine; doctor store DIR checks every digest of a store

Each command has --help, and -v explains what it does (-vv: every decision).  Everything a command writes goes below out=DIR (default: out).
Exit status: 0 complete, 3 finished with failed or skipped parts, 2 bad input, 1 a defect of restorebench.
"""

HYDRA_COMMANDS = ("run", "score", "synthesize", "reference", "report", "study")
_PLAIN = {
    "list": "listing:main",
    "weights": "weights.command:main",
    "doctor": "doctor:main",
    "align": "align_command:align_main",
    "paste": "align_command:paste_main",
    "merge": "sharing.merge_command:main",
    "submit": "sharing.submit_command:main",
    "verify": "sharing.verify_command:main",
    "leaderboard": "sharing.leaderboard_command:main",
}
"""Module below `bench`, and the function that takes the arguments and returns the exit status."""

PLAIN_COMMANDS = tuple(_PLAIN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments, verbosity = _without_verbosity(sys.argv[1:] if arguments is None else arguments)
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # an odd image is told by its own row
    with explained(verbosity):
        try:
            return _dispatch(arguments)
        except RestorebenchError as error:
            return _refused(error)
        except KeyboardInterrupt:
            print("restorebench: interrupted; the same command goes on from here", file=sys.stderr)
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception as error:
            return _unexpected(error)


def _without_verbosity(arguments: Sequence[str]) -> tuple[list[str], int]:
    """Take `-v` and `-vv` out of a command line, wherever they stand."""
    levels = {"-v": 1, "--verbose": 1, "-vv": 2}
    rest = [argument for argument in arguments if argument not in levels]
    return rest, min(2, sum(levels.get(argument, 0) for argument in arguments))


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in ("-h", "--help", "help"):
        print(OVERVIEW, end="")
        return 0
    if arguments and arguments[0] == "--version":
        from .. import __version__

        print(f"restorebench {__version__}")
        return 0
    if not arguments or arguments[0].startswith("-") or "=" in arguments[0]:
        return _hydra("run", arguments)
    command, rest = arguments[0], arguments[1:]
    if command in HYDRA_COMMANDS:
        return _hydra(command, rest)
    if command in PLAIN_COMMANDS:
        return _plain(command, rest)
    known = (*HYDRA_COMMANDS, *PLAIN_COMMANDS)
    raise ConfigError(f"no command '{command}'.{suggest(command, known)} Commands: {', '.join(known)}")


def _plain(command: str, arguments: list[str]) -> int:
    module, _, function = _PLAIN[command].partition(":")
    return int(getattr(import_module(f".{module}", __package__), function)(arguments))


def _hydra(command: str, arguments: list[str]) -> int:
    """Hand a command to Hydra and turn whatever it raises into one line."""
    import hydra
    from omegaconf import DictConfig

    from . import schema, sweeps
    from .configuration import default_choices, to_plain, translated
    from .overrides import normalise

    if command == "study":
        from .study.command import with_flags

        arguments = with_flags(arguments)
    sweep = "-m" in arguments or "--multirun" in arguments
    overrides = normalise(arguments, default_choices(command))
    schema.register()
    jobs = _Jobs(command, overrides, sweep)
    launcher = sweeps.launcher(overrides, sweep)

    def task(config: DictConfig) -> None:
        plain = to_plain(config)
        jobs.run(plain)
        if launcher != "basic":  # this is a copy in another process
            sweeps.leave(jobs.note(plain))

    os.environ["HYDRA_FULL_ERROR"] = "1"
    argv = sys.argv
    with sweeps.folder(overrides, launcher) as scratch, translated():
        sys.argv = [f"restorebench {command}", *overrides, *([f"hydra.sweep.dir='{scratch}'"] if sweep else [])]
        try:
            hydra.main(config_path="pkg://restorebench.conf", config_name=command, version_base="1.3")(task)()
        except SystemExit as end:  # Hydra's way out of --help
            return int(end.code or 0)
        except Exception as error:
            if launcher == "basic" or not sweeps.is_launched(error):
                raise
            jobs.lost(error, scratch)
        finally:
            sys.argv = argv
        for note in sweeps.notes(scratch):
            jobs.hear(note)
    return jobs.finish()


class _Jobs:
    """The jobs of one command: one, or the several of a sweep, which share one report at the end."""

    def __init__(self, command: str, overrides: list[str], sweep: bool) -> None:
        self._command = command
        self._overrides = overrides
        self._sweep = sweep
        self._statuses: list[int] = []
        self._unreported: dict[Path, dict[str, Any]] = {}
        self._refusal = ""

    def run(self, config: dict[str, Any]) -> None:
        """Run one job.  Errors are told here, before Hydra can add lines of its own; a sweep goes on."""
        work: Callable[[dict[str, Any]], int] = getattr(self, f"_{self._command}")
        try:
            self._statuses.append(work(config))
        except RestorebenchError as error:
            self._refusal = str(error)
            self._statuses.append(_refused(error))
        except BrokenPipeError:
            raise
        except Exception as error:
            self._statuses.append(_unexpected(error))

    def note(self, config: dict[str, Any]) -> Note:
        """Say how the last job ended, for the process that launched it."""
        from .sweeps import Note

        return Note(self._statuses[-1], str(next(iter(self._unreported), "")), config, self._refusal)

    def hear(self, note: Note) -> None:
        """Count a job that ran elsewhere."""
        from .files import as_path

        self._statuses.append(note.status)
        if note.error:
            print(f"restorebench: {visible(note.error)}", file=sys.stderr)
        if note.out:
            self._unreported[as_path(note.out)] = dict(note.config)

    def lost(self, error: Exception, logs: Path) -> None:
        """Tell of a job whose process ended; what it had finished is in the store."""
        reason = visible(str(error).strip().split("\n", maxsplit=1)[0])
        print(f"restorebench: a job of the sweep was lost: {reason}; see {logs / '.submitit'}", file=sys.stderr)
        self._statuses.append(3)

    def finish(self) -> int:
        """Build the report of a sweep and return the worst status."""
        from .commands import finish

        for out, config in self._unreported.items():
            if config["report"]["enabled"]:
                self._show(finish(out, config, 0, (), ""))
        return max(self._statuses, key=(0, 3, 2, 1).index, default=0)

    def _run(self, config: dict[str, Any]) -> int:
        from .configuration import run_request
        from .overrides import chosen_groups

        chosen = bool({"degradation", "experiment"} & chosen_groups(self._overrides))
        if config["dry_run"]:
            from .dry_run import dry_run

            found = dry_run(config, chosen)
            print(*found.lines(), sep="\n")
            return found.status
        return self._evaluate(run_request(config, chosen), config)

    def _score(self, config: dict[str, Any]) -> int:
        from .configuration import score_request

        return self._evaluate(score_request(config), config)

    def _evaluate(self, request: Any, config: dict[str, Any]) -> int:
        from .commands import perform

        command = (self._command, *self._overrides)
        result = perform(request, config, _console(), command=command, final=not self._sweep)
        if self._sweep:
            self._unreported[result.out] = config
        elif config["report"]["enabled"]:
            self._show(result)
        return result.status

    def _synthesize(self, config: dict[str, Any]) -> int:
        from .commands import INCOMPLETE, synthesize_config

        folders, failed = synthesize_config(config, _console())
        for name, folder in folders.items():
            print(f"{name}: {folder}")
        return INCOMPLETE if failed else 0

    def _reference(self, config: dict[str, Any]) -> int:
        from .commands import COMPLETE, INCOMPLETE
        from .reference_command import reference_config

        made = reference_config(config, _console())
        for sample, reason in made.failed.items():
            print(f"left out: {sample}: {reason}")
        print(f"{made.count} images: {made.path}")
        return INCOMPLETE if made.failed else COMPLETE

    def _report(self, config: dict[str, Any]) -> int:
        from .commands import report_config

        result = report_config(config)
        self._show(result)
        return int(result.status)

    def _study(self, config: dict[str, Any]) -> int:
        from .study.command import serve

        serve(config, _console())
        return 0

    def _show(self, result: Any) -> None:
        from ..reports.tables.terminal import print_table

        console = _console()
        print_table(result.leaderboard, console)
        page = result.out / "report" / "index.html"
        page = page if is_remote(page) else page.resolve()
        lines = [f"{result.failed} failed rows, see the table of failures in the page"] if result.failed else []
        for line in (*result.absent, *lines, f"report: {page}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _refused(error: RestorebenchError) -> int:
    """Tell in one line what a user can mend; only weights list below it what was tried."""
    lines = str(error).split("\n") if isinstance(error, WeightsError) else [str(error)]
    print("restorebench: " + "\n".join(map(visible, lines)), file=sys.stderr)
    return 2


def _unexpected(error: Exception) -> int:
    """Tell of a defect in one line; where it happened is for `-v` and the log."""
    reason = visible(" ".join(str(error).split())[:300]) or "no message"
    where = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{Path(where.filename).name}, line {where.lineno}"
    print(f"restorebench: unexpected {type(error).__name__}: {reason} ({at}); -v shows more", file=sys.stderr)
    tell("unexpected", traceback.format_exc().rstrip())
    return 1


def _console() -> Any:
    from rich.console import Console

    return Console()


if __name__ == "__main__":
    sys.exit(main())
