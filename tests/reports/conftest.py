"""A store below a temporary folder, to be filled by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from handmade import GAP, Writer, sha, table_metric

from restorebench.reports.leaderboard import Board, board


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "out")


COUNT = 24
"""Images of the study below: enough for tests, few enough to be quick."""


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """Four restorers and the reference on two splits: `a` and `b` cannot be told apart, `c_1` and `d` are worse.

    `d` lies between 9 and 10 dB, so that its column mixes one and two digits before the point; LPIPS sorts the rows.
    """
    writer = Writer(tmp_path_factory.mktemp("study") / "out")
    rng = np.random.default_rng(0)
    psnr, lpips, skipped = (
        table_metric("psnr"),
        table_metric("lpips", higher=False),
        table_metric("niqe", skipped="no weights; run: restorebench weights fetch niqe_official"),
    )
    writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(COUNT)})
    base = rng.normal(0, 0.2, COUNT)
    levels = {"a": (30.0, 0.10), "b": (30.0, 0.10), "c_1": (26.0, 0.20), "d": (9.5, 0.30)}
    for severity, split in enumerate(("mild", "severe")):
        more = {"split": split, "severity": severity, "metrics": [psnr, lpips, skipped, GAP]}
        for name, (p, q) in levels.items():
            noise = rng.normal(0, 0.1, (2, COUNT))
            scores = {"psnr": p - severity + base + noise[0], "lpips": q + 0.1 * severity + 0.02 * noise[1]}
            writer.cell(name, scores, features=[[p]] * COUNT, card={"name": f"The {name}"}, **more)
        perfect = {"psnr": [math.inf] * COUNT, "lpips": [0.0] * COUNT}
        card = {"input": "reference", "name": "Reference"}
        writer.cell("reference", perfect, features=[[0.0]] * COUNT, ranked=False, card=card, **more)
    writer.plan(metrics=["psnr", "lpips", "niqe", "gap"], sort=["lpips", "psnr"])
    return board(writer.load())
