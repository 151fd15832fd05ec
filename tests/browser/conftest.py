"""A page made from a real run, and a Chromium that watches what the page does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, sync_playwright

from restorebench.bench import cli

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCREENSHOTS = "RESTOREBENCH_SCREENSHOTS"
"""Names a folder; pictures of every page that a test opens are put there."""


@dataclass
class Watched:
    """A page and what must not happen on it.

    Attributes:
        page: Playwright's page.
        errors: what the console or the page complained about.
        requests: addresses other than files and what is inside the page.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def keep(self, name: str) -> None:
        """Put a picture of the whole page into the folder that the environment names, if it names one."""
        if folder := os.environ.get(SCREENSHOTS):
            Path(folder).mkdir(parents=True, exist_ok=True)
            width = self.page.viewport_size["width"]
            height = self.page.evaluate("document.documentElement.scrollHeight")
            before = self.page.viewport_size
            self.page.set_viewport_size({"width": width, "height": min(height, 16000)})
            self.page.wait_for_timeout(300)  # pictures are decoded when they come into view
            self.page.screenshot(path=Path(folder) / f"{name}.png")
            self.page.set_viewport_size(before)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; without it these tests fail."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.fail("no Chromium: install Debian's package `chromium` (tests/system.sh browser does)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a page and wait until it is ready; at the end nothing may have been wrong with it."""
    pages: list[Watched] = []

    def show(path: Path, size: str = "desktop", scheme: str = "light", script: bool = True) -> Watched:
        width, height = SIZES[size]
        page = chromium.new_page(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=script,
            has_touch=size == "phone",
        )
        watched = Watched(page)
        pages.append(watched)
        page.on("console", lambda m: watched.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("dialog", lambda dialog: (watched.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else watched.requests.append(r.url))
        page.goto(path.as_uri())
        if script:
            page.wait_for_function("document.documentElement.dataset.ready === 'true'")
        return watched

    yield show
    for watched in pages:
        watched.page.close()
        assert watched.errors == []
        assert watched.requests == []


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`index.html` of a run on the built-in faces: three restorers, two splits, three metrics."""
    out = tmp_path_factory.getbasetemp().parent / "real"  # the test processes share it
    chosen = ["adapter=[input,lanczos,nlmeans]", "degradation=[mild,severe]", "metric=[psnr,ssim,lpips_alex]"]
    with FileLock(f"{out}.lock"):
        if not (out / "report" / "index.html").exists():
            assert cli.main(["run", *chosen, f"out={out}", "mlflow.enabled=false"]) == 0
    return out / "report" / "index.html"
