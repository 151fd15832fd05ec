"""The study in a real browser: answered by keyboard, reloaded, in two tabs, with its server killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from polls import pictures

pytestmark = pytest.mark.browser

READY = "() => [...document.querySelectorAll('[data-answer]')].every((button) => !button.disabled)"
HOSTILE = ["<img src=x onerror=document.title='hit'>", "b", "c", "d"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    pictures(tmp_path / "out", ["gan", "<script>document.title='hit'</script>", "lanczos"], HOSTILE)
    return tmp_path / "out"


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def study(out: Path, port: int, *settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run `restorebench study` until the block ends."""
    command = [sys.executable, "-m", "restorebench.bench.cli", "study", f"out={out}", "--port", str(port), *settings]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("study: "):
                break
        yield server
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
        server.wait(30)


def opened(chromium: Browser, port: int, name: str = "Anna") -> Page:
    """Open the page as a new person."""
    page = chromium.new_context().new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.problems = problems  # type: ignore[attr-defined]
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_function(READY)
    return page


def press(page: Page, key: str) -> None:
    """Press a key as soon as the pictures are there, and wait for the next pair."""
    page.wait_for_function(READY)
    before = page.locator("#left").get_attribute("src")
    page.keyboard.press(key)
    page.wait_for_function(
        "(before) => document.getElementById('compare').hidden || document.getElementById('left').getAttribute('src') !== before",
        arg=before,
    )


def answers(out: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(out / "study.sqlite")) as database:
        found = database.execute("SELECT trial, answer FROM pairs WHERE answer IS NOT NULL ORDER BY turn").fetchall()
    assert len({trial for trial, _ in found}) == len(found)
    return found


def test_a_person_answers_everything_by_keyboard(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port) as server:
        page = opened(chromium, port)
        expect(page.locator("#count")).to_have_text("0 of 12 · Anna")
        for key in ("ArrowLeft", "ArrowRight", "ArrowDown", "1", "2", "0"):
            press(page, key)
        expect(page.locator("#count")).to_have_text("6 of 12 · Anna")
        assert [answer for _, answer in answers(out)] == ["left", "right", "tie"] * 2
        press(page, "u")
        expect(page.locator("#count")).to_have_text("5 of 12 · Anna")
        press(page, "ArrowLeft")
        assert [answer for _, answer in answers(out)] == ["left", "right", "tie", "left", "right", "left"]
        for _ in range(6):
            press(page, "ArrowLeft")
        expect(page.get_by_role("heading", name="All done")).to_be_visible()
        assert len(answers(out)) == 12
        assert page.problems == []  # type: ignore[attr-defined]
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0


def test_a_reload_mid_way_loses_and_doubles_nothing(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port):
        page = opened(chromium, port)
        page.on("dialog", lambda dialog: dialog.accept())  # "leave this page?", while an answer is on its way
        for _ in range(5):
            page.wait_for_function(READY)
            source = page.locator("#left").get_attribute("src")
            page.reload()
            page.wait_for_function(READY)
            assert page.locator("#left").get_attribute("src") == source  # still the same pair
            page.keyboard.press("ArrowLeft")
            page.reload()  # at once: the answer may have arrived, be on its way, or be lost unconfirmed
            page.wait_for_timeout(300)
            page.reload()
        page.wait_for_function(READY)
        while page.locator("#compare").is_visible():
            press(page, "ArrowRight")
        assert len(answers(out)) == 12


def test_a_second_tab_goes_on_where_the_first_one_is(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port):
        first = opened(chromium, port)
        press(first, "ArrowLeft")
        second = first.context.new_page()
        second.goto(f"http://127.0.0.1:{port}/")
        second.wait_for_function(READY)
        assert second.locator("#left").get_attribute("src") == first.locator("#left").get_attribute("src")
        press(second, "ArrowRight")  # the first tab still shows the old pair
        first.evaluate("() => document.querySelector('[data-answer=left]').click()")
        expect(first.locator("#message")).to_contain_text("answered before")
        assert [answer for _, answer in answers(out)] == ["left", "right"]
        for tab in (first, second) * 5:
            tab.bring_to_front()
            tab.evaluate("() => window.dispatchEvent(new Event('focus'))")
            tab.wait_for_timeout(200)
            press(tab, "ArrowDown")
        assert len(answers(out)) == 12


def test_a_double_press_answers_one_pair(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port):
        page = opened(chromium, port)
        page.evaluate(
            "() => { for (let i = 0; i < 5; i++) document.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true})); }"
        )
        expect(page.locator("#count")).to_have_text("1 of 12 · Anna")
        page.wait_for_timeout(300)
        assert len(answers(out)) == 1


def test_a_killed_server_loses_no_answer_and_the_open_tab_goes_on(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port) as server:
        page = opened(chromium, port)
        for _ in range(3):
            press(page, "ArrowLeft")
        page.wait_for_function(READY)
        server.send_signal(signal.SIGKILL)
        server.wait(30)
    page.keyboard.press("ArrowRight")  # into the void
    expect(page.locator("#message")).to_contain_text("does not answer")
    with study(out, port):
        expect(page.locator("#count")).to_have_text("4 of 12 · Anna", timeout=20_000)
        assert [answer for _, answer in answers(out)] == ["left", "left", "left", "right"]
        for _ in range(8):
            press(page, "ArrowDown")
        assert len(answers(out)) == 12


def test_the_page_shows_no_name_and_runs_none(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port, "study.question=<b onclick=alert(1)>Which?</b>"):
        page = opened(chromium, port, "<img src=x onerror=document.title='hit'>")
        for key in ("ArrowLeft", "z", "l"):
            page.wait_for_function(READY)
            page.keyboard.press(key)
        page.wait_for_timeout(300)
        html = page.content() + " ".join(page.evaluate("() => performance.getEntries().map((entry) => entry.name)"))
        assert page.title() == "Which is better?"
        for name in ("gan", "lanczos", "severe", "script>document"):
            assert name not in html
        assert re.findall(r"alt=\"([^\"]*)\"", html) == ["Left picture", "Right picture"]
        assert page.locator("h1").first.inner_text() in ("", "<b onclick=alert(1)>Which?</b>")


def test_zoom_and_input_are_for_both_pictures_alike(chromium: Browser, out: Path, port: int) -> None:
    with study(out, port):
        page = opened(chromium, port)
        transforms = "() => ['left', 'right'].map((id) => getComputedStyle(document.getElementById(id)).transform)"
        page.locator("#left").hover(position={"x": 20, "y": 20})
        page.keyboard.press("z")
        assert page.evaluate(transforms) == ["matrix(3, 0, 0, 3, 0, 0)"] * 2
        page.keyboard.press("z")
        assert page.evaluate(transforms) == ["none"] * 2
        page.keyboard.press("l")
        sources = [page.locator(f"#{side}").get_attribute("src") or "" for side in ("left", "right")]
        assert sources[0] == sources[1]
        assert sources[0].endswith("/lq")
        assert page.locator("#lq").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_everything_is_in_sight_on_a_desk_and_in_a_hand(
    chromium: Browser, out: Path, port: int, width: int, height: int
) -> None:
    with study(out, port):
        page = opened(chromium, port)
        page.set_viewport_size({"width": width, "height": height})
        for part in ("#left", "#right", "[data-answer=left]", "[data-answer=tie]", "[data-answer=right]", "#undo"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
