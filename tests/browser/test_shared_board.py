"""The pages of a leaderboard folder in Chromium: they sort, and texts of a submission do nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from restorebench.bench.sharing.leaderboard_command import add, build

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"


def submission(system: str, value: float) -> str:
    claim = {
        "dataset": "builtin", "split": "mild", "protocol": "standard", "metric": "psnr", "of": "psnr",
        "metric_id": "psnr(rgb,peak=1,crop=0) v1", "value": value, "n": 5, "dataset_digest": "0" * 32, "lq_digest": "1" * 32,
    }  # fmt: skip
    content = {
        "format": "restorebench-submission-1", "system": system, "restorebench": "0.1.0", "paper": EVIL,
        "adapter": {"name": "nlmeans"}, "weights": {}, "datasets": {"builtin": {"name": "builtin"}},
        "degradations": {"mild": {"name": "mild"}}, "metrics": {"psnr": {"name": "psnr"}},
        "degradation_seed": 0, "restorer_seeds": [0], "limit": 0, "claims": [claim],
    }  # fmt: skip
    return json.dumps(content)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_board_sorts_and_runs_no_text(chromium: Browser, tmp_path: Path, width: int) -> None:
    for system, value in ((EVIL, 9.5), ("b", 25.0), ("c", 10.5)):
        file = tmp_path / "submission.json"
        file.write_text(submission(system, value))
        add(file, tmp_path / "board")
    (board,) = [path for path in build(tmp_path / "board") if path.name.startswith("board-")]
    page = chromium.new_page(viewport={"width": width, "height": 800})
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto((tmp_path / "board" / "index.html").as_uri())
    page.click("#boards tbody a")
    assert page.url == board.as_uri()
    names = page.locator("table.board tbody th")
    assert names.all_inner_texts() == [EVIL, "b", "c"]
    page.click("table.board thead th:nth-child(2) button")
    assert names.all_inner_texts() == ["b", "c", EVIL]  # the highest PSNR first, as numbers
    page.click("table.board thead th:nth-child(2) button")
    assert names.all_inner_texts() == [EVIL, "c", "b"]
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert errors == []
    page.close()
