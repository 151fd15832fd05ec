"""`restorebench leaderboard add | build`: a folder of submissions, published as static pages."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from ...reports.shared_board import Entry, pages
from ..errors import InputError
from ..files import write_atomic
from .submission import Submission, Verification, canonical, parse, read

_EPILOG = """\
A leaderboard is a folder: entries/ holds one file per submission, named by the digest of its bytes; index.html and a
page per data set and protocol are made from them and can be put on any web server as they are.  Numbers share a
column only if data, pixels, split, protocol and every choice behind the metric are the same.  Add what `verify` wrote
and the numbers are marked as verified; verify yourself what you publish, a file can say anything.

examples:
  restorebench leaderboard add realesrgan.verified.json board
  restorebench leaderboard build board           (after a pull request changed entries/ by hand)
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 = done."""
    parser = argparse.ArgumentParser(
        prog="restorebench leaderboard",
        description="Keep a folder of submissions and make its pages.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="add|build")
    adding = commands.add_parser("add", help="take in submissions or verified ones, and make the pages")
    adding.add_argument("files", nargs="+", metavar="FILE", help="what `submit` or `verify` wrote")
    adding.add_argument("folder", metavar="FOLDER", help="the leaderboard; made if it is not there")
    building = commands.add_parser("build", help="check every entry and make the pages again")
    building.add_argument("folder", metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    folder = Path(chosen.folder)
    if chosen.command == "add":
        for file in chosen.files:
            sys.stdout.write(f"{file}: {add(Path(file), folder)}\n")
    elif not folder.is_dir():
        raise InputError(f"{folder}: is no folder; restorebench leaderboard add FILE {folder} makes one")
    written = build(folder)
    boards = len(written) - 1
    sys.stdout.write(f"{boards} {'board' if boards == 1 else 'boards'}: {folder / 'index.html'}\n")
    return 0


def add(file: Path, folder: Path) -> str:
    """Take a submission into a leaderboard, and say what became of it.

    A verification takes the place of the bare submission, and of an earlier verification of the same submission.

    Raises:
        InputError: the file is no submission, or an entry of the folder is damaged.
    """
    new = read(file)
    data = canonical(new)
    for entry in entries(folder):
        if entry.submission.digest != (new if isinstance(new, Submission) else new.submission).digest:
            continue
        if entry.file == _name(data):
            return "is there already"
        if isinstance(new, Submission):
            return "is there already, and verified"
        write_atomic(folder / "entries" / _name(data), data)
        (folder / "entries" / entry.file).unlink()
        return "replaces the entry of the same submission"
    write_atomic(folder / "entries" / _name(data), data)
    return "added"


def build(folder: Path) -> list[Path]:
    """Make the pages of a leaderboard; return their paths.

    Raises:
        InputError: an entry is damaged.
    """
    made = pages(entries(folder))
    for name, data in made.items():
        write_atomic(folder / name, data)
    for path in folder.glob("board-*.html"):
        if path.name not in made:
            path.unlink()
    return [folder / name for name in made]


def entries(folder: Path) -> list[Entry]:
    """Read every entry of a leaderboard.

    Raises:
        InputError: one is no submission, or its bytes are not those its name stands for.
    """
    found = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        if path.name != _name(data):
            raise InputError(
                f"{path}: its bytes are not what its name says; take the original, or add it under its own name with "
                f"restorebench leaderboard add"
            )
        content = parse(data, str(path))
        verified = content if isinstance(content, Verification) else None
        found.append(Entry(path.name, verified.submission if verified else content, verified))  # type: ignore[arg-type]
    return found


def _name(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()[:32]}.json"
