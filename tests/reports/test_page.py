"""The page: safe, self-contained, complete, and honest about what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from handmade import Writer, picture, table_metric

from restorebench.reports.comparisons import comparisons
from restorebench.reports.costs import costs
from restorebench.reports.figures.critical_difference import standings
from restorebench.reports.grid import grids
from restorebench.reports.leaderboard import board
from restorebench.reports.page import page as page_module
from restorebench.reports.page.listing import listings
from restorebench.reports.page.media import media
from restorebench.reports.page.page import SCORES, Extra, page

EVIL = "<img src=x onerror=alert(1)>"
VOID = {"meta", "img", "path", "use", "br", "link"}
SCRIPTS = ["application/json", "module"]


class Tags(HTMLParser):
    """Collects tags with their attributes and checks that they close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def rendered(writer, **more) -> str:
    made = board(writer.load())
    tables, pairs = grids(made.rows, made.columns), comparisons(made)
    listed = listings(made, tables, SCORES)
    more = {"pairs": pairs, "standings": standings(made, pairs), "listed": listed, **more}
    linked = media(made.results.store, listed, writer.out / "report")
    return page(made, tables, costs(made), linked=linked, **more).decode()


def payload_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="payload">(.*?)</script>', html, re.DOTALL)[1])


def text_of(html: str) -> str:
    return " ".join(" ".join(Tags(html).texts).split())


@pytest.fixture
def small(writer):
    """Two restorers and the reference on two splits, with pictures; one failure, one skipped metric."""
    rng = np.random.default_rng(0)
    hq = {f"s{i}": picture(writer, rng) for i in range(3)}
    for severity, split in enumerate(("mild", "severe")):
        lq = {sample: picture(writer, rng) for sample in hq}
        for name in ("gfpgan", "codeformer"):
            pixels = {s: {"hq": hq[s], "lq": lq[s], "restored": picture(writer, rng)} for s in hq}
            bad = {"s1": "RuntimeError: out of memory"} if (name, split) == ("codeformer", "severe") else {}
            metrics = [
                table_metric("psnr"),
                table_metric("niqe", skipped="run: restorebench weights fetch niqe_official"),
            ]
            writer.cell(
                name,
                {"psnr": [20.0, 30.0, 31.0]},
                metrics=metrics,
                samples=list(hq),
                split=split,
                severity=severity,
                failed=bad,
                pixels=pixels,
                card={
                    "paper": f"{name} paper",
                    "task": "face restoration",
                    "losses": ["LPIPS"],
                    "trained_on": ["FFHQ"],
                },
                dataset_card={"licence": "CC BY-SA 3.0 (two of them)", "source": "Wikimedia", "note": "Three faces."},
            )
    writer.plan(
        command=["restorebench", "run", "out=my results"],
        weights=[{"name": "gfpgan_1_4", "sha256": "ab" * 32, "verified": False, "licence": "Apache-2.0"}],
        skipped=[{"kind": "metric", "name": "niqe", "reason": "run: restorebench weights fetch niqe_official"}],
        environment={"versions": {"torch": "2.9.0"}, "cpu": "A CPU"},
        config={"batch": 4},
    )
    return writer


def test_the_page_is_well_formed_and_needs_no_network(small):
    html = rendered(small)
    tags = Tags(html)
    for tag, attributes in tags.found:
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/webp;base64,", "#")), (tag, name, value)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_its_only_script_and_style_are_admitted_by_digest(small):
    html = rendered(small)
    tags = Tags(html)
    assert [a["type"] for t, a in tags.found if t == "script"] == SCRIPTS
    policy = next(a["content"] for t, a in tags.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data: 'self';")
    for kind, inside in (
        ("script-src", r'<script type="module">(.*?)</script>'),
        ("style-src-elem", r"<style>(.*?)</style>"),
    ):
        (text,) = re.findall(inside, html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert not [a for _, a in tags.found if any(name.startswith("on") for name in a)]


def test_every_text_of_the_store_is_escaped(writer):
    rng = np.random.default_rng(0)
    pixels = {EVIL: {n: picture(writer, rng) for n in ("hq", "lq", "restored")}}
    for split in (EVIL, "b"):
        writer.cell(
            EVIL,
            {"psnr": [1.0, math.nan]},
            metrics=[table_metric("psnr"), table_metric(EVIL, skipped=EVIL, metric_id=EVIL)],
            samples=[EVIL, f"{EVIL}2"],
            failed={f"{EVIL}2": EVIL},
            pixels=pixels,
            split=split,
            dataset=EVIL,
            card=dict.fromkeys(("paper", "task", "code_licence", "weights_licence"), EVIL) | {"losses": [EVIL]},
            dataset_card=dict.fromkeys(("licence", "source", "note"), EVIL),
        )
    facts = {"kind": EVIL, "name": EVIL, "reason": EVIL, "sha256": EVIL, "verified": True, "licence": EVIL}
    writer.plan(command=[EVIL], weights=[facts], skipped=[facts], environment={EVIL: EVIL}, config={EVIL: EVIL})
    html = rendered(writer)
    tags = Tags(html)
    assert "<img src=x" not in html
    assert not any("onerror" in attributes for _, attributes in tags.found)
    assert sum(EVIL in text for text in tags.texts) > 15
    assert [a["type"] for t, a in tags.found if t == "script"] == SCRIPTS


def test_five_faces_say_that_no_ranking_follows(writer):
    writer.cell("a", {"psnr": [1.0] * 5})
    writer.cell("b", {"psnr": [2.0] * 5})
    assert "No ranking follows from 5 images" in text_of(rendered(writer))


def test_enough_images_name_the_first_tier_instead(writer):
    values = np.random.default_rng(0).normal(25, 1, 30)
    writer.cell("a", {"psnr": values})
    writer.cell("b", {"psnr": values + 1 + 0.01 * np.arange(30)})
    text = text_of(rendered(writer))
    assert "No ranking" not in text
    assert "First tier in PSNR, not separable from one another: mild: b." in text


def test_an_empty_cell_points_at_its_reason(small):
    html = rendered(small)
    assert re.search(r'data-sort=""><span class="value">–</span><sup>a</sup>', html)
    assert "skipped: run: restorebench weights fetch niqe_official" in text_of(html)


def test_values_marks_counts_and_intervals_are_in_the_table(writer):
    values = np.random.default_rng(0).normal(25, 1, 12)
    writer.cell("a", {"psnr": values})
    writer.cell("b", {"psnr": values - 1})
    writer.cell("reference", {"psnr": [math.inf] * 12}, ranked=False, card={"input": "reference"})
    html = rendered(writer)
    assert f'class="number best" data-metric="psnr" data-sort="{float(values.mean())!r}"' in html
    assert f'<span class="value">{values.mean():.3f}</span><span class="interval">' in html
    assert '<tr class="unranked" data-restorer="reference">' in html
    assert 'data-sort="inf"><span class="value">∞</span>' in html


def test_failures_are_listed_with_their_messages(small):
    text = text_of(rendered(small))
    assert "codeformer faces, severe s1 restoring RuntimeError: out of memory" in text


def test_provenance(small):
    text = text_of(rendered(small))
    assert "restorebench run 'out=my results'" in text
    assert "gfpgan_1_4 " + "ab" * 32 + " no: recorded on first use Apache-2.0" in text
    assert "torch 2.9.0" in text
    assert "batch: 4" in text
    assert "metric niqe : run: restorebench weights fetch niqe_official" in text
    assert "gfpgan paper" in text
    assert "FFHQ LPIPS" in text
    assert "psnr v1" in text


def test_pictures_under_share_alike_licences_say_so_wherever_they_are_shown(small):
    text = text_of(rendered(small))
    assert "shared under the licence of their sources: CC BY-SA 3.0 (two of them). Wikimedia" in text
    assert "Pictures derived from faces: CC BY-SA 3.0 (two of them)." in text


def test_pictures_that_are_gone_or_damaged_are_not_linked(small):
    whole = payload_of(rendered(small))
    assert len(whole["pictures"]) == 3 + 2 * 3 + 2 * 2 * 3 - 1  # references, LQ, restored; one failed
    files = sorted((small.out / "store" / "images").rglob("*.png"))
    files[0].unlink()
    files[1].write_bytes(b"nonsense")
    left = payload_of(rendered(small))
    assert set(whole["pictures"]) - set(left["pictures"]) == {files[0].stem, files[1].stem}
    columns = [left["sets"][0]["hq"]]
    for group in left["sets"][0]["groups"].values():
        columns += [group["lq"], *group["made"].values()]
    named = {raw[i : i + 32].hex() for raw in map(base64.b64decode, columns) for i in range(0, len(raw), 32)}
    assert named - {"00" * 32} == set(left["pictures"])


def test_curves_are_drawn_for_two_splits_and_not_for_one(small, tmp_path):
    figures = [a.get("aria-label", "") for t, a in Tags(rendered(small)).found if t == "figure"]
    assert [label.startswith("PSNR against mild, severe") for label in figures].count(True) == 1
    one = Writer(tmp_path / "one")
    one.cell("a", {"psnr": [1.0, 2.0]})
    assert "curves need two splits or more" in text_of(rendered(one))


def test_diagrams_of_mean_ranks_are_drawn_for_every_split(writer):
    rng = np.random.default_rng(0)
    for split in ("mild", "severe"):
        for i, name in enumerate(("a", "b", "c")):
            writer.cell(name, {"psnr": rng.normal(25 + i, 0.1, 12)}, split=split)
    figures = [a for t, a in Tags(rendered(writer)).found if t == "figure" and a.get("class") == "ranks"]
    assert [(a["data-split"], a["data-metric"]) for a in figures] == [("mild", "psnr"), ("severe", "psnr")]
    assert figures[0]["aria-label"].startswith("Mean ranks by PSNR on mild, 12 images: c 1.00, b 2.00, a 3.00.")


def test_a_section_of_another_part_has_its_place_and_its_link(small):
    extra = Extra("study", "Preference <study>", "study.html.j2", {"studies": []})
    html = rendered(small, extras=[extra])
    assert '<a href="#study">Preference &lt;study&gt;</a>' in html
    assert '<section id="study">' in html


def test_no_page_is_larger_than_its_bound(small, monkeypatch):
    whole = rendered(small)
    bound = len(whole) - sum(map(len, payload_of(whole)["pictures"].values())) // 2
    monkeypatch.setattr(page_module, "SIZE", bound)
    less = rendered(small)
    assert len(less) <= bound
    assert 0 < len(payload_of(less)["pictures"]) < len(payload_of(whole)["pictures"])
    assert 'class="board"' in less
    assert f"{len(payload_of(less)['pictures'])} pictures are inside this file" in text_of(less)


def test_a_page_of_many_images_gives_up_some_of_them_last(writer, monkeypatch):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        writer.cell(name, {"psnr": rng.normal(25, 1, 3000)})
    whole = rendered(writer)
    monkeypatch.setattr(page_module, "SIZE", len(whole) - 30_000)
    less = payload_of(rendered(writer))["sets"][0]
    assert len(less["samples"]) == 900
    assert less["total"] == 3000
    for name, packed in less["groups"]["mild"]["scores"]["psnr"].items():
        few = np.frombuffer(base64.b64decode(packed), dtype="<f4")
        full = np.frombuffer(
            base64.b64decode(payload_of(whole)["sets"][0]["groups"]["mild"]["scores"]["psnr"][name]), "<f4"
        )
        assert (few.min(), few.max()) == (full.min(), full.max())
    assert "900 of 3000 images are here" in text_of(rendered(writer))


def test_headings_can_be_sorted_by_keyboard_and_say_so(small):
    tags = Tags(rendered(small)).found
    heads = [a for t, a in tags if t == "th" and "aria-sort" in a]
    buttons = [a for t, a in tags if t == "button" and "data-first" in a]
    assert len(heads) == len(buttons) == 1 + 2 + 2


def test_a_store_without_plans_or_cards_still_has_a_page(writer):
    writer.cell("a", {"psnr": [1.0]})
    assert "Leaderboard" in text_of(rendered(writer))
    writer.plan()
    assert "Leaderboard" in text_of(rendered(writer))


def test_equal_stores_give_equal_pages(small):
    assert rendered(small) == rendered(small)
