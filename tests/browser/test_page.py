"""The page as a person meets it: in a browser, with mouse, keys and touch, on a desk and on a phone."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from handmade import PLAIN, Writer, picture, table_metric
from playwright.sync_api import expect

from restorebench.reports.build import build

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
SIZES = ("desktop", "phone")


def names(page, table: str = "table.board >> nth=0") -> list[str]:
    """Restorers in the first split that is shown."""
    body = page.locator(f"{table} >> tbody:not([hidden]) >> nth=0")
    return body.locator("tr:not([hidden]):not(.split) th").all_inner_texts()


def no_sideways_scroll(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_and_complains_about_nothing(opened, real, size, scheme):
    watched = opened(real, size, scheme)
    assert no_sideways_scroll(watched.page)
    watched.keep(f"page-{size}-{scheme}")
    background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")


@pytest.mark.parametrize("size", SIZES)
def test_a_heading_sorts_and_says_so(opened, real, size):
    page = opened(real, size).page
    head = page.locator("table.board thead th", has_text="PSNR").first
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    down = names(page)
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    up = names(page)
    assert down[:-1] == up[:-1][::-1]
    assert down[-1] == up[-1] == "reference"  # does not compete, stays last


def test_the_table_is_filtered_by_name_and_by_column(opened, real):
    page = opened(real).page
    page.get_by_label("Filter restorers").fill("LAN")
    assert names(page) == ["lanczos"]
    expect(page.locator("#filters output")).to_have_text("2 of 8 rows")
    page.get_by_label("Filter restorers").fill("")
    page.get_by_label("competitors only").check()
    assert set(names(page)) == {"input", "lanczos", "nlmeans"}
    page.locator(".columns summary").click()
    page.locator(".menu").get_by_label("SSIM").uncheck()
    expect(page.locator("table.board thead th", has_text="SSIM").first).to_be_hidden()
    assert page.locator("table.board td[data-metric=ssim]:visible").count() == 0


@pytest.mark.parametrize("size", SIZES)
def test_the_switch_chooses_split_metric_and_restorer_for_every_view(opened, real, size):
    watched = opened(real, size)
    page = watched.page
    bar = page.locator("#switch")
    bar.get_by_label("Split").select_option("mild")
    expect(page.locator("tbody[data-split=severe]")).to_be_hidden()
    expect(page.locator("#spread .now")).to_contain_text("mild")
    bar.get_by_label("Metric").select_option("ssim")
    bar.get_by_label("Split").select_option("")
    turned = page.locator("table.turned:visible")
    assert turned.locator("thead th").all_inner_texts() == ["Restorer", "mild", "severe"]
    expect(page.locator("#spread .now")).to_contain_text("SSIM")
    fixed = page.locator(
        "tbody[data-split=severe] tr[data-restorer=lanczos] td[data-metric=ssim] .value"
    ).text_content()
    assert fixed in turned.locator("tr[data-restorer=lanczos]").inner_text()
    bar.get_by_label("Metric").select_option("")
    bar.get_by_label("Restorer").select_option("nlmeans")
    assert turned.locator("tbody th").all_inner_texts() == ["mild", "severe"]
    assert no_sideways_scroll(page)
    watched.keep(f"switch-{size}")
    turned.locator("thead button", has_text="PSNR").click()
    assert turned.locator("tbody th").all_inner_texts() == ["mild", "severe"]
    turned.locator("thead button", has_text="PSNR").click()
    assert turned.locator("tbody th").all_inner_texts() == ["severe", "mild"]
    bar.get_by_label("Restorer").select_option("")
    expect(page.locator("table.board:visible tbody:not([hidden])")).to_have_count(2 + 1)  # the face's own table too


def test_hover_and_focus_show_what_is_behind_a_number(opened, real):
    watched = opened(real)
    page = watched.page
    value = page.locator("tbody[data-split=mild] tr[data-restorer=nlmeans] td[data-metric=lpips_alex]")
    value.hover()
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    for fact in ("nlmeans", "mild", "failures", "lpips(net=alex", "lpips-alex-backbone", "NLMeans", "LQ"):
        expect(tip).to_contain_text(fact)
    assert value.get_attribute("aria-describedby") == "tip"
    watched.keep("facts")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.locator("table.board td[tabindex='0']").first.focus()
    expect(tip).to_contain_text("psnr(")
    page.keyboard.press("ArrowRight")
    expect(tip).to_contain_text("ssim(")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.metric") == "ssim"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_a_tap_shows_what_is_behind_a_number(opened, real):
    page = opened(real, "phone").page
    page.locator("tbody[data-split=mild] tr[data-restorer=nlmeans] td[data-metric=psnr]").tap()
    expect(page.locator("#tip")).to_contain_text("psnr(")
    box = page.locator("#tip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.locator("h2").first.tap()
    expect(page.locator("#tip")).to_be_hidden()


def test_the_trade_off_follows_its_axes_and_names_the_front(opened, real):
    page = opened(real).page
    chart = page.locator("#tradeoff")
    before = chart.locator("svg").get_attribute("aria-label")
    chart.get_by_label("Horizontal").select_option("psnr")
    chart.get_by_label("Vertical").select_option("ssim")
    label = chart.locator("svg").get_attribute("aria-label")
    assert before != label
    assert label.startswith("SSIM ↑ against PSNR (dB) ↑ on severe. Pareto front: ")
    assert chart.locator(".point").count() == 3
    on_front = label.split("front: ")[1].rstrip(".").split(", ")
    assert chart.locator(".point .halo").count() == len(on_front)
    best = max(["input", "lanczos", "nlmeans"], key=lambda name: _value(page, "severe", name, "psnr"))
    assert best in on_front


def _value(page, split: str, restorer: str, metric: str) -> float:
    place = f"tbody[data-split={split}] tr[data-restorer={restorer}] td[data-metric={metric}]"
    return float(page.locator(place).first.get_attribute("data-sort"))


@pytest.mark.parametrize("size", SIZES)
def test_a_face_is_chosen_from_the_list_by_search_and_by_arrow_keys(opened, real, size):
    watched = opened(real, size)
    page = watched.page
    page.locator(".faces li", has_text="henner").click()
    title = page.locator(".face-head h3")
    expect(title).to_have_text("henner")
    assert page.locator(".sheet thead th").all_inner_texts() != []
    listed = page.locator(".faces li .face-name").all_inner_texts()
    at = listed.index("henner")
    page.locator(".face").focus()
    page.keyboard.press("ArrowRight" if at + 1 < len(listed) else "ArrowLeft")
    expect(title).to_have_text(listed[at + 1 if at + 1 < len(listed) else at - 1])
    page.keyboard.press("ArrowLeft" if at + 1 < len(listed) else "ArrowRight")
    expect(title).to_have_text("henner")
    page.locator(".faces").focus()
    page.keyboard.press("Home")
    expect(title).to_have_text(listed[0])
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text(listed[1])
    page.get_by_role("button", name="Previous face").click()
    expect(title).to_have_text(listed[0])
    page.get_by_label("Search faces").fill("hop")
    assert page.locator(".faces li .face-name").all_inner_texts() == ["hopper"]
    watched.keep(f"face-{size}")


def test_a_face_shows_everything_that_was_made_of_it(opened, real):
    page = opened(real).page
    sheet = page.locator(".sheet")
    assert sheet.locator("thead th").count() == 4  # LQ, lanczos, nlmeans, reference; the input is the LQ
    assert sheet.locator("tbody th").all_inner_texts() == ["whole", "eyes", "mouth", "error"]
    assert page.evaluate("[...document.querySelectorAll('#faces img')].every((i) => i.complete && i.naturalWidth > 0)")
    assert page.evaluate("[...document.querySelectorAll('#faces img')].every((i) => i.hasAttribute('alt'))")
    assert page.locator("#viewer table.single tbody tr").count() == 4
    places = page.locator("#viewer table.single td .place").all_inner_texts()
    assert min(places[0:9:3]) == "1"
    page.get_by_label("full PNG").check()
    linked = page.locator(".slider img").first
    assert linked.get_attribute("src").startswith("media/")
    page.wait_for_function(
        "[...document.querySelectorAll('.slider img')].every((i) => i.complete && i.naturalWidth > 0)"
    )


def test_the_slider_is_dragged_by_mouse_keys_and_touch(opened, real):
    page = opened(real).page
    stage, handle = page.locator(".slider"), page.locator(".slider .handle")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=5)
    page.mouse.up()
    assert abs(int(handle.get_attribute("aria-valuenow")) - 20) <= 1
    page.mouse.move(box["x"] + box["width"] * 0.9, middle)
    assert abs(int(handle.get_attribute("aria-valuenow")) - 20) <= 1  # let go
    face = page.locator(".face-head h3").inner_text()
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert abs(int(handle.get_attribute("aria-valuenow")) - 22) <= 1
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"
    page.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    assert page.locator(".face-head h3").inner_text() == face  # its arrow keys turn no page


def test_the_slider_follows_a_finger(opened, real):
    page = opened(real, "phone").page
    stage, handle = page.locator(".slider"), page.locator(".slider .handle")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert abs(int(handle.get_attribute("aria-valuenow")) - 75) <= 1


def test_both_sides_of_the_slider_can_be_chosen(opened, real):
    page = opened(real).page
    page.locator(".face .controls").get_by_label("Left").select_option("Reference")
    page.locator(".face .controls").get_by_label("Right").select_option("lanczos")
    assert page.locator(".slider .side").all_inner_texts() == ["Reference", "lanczos"]
    page.locator(".sheet button.tile").nth(2).click()
    right = page.locator(".sheet thead th").nth(2).inner_text().split("\n")[0]
    assert page.locator(".slider .side").all_inner_texts() == ["Reference", right]


def test_worst_and_best_cases_lead_to_their_faces(opened, real):
    page = opened(real).page
    case = page.locator("#cases .case").first
    name = case.locator(".case-name").inner_text().split("· ")[1]
    case.click()
    expect(page.locator(".face-head h3")).to_have_text(name)
    values = [
        float(text.split()[0]) for text in page.locator(".case-row").first.locator(".case-name").all_inner_texts()
    ]
    assert values[0] == max(values)  # LPIPS: the worst first


def test_points_of_the_distribution_lead_to_their_faces(opened, real):
    page = opened(real).page
    dot = page.locator("#spread .dot").first
    image = int(dot.get_attribute("data-image"))
    dot.dispatch_event("click")
    expect(page.locator(".face-head h3")).to_have_text(["collins", "giunchedi", "henner", "hopper", "huard"][image])


def test_pairs_follow_the_switch(opened, real):
    page = opened(real).page
    assert page.locator("#pairs tbody tr").count() == 3
    before = page.locator("#pairs tbody").inner_text()
    page.locator("#switch").get_by_label("Metric").select_option("psnr")
    assert page.locator("#pairs tbody").inner_text() != before
    expect(page.locator("#pairs figure.ranks:visible")).to_have_count(1)


def test_light_and_dark_are_a_button_too(opened, real):
    page = opened(real).page
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)
    page.get_by_role("button", name="Switch to dark").click()
    assert page.evaluate(colour) != before
    page.get_by_role("button", name="Switch to light").click()
    assert page.evaluate(colour) == before


def test_the_command_line_is_copied(opened, real):
    watched = opened(real)
    page = watched.page
    page.locator("button.copy").first.click()
    expect(page.locator("button.copy").first).to_have_text("Copied")


def test_everything_can_be_reached_by_tab_and_shows_its_focus(opened, real):
    page = opened(real).page
    seen = []
    for _ in range(150):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("((e) => e.id || e.className || e.tagName)(document.activeElement)"))
        if seen[-1] == "BODY":
            break  # behind the last one
        ring = page.evaluate(
            """(() => { const e = document.activeElement, s = getComputedStyle(e), a = getComputedStyle(e, '::after');
               return s.outlineStyle !== 'none' || a.outlineStyle !== 'none' || s.boxShadow !== 'none'; })()"""
        )
        assert ring, seen[-1]
    for wanted in ("theme", "faces", "handle", "tile", "case"):
        assert any(wanted in str(name) for name in seen), wanted


def test_without_javascript_the_tables_are_there(opened, real):
    page = opened(real, script=False).page
    assert page.locator("table.board tbody[data-split]").count() == 2
    assert page.locator("table.board >> nth=0").is_visible()
    assert page.locator("#faces").is_hidden()
    assert "switched off" in page.locator("noscript").first.inner_text()


def test_the_page_alone_shows_its_own_pictures(opened, real, tmp_path):
    alone = tmp_path / "alone.html"
    alone.write_bytes(real.read_bytes())
    page = opened(alone).page
    assert page.evaluate("[...document.querySelectorAll('#faces img, #cases img')].every((i) => i.naturalWidth > 0)")


@pytest.mark.parametrize("size", SIZES)
def test_hostile_names_do_nothing(opened, tmp_path, size):
    writer = Writer(tmp_path / "out")
    rng = np.random.default_rng(0)
    closing = "</script><script>alert(2)</script>"
    samples = [f"{EVIL}.png", f"{closing}.png", "../..\u2028'\"`&amp;${alert(3)}"]
    given = {sample: {n: picture(writer, rng) for n in ("hq", "lq")} for sample in samples}
    for severity, split in enumerate((EVIL, closing)):
        for name in (EVIL, closing):
            pixels = {sample: {**given[sample], "restored": picture(writer, rng)} for sample in samples}
            writer.cell(
                name,
                {"psnr": [1.0, 2.0, 3.0 + severity]},
                metrics=[table_metric("psnr"), table_metric(EVIL, skipped=EVIL, metric_id=closing)],
                samples=samples,
                failed={samples[1]: closing} if severity else {},
                pixels=pixels,
                split=split,
                severity=severity,
                dataset=EVIL,
                card={"paper": closing},
                dataset_card={"licence": EVIL, "note": closing},
            )
    writer.plan(command=[EVIL, closing], environment={EVIL: closing}, config={EVIL: closing})
    page_file = build(writer.out, shown=PLAIN).paths["index.html"]
    watched = opened(page_file, size)
    page = watched.page
    for sample in samples:
        page.locator(".faces li").filter(has=page.get_by_title(sample, exact=True)).click()
        expect(page.locator(".face-head h3")).to_have_text(sample)
    page.locator("#switch").get_by_label("Split").select_option(EVIL)
    page.locator("#switch").get_by_label("Restorer").select_option(closing)
    page.locator("table.turned td").first.hover()
    page.wait_for_timeout(200)
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 2
    watched.keep(f"hostile-{size}")


def test_two_thousand_images_of_eight_restorers_open_in_three_seconds(chromium, opened, tmp_path):
    """Three splits and ten metrics; ten of the faces have pictures."""
    writer = Writer(tmp_path / "out")
    rng = np.random.default_rng(0)
    count = 2000
    samples = [f"celeba/{i:05}" for i in range(count)]
    metrics = [table_metric(f"metric{i}", higher=i % 2 == 0) for i in range(10)]
    drawn = {s: {"hq": picture(writer, rng, size=(512, 512))} for s in samples[:10]}
    hard = rng.normal(0, 0.1, count)
    for severity, split in enumerate(("mild", "medium", "severe")):
        for sample in samples[:10]:
            drawn[sample] = {**drawn[sample], "lq": picture(writer, rng, size=(512, 512))}
        for i in range(8):
            pixels = {s: {**own, "restored": picture(writer, rng, size=(64, 64))} for s, own in drawn.items()}
            values = {m.name: 0.5 + 0.03 * i - 0.1 * severity + hard + rng.normal(0, 0.1, count) for m in metrics}
            place = {"split": split, "severity": severity, "samples": samples, "pixels": pixels}
            writer.cell(f"restorer{i}", values, metrics=metrics, **place)
    large = build(writer.out, shown=PLAIN).paths["index.html"]
    assert large.stat().st_size < 15_000_000

    took = []
    for _ in range(5):
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        start = time.perf_counter()
        page.goto(large.as_uri())
        page.wait_for_function("document.documentElement.dataset.ready === 'true'")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        took.append(time.perf_counter() - start)
        page.close()
    assert min(took) < 3, took

    watched = opened(large)
    watched.keep("large")
    page = watched.page
    expect(page.locator("#faces .chooser .small")).to_contain_text("2000 faces, 200 listed")
    page.get_by_label("Search faces").fill("01234")
    page.locator(".faces li").first.click()
    expect(page.locator(".face-head h3")).to_have_text("celeba/01234")
    assert page.locator("#viewer table.single tbody tr").count() == 8


def test_two_builds_give_the_same_page(real):
    before = real.read_bytes()
    assert build(real.parent.parent, sort=["lpips_alex", "psnr"]).paths["index.html"].read_bytes() == before


def test_data_sets_are_switched_with_everything_that_belongs_to_them(opened, tmp_path):
    writer = Writer(tmp_path / "out")
    rng = np.random.default_rng(0)
    for dataset, samples in (("lfw", ["x", "y"]), ("celeba", ["p", "q", "r"])):
        for name in ("a", "b"):
            pixels = {s: {n: picture(writer, rng, size=(32, 32)) for n in ("hq", "lq", "restored")} for s in samples}
            values = rng.normal(25, 1, len(samples))
            writer.cell(name, {"psnr": values}, samples=samples, pixels=pixels, dataset=dataset, split=f"{dataset}_lq")
    page = opened(build(writer.out, shown=PLAIN).paths["index.html"]).page
    expect(page.locator("#leaderboard .set:visible")).to_have_count(1)
    page.locator("#switch").get_by_label("Data").select_option(label="lfw")
    expect(page.locator("#leaderboard .set:visible h3")).to_have_text("lfw")
    expect(page.locator("#switch").get_by_label("Split").locator("option")).to_have_text(["all", "lfw_lq"])
    assert set(page.locator(".faces li .face-name").all_inner_texts()) <= {"x", "y"}
    expect(page.locator("#pairs .now")).to_contain_text("lfw · lfw_lq")
    assert page.locator("#viewer img").count() > 4


def test_a_run_that_kept_no_pictures_still_shows_its_scores(opened, tmp_path):
    writer = Writer(tmp_path / "out")
    for name in ("a", "b"):
        writer.cell(name, {"psnr": [1.0, 2.0, 3.0]})
    page = opened(build(writer.out, shown=PLAIN).paths["index.html"]).page
    assert page.locator("#viewer table.single tbody tr").count() == 2
    assert page.locator("#spread .dot").count() == 6
    assert page.locator("#viewer img").count() == 0
    assert "No pictures were kept." in page.locator("#faces").inner_text()
    assert "media" not in page.locator("footer").inner_text()


def test_results_without_an_lq_stand_under_their_own_name_and_perfect_ones_beside_the_reference(opened, tmp_path):
    """As `score` leaves them: nobody was timed, and what counts as LQ is the result itself."""
    writer = Writer(tmp_path / "out")
    rng = np.random.default_rng(0)
    pictures = {sample: picture(writer, rng) for sample in ("x", "y")}
    alone = {sample: {"lq": sha256, "restored": sha256} for sample, sha256 in pictures.items()}
    equal = {sample: {"hq": sha256, "restored": sha256} for sample, sha256 in pictures.items()}
    place = {"samples": ["x", "y"], "seconds": float("nan")}
    writer.cell("mine", {"niqe": [5.0, 6.0]}, pixels=alone, hq=False, dataset="alone", **place)
    writer.cell(
        "perfect", {"psnr": [math.inf] * 2, "ssim": [1.0] * 2}, pixels=equal, lq=False, dataset="equal", **place
    )
    page = opened(build(writer.out, shown=PLAIN).paths["index.html"]).page
    shown = page.locator("#viewer .sheet thead th")
    assert [text.split("\n")[0] for text in shown.all_inner_texts()] == ["mine"]
    page.locator("#switch").get_by_label("Data").select_option(label="equal")
    assert [text.split("\n")[0] for text in shown.all_inner_texts()] == ["perfect", "Reference"]
    expect(page.get_by_label("Horizontal")).to_have_value("ssim")
