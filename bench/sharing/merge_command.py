"""`restorebench merge A B [C ...] out=DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..arguments import spelled
from ..errors import StoreError
from ..files import as_path
from .merge import Merged, merge

_EPILOG = """\
Stores are merged, not reports: the report of the merged folder is made from the union of all results, so that values
are again taken from the images that all restorers of a split have.

Same keys must agree: the pixels and the scores of one restorer on one image, the features of one picture.  If they do
not, every conflict is listed with both values and where they are, nothing is written, and the exit status is 2.
Results of two machines may differ by float rounding; the relative difference says so, and --prefer decides.

examples:
  restorebench merge monday tuesday out=week
  restorebench merge gpu cpu out=both --prefer first
  restorebench report out=both
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 = merged.

    Raises:
        StoreError: there are conflicts, or a folder holds no results; nothing was written.
    """
    parser = argparse.ArgumentParser(
        prog="restorebench merge",
        description="Bring the results of several output folders together in one.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", metavar="DIR", help="output folders of earlier commands")
    parser.add_argument("--out", required=True, metavar="DIR", help="the merged folder; may exist (or: out=DIR)")
    parser.add_argument(
        "--prefer",
        choices=["first", "last"],
        default="",
        help="whose word counts where folders differ: that of the one named first or last (out itself comes first)",
    )
    chosen = parser.parse_args(spelled(arguments, ("out", "prefer")))
    done = merge([as_path(source) for source in chosen.sources], as_path(chosen.out), chosen.prefer)
    for line in done.damaged:
        sys.stderr.write(f"left out: {line}\n")
    for conflict in done.conflicts:
        sys.stdout.write(f"conflict: {conflict}\n")
    if done.conflicts and not chosen.prefer:
        raise StoreError(
            f"{len(done.conflicts)} conflicts, listed above; nothing was written. Evaluate again on one machine with one "
            "set of libraries, or decide with --prefer first|last"
        )
    sys.stdout.write(f"{_summary(done)}\n")
    return 0


def _summary(done: Merged) -> str:
    kinds = [f"{done.added[kind]} {kind}" for kind in ("cells", "commits", "images", "features") if done.added[kind]]
    return f"{done.out}: {', '.join(kinds) or 'nothing'} added; now: restorebench report out={done.out}"
