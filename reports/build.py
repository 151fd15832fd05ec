"""The report of an `out`: everything below `out/report`, from the store alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..bench import results
from ..bench.files import write_atomic
from ..bench.store import Store
from .costs import costs
from .leaderboard import Board, board, to_csv
from .per_image import per_image, to_parquet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """What was built.

    Attributes:
        board: the leaderboard and what it was made from.
        leaderboard: long form, as in `leaderboard.csv`.
        per_image: one row per restorer, data set, split, seed and image.
        costs: seconds per image.
        paths: path below `out/report` -> file.
    """

    board: Board
    leaderboard: pd.DataFrame
    per_image: pd.DataFrame
    costs: pd.DataFrame
    paths: Mapping[str, Path]


def build(out: Path, select: Sequence[str] | None = None, sort: Sequence[str] | None = None) -> Report:
    """Write every table, figure and page of an `out`.  Equal stores give equal bytes.

    Args:
        out: the output folder of earlier commands.
        select: names of the restorers to show; None shows all.
        sort: metrics that order the restorers; None takes those of the latest plan.

    Raises:
        StoreError: there are no results, or `out` cannot be written.
        ConfigError: `select` names a restorer that is not there.
    """
    made = board(results.load(Store(out)), select, sort)
    images, spent = per_image(made), costs(made)
    files = {
        "leaderboard.csv": to_csv(made.rows),
        "per_image.parquet": to_parquet(images),
        "costs.csv": spent.to_csv(index=False, lineterminator="\n").encode(),
    }
    paths = {name: out / "report" / name for name in files}
    for name, data in files.items():
        write_atomic(paths[name], data)
    return Report(made, made.frame, images, spent, paths)
