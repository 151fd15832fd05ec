"""The report of an `out`: everything below `out/report`, from the store alone."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..bench.errors import suggest
from ..bench.files import write_atomic
from ..bench.images import Pixels
from ..bench.storage import results
from ..bench.storage.store import Store
from . import records
from .claims import Claim, claims
from .comparisons import Pair, comparisons
from .costs import costs
from .figures.critical_difference import standings
from .figures.files import figure_files
from .grid import Grid, grids
from .leaderboard import SORT, Board, board, to_csv
from .page.listing import Listing, listings
from .page.media import Media, media, pictures
from .page.page import SCORES, Extra, page
from .per_image import write_per_image
from .robustness import Robustness, robustness
from .study.section import Share, Standing, Study, studies
from .study.tables import latex as study_latex
from .study.tables import markdown as study_markdown
from .study.tables import section as study_section
from .tables.arrange import left_out
from .tables.choices import Choices
from .tables.files import table_files

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINKED = 20_000
"""Pictures beside the page that a report names; a copy of a small report is complete."""


@dataclass(frozen=True)
class Report:
    """What was built.

    Attributes:
        board: the leaderboard and what it was made from.
        leaderboard: long form, as in `leaderboard.csv`.
        costs: seconds per image, parameters, operations, memory.
        paths: path below `out/report` -> file.
        pictures: sha256 of the images that were opened to make it, in order, then of those it links to, up to a number.
        absent: what was asked for by name and is not in the results, a sentence each.
    """

    board: Board
    leaderboard: pd.DataFrame
    costs: pd.DataFrame
    paths: Mapping[str, Path]
    pictures: tuple[str, ...]
    absent: tuple[str, ...]

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """One row per restorer, data set, split, seed and image; read from `per_image.parquet` when somebody asks."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self.paths["per_image.parquet"].read_bytes()))

    @property
    def places(self) -> dict[str, tuple[str, str, str, str]]:
        """Key of a cell -> restorer, data set, split and protocol as the leaderboard calls them."""
        return {
            table.cell.key: (entrant.name, group.dataset, group.split, group.protocol)
            for group in self.board.groups
            for entrant in group.entrants
            for table in entrant.tables
        }


class _WatchedStore(Store):
    """A store that remembers which images were looked at."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.opened: dict[str, None] = {}

    def image(self, sha256: str) -> Pixels:
        """Read an image; see `Store.image`."""
        image = super().image(sha256)
        self.opened[sha256] = None
        return image


def build(
    out: Path, select: Sequence[str] | None = None, sort: Sequence[str] | None = None, shown: Choices | None = None
) -> Report:
    """Write every table, figure and page of an `out`.  Equal stores give equal bytes.

    Args:
        out: the output folder of earlier commands.
        select: names of the restorers to show; None shows all.
        sort: metrics that order the restorers; None takes those of the latest plan.
        shown: tables and figures; None takes the tables of the latest plan.

    Raises:
        StoreError: there are no results, or `out` cannot be written.
        ConfigError: `select` names a restorer that is not there.
    """
    store = _WatchedStore(out)
    made = board(results.load(store), select, sort)
    spent, tables = costs(made), grids(made.rows, made.columns)
    paths: dict[str, Path] = {"per_image.parquet": out / "report" / "per_image.parquet"}
    write_per_image(made, paths["per_image.parquet"])
    listed = listings(made, tables, SCORES)
    linked = media(store, listed, out / "report")
    for name, data in _files(made, tables, spent, listed, linked, shown or Choices()):
        paths[name] = out / "report" / name
        write_atomic(paths[name], data)
    _remove_stale(out / "report", paths)
    opened = tuple(dict.fromkeys((*store.opened, *islice(pictures(listed), _MOST_LINKED))))
    return Report(made, made.frame, spent, paths, opened, tuple(_absent(made, sort or (), shown or Choices(), paths)))


def _absent(made: Board, sort: Sequence[str], shown: Choices, paths: Mapping[str, Path]) -> Iterator[str]:
    """Yield what was asked for by name and is not there; the default order is nobody's wish."""
    known = ", ".join(made.columns) or "none"
    wished = {"sort": () if tuple(sort) == SORT else sort, "figures.metrics": shown.figures.metrics}
    for key, names in wished.items():
        for name in names:
            if name not in made.columns:
                yield f"report.{key}: no results of '{name}'; there are {known}.{suggest(name, made.columns)}"
    for preset in shown.presets:
        nobodys_wish = preset.name == "default" and not made.columns  # restored without metrics
        if f"tables/{preset.name}.tex" not in paths and not nobodys_wish:
            missing = ", ".join(left_out(made, preset)) or "any of its columns"
            yield f"report.table: {preset.name} was not written: these results do not have {missing}"


def _files(
    made: Board,
    tables: list[Grid],
    spent: pd.DataFrame,
    listed: Sequence[Listing],
    linked: Media,
    shown: Choices,
) -> Iterator[tuple[str, bytes]]:
    """Yield path below `report/` and bytes of every file; the page last, because it speaks of the others."""
    yield "leaderboard.csv", to_csv(made.rows)
    curved = [line for table in tables for line in robustness(made, table)]
    in_print = claims(made)
    pairs = comparisons(made)
    yield from table_files(made, shown.tables(made.results.plans), pairs)
    yield "comparisons.csv", records.to_csv(Pair, pairs)
    yield "robustness.csv", records.to_csv(Robustness, curved)
    yield "published.csv", records.to_csv(Claim, in_print)
    yield "costs.csv", spent.to_csv(index=False, lineterminator="\n").encode()
    held = studies(made)
    if held:
        yield "study.csv", records.to_csv(Share, (line for one in held for line in one.shares))
        yield "study_ranking.csv", records.to_csv(Standing, (line for one in held for line in one.standings))
        yield "study.md", study_markdown(held).encode()
        yield "study.tex", study_latex(held).encode()
    yield from figure_files(made, tables, spent, pairs, shown.figures)
    yield (
        "index.html",
        page(
            made,
            tables,
            spent,
            curved,
            in_print,
            pairs=pairs,
            standings=standings(made, pairs),
            listed=listed,
            linked=linked,
            extras=_study(held),
        ),
    )


def _study(held: Sequence[Study]) -> list[Extra]:
    """The page's section on the preference study, where one was held."""
    return [Extra("study", "Preference study", "study.html.j2", {"studies": study_section(held)})] if held else []


def _remove_stale(report: Path, written: Mapping[str, Path]) -> None:
    """Remove figures and galleries of an earlier report that this one does not have."""
    for pattern in ("figures/*.*", "gallery/*.*", "tables/*.*", "study*"):
        for path in report.glob(pattern):
            if path not in written.values():
                path.unlink()
