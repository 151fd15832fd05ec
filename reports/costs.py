"""What restoring cost.  Everything here changes from run to run, so it never enters the leaderboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .groups import text
from .leaderboard import Board

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("restorer", "dataset", "split", "device", "images", "seconds_per_image", "seconds_median", "seconds_total")


def costs(board: Board) -> pd.DataFrame:
    """Return seconds of restoring per restorer, data set, split and device, all seeds together.

    An image counts with the run that restored it; results that were given as files cost nothing known and
    have no row.
    """
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    for group in board.groups:
        for entrant in group.entrants:
            by_device: dict[str, list[float]] = {}
            for table in entrant.tables:
                if {"seconds", "device"} <= set(table.images.columns):
                    for seconds, device in zip(table.images["seconds"], table.images["device"], strict=True):
                        if pd.notna(seconds):
                            by_device.setdefault(text(device), []).append(float(seconds))
            for device, seconds in sorted(by_device.items()):
                mean, median = float(np.mean(seconds)), float(np.median(seconds))
                place = (entrant.name, group.dataset, group.split, device)
                rows.append((*place, len(seconds), mean, median, float(np.sum(seconds))))
    return pd.DataFrame(rows, columns=list(COLUMNS))
