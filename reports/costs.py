"""What restoring cost.  Everything here changes from run to run, so it never enters the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .groups import Entrant
from .leaderboard import Board

if TYPE_CHECKING:
    import pandas as pd

MEASURED = ("parameters", "gflops", "memory_mib")
SECONDS = ("seconds_per_image", "seconds_median", "seconds_total")
COLUMNS = ("restorer", "dataset", "split", "device", "images", *SECONDS, *MEASURED)


class CostFacts(NamedTuple):
    """One restorer on one device, for people; empty texts where nothing is known."""

    restorer: str
    device: str
    images: int
    milliseconds: str
    parameters: str
    gflops: str
    memory: str


def costs(board: Board) -> pd.DataFrame:
    """Return what restoring cost per restorer, data set, split and device, all seeds together.

    Columns: seconds, `parameters` (weights), `gflops` (1e9 operations per image at the size it was run, a multiply-add
    counted as two) and `memory_mib` (growth from before loading to the peak of the first batch); see
    `bench/costs.py`.  An image counts with the run that restored it; results that were given as files cost
    nothing known and have no row.
    """
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    for group in board.groups:
        for entrant in group.entrants:
            for device, images in _restored(entrant):
                seconds = images["seconds"]
                place = (entrant.name, group.dataset, group.split, device)
                measured = [images[name].max() for name in MEASURED]
                rows.append((*place, len(images), seconds.mean(), seconds.median(), seconds.sum(), *measured))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"parameters": "Int64", "gflops": "Float64", "memory_mib": "Float64"})


def _restored(entrant: Entrant) -> list[tuple[str, pd.DataFrame]]:
    """The rows somebody restored, by device."""
    import pandas as pd

    columns = ("seconds", *MEASURED)
    tables = [table for table in entrant.tables if "seconds" in table.columns]
    if not tables:
        return []
    parts = [{name: table.numbers(name) for name in columns} | {"device": table.texts("device")} for table in tables]
    images = pd.concat([pd.DataFrame(part) for part in parts])
    return [(str(device), part) for device, part in images[images["seconds"].notna()].groupby("device")]


def cost_facts(spent: pd.DataFrame) -> Sequence[CostFacts]:
    """Sum up the costs of each restorer over data sets and splits."""
    facts = []
    for (restorer, device), rows in spent.groupby(["restorer", "device"], sort=False):
        images = int(rows["images"].sum())
        milliseconds = f"{1000 * rows['seconds_total'].sum() / images:,.0f}"
        parameters = _most(rows["parameters"] / 1e6, ",.2f")
        gflops, memory = _most(rows["gflops"], ",.1f"), _most(rows["memory_mib"], ",.0f")
        facts.append(CostFacts(str(restorer), str(device), images, milliseconds, parameters, gflops, memory))
    return facts


def _most(values: pd.Series[float], form: str) -> str:
    known = values.dropna()
    return format(float(known.max()), form) if len(known) else ""
