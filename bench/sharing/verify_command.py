"""`restorebench verify submission.json`: claimed numbers measured again."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ..arguments import spelled
from ..errors import ConfigError
from ..files import as_path, write_atomic
from ..plan import Options
from .submission import Verification, canonical, read
from .verification import RELATIVE, Means, verify

_EPILOG = """\
Nothing of the file is run: it may name only adapters, data sets, degradations and metrics that ship with restorebench,
with numbers, switches and words of a list as settings.  Trained files are those of the registry (restorebench weights
list); another one is used only if you name it here and its sha256 is the claimed one.

A number is verified if it differs by no more than 1e-4 of its value, or half a unit of the last digit our tables show.
The result is written beside the file as NAME.verified.json, for: restorebench leaderboard add

examples:
  restorebench verify realesrgan.json
  restorebench verify gfpgan.json --data faces --out checks         (the data set's folder; results are kept)
  restorebench verify gfpgan.json --data celeba_test.hq=HQ --data celeba_test.lq=LQ --checkpoint GFPGANv1.4.pth

Exit status: 0 everything verified, 3 something not, 2 a file or a setting that cannot be used.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 = all verified, 3 = some not."""
    parser = argparse.ArgumentParser(
        prog="restorebench verify",
        description="Measure the numbers of a submission again.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("submission", metavar="FILE", help="a submission, or one that was verified before")
    parser.add_argument("--data", action="append", default=[], metavar="[[SET.]KEY=]DIR", help="where a data set lies")
    parser.add_argument(
        "--checkpoint", action="append", default=[], metavar="[KEY=]FILE", help="a trained file of the claim"
    )
    parser.add_argument("--out", metavar="DIR", help="keep the results here, and continue there (default: nowhere)")
    parser.add_argument("--output", metavar="FILE", help="where the result is written (default: NAME.verified.json)")
    parser.add_argument("--tolerance", type=float, default=RELATIVE, metavar="REL", help="relative, default 1e-4")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="torch threads; 0 = all processors")
    parser.add_argument("--no-fetch", action="store_true", help="download nothing")
    chosen = parser.parse_args(
        spelled(arguments, ("data", "checkpoint", "out", "output", "tolerance", "device", "threads"))
    )
    path = Path(chosen.submission)
    found = read(path)
    submission = found.submission if isinstance(found, Verification) else found
    data = _data(chosen.data)
    unknown = [name for name in data if name and name not in submission.datasets]
    if unknown:
        raise ConfigError(
            f"--data {unknown[0]}: the file has no such data set; it has {', '.join(submission.datasets)}"
        )
    with tempfile.TemporaryDirectory(prefix="restorebench-") if chosen.out is None else nullcontext(chosen.out) as out:
        means = Means(
            out=as_path(out),
            data=data,
            checkpoints=dict(_keyed(text, "checkpoint") for text in chosen.checkpoint),
            relative=chosen.tolerance,
            options=Options(device=chosen.device, threads=chosen.threads),
            fetch=not chosen.no_fetch,
        )
        verified = verify(submission, means, _console())
    output = (
        Path(chosen.output) if chosen.output else path.with_name(f"{path.stem.removesuffix('.verified')}.verified.json")
    )
    write_atomic(output, canonical(verified))
    _show(verified, output)
    return 0 if all(one.status == "verified" for one in verified.checked) else 3


def _data(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read `DIR`, `KEY=DIR` and `SET.KEY=DIR`; a set without a name stands for all."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        key, place = _keyed(text, "root")
        name, _, last = key.rpartition(".")
        found.setdefault(name, {})[last] = place
    return found


def _keyed(text: str, default: str) -> tuple[str, str]:
    match = re.fullmatch(r"([\w. -]*\w)=(.+)", text, re.DOTALL)
    return (match[1], match[2]) if match else (default, text)


def _console() -> object:
    from rich.console import Console

    return Console(stderr=True)


def _show(verified: Verification, output: Path) -> None:
    """Print claimed beside measured, then the reasons."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    table = Table("data", "split", "metric", box=None, header_style="bold", pad_edge=False)
    for heading in ("claimed", "measured", "tolerance"):
        table.add_column(heading, justify="right")
    table.add_column("status")
    reasons: dict[str, None] = {}
    for claim, one in zip(verified.submission.claims, verified.checked, strict=True):
        measured = "none" if one.measured is None else f"{one.measured:.6g}"
        where = (claim.dataset, claim.split, claim.metric)
        table.add_row(*where, f"{claim.value:.6g}", measured, f"{one.tolerance:.1g}", one.status)
        if one.reason:
            about = "" if one.status == "not measured" else f"{', '.join(where)}: "
            reasons[f"{about}{one.reason}"] = None
    console.print(table, markup=False, soft_wrap=False)
    count = sum(one.status == "verified" for one in verified.checked)
    lines = [f"{verified.submission.system}: {count} of {len(verified.checked)} numbers verified: {output}"]
    for line in (*reasons, *lines):
        console.print(line, markup=False, highlight=False)
