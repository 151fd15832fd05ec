"""Figures: what they show, that letters are letters, fonts are inside, and bytes are the same."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from handmade import picture

from restorebench.bench.errors import ConfigError
from restorebench.reports.comparisons import comparisons
from restorebench.reports.costs import costs
from restorebench.reports.figures import critical_difference, gallery_figure, style, tradeoff
from restorebench.reports.figures.critical_difference import Standings, standings
from restorebench.reports.figures.files import chosen_metrics, figure_files, file_name
from restorebench.reports.figures.gallery import gallery
from restorebench.reports.figures.pareto import front
from restorebench.reports.grid import grids
from restorebench.reports.leaderboard import board
from restorebench.reports.page.faces import faces
from restorebench.reports.page.regions import REGIONS, crop
from restorebench.reports.tables.choices import Choices, FigureChoices, choices

NAN = float("nan")


def files(made, **chosen):
    tables, spent, pairs = grids(made.rows, made.columns), costs(made), comparisons(made)
    return dict(figure_files(made, tables, spent, pairs, FigureChoices(**chosen)))


def texts(svg: bytes) -> str:
    """All letters of a drawing made with `outlines=False`."""
    return " ".join(re.findall(r">([^<>]+)</text>", svg.decode()))


def streams(pdf: bytes) -> list[bytes]:
    found = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(match[1]))
        except zlib.error:
            found.append(match[1])
    return found


@pytest.fixture(scope="module")
def drawn(study):
    return files(study)


class TestFiles:
    def test_each_figure_is_there_twice_and_named_after_its_data(self, drawn):
        assert set(drawn) == {
            f"figures/faces_{what}.{form}"
            for what in ("robustness", "tradeoff", "cost", "mild_critical_difference", "severe_critical_difference")
            for form in ("svg", "pdf")
        } | {f"gallery/faces_{split}.{form}" for split in ("mild", "severe") for form in ("png", "svg", "pdf")}

    def test_every_font_of_a_pdf_is_inside_it_and_none_is_type_3(self, drawn):
        for name, data in drawn.items():
            if name.endswith(".pdf"):
                fonts = re.findall(rb"/BaseFont /(\S+)", data)
                assert fonts, name
                assert all(re.fullmatch(rb"[A-Z]{6}\+DejaVuSans", font) for font in fonts), name  # subsets say so
                assert data.count(b"/FontFile2") == data.count(b"/CIDFontType2") > 0, name
                assert b"/Type3" not in data, name
                assert any(part.startswith((b"\x00\x01\x00\x00", b"true")) for part in streams(data)), name

    def test_they_say_neither_when_nor_by_whom_they_were_made(self, drawn):
        for name, data in drawn.items():
            assert not re.search(rb"CreationDate|ModDate|dc:date|matplotlib v", data), name

    def test_two_builds_are_the_same_bytes(self, study, drawn):
        assert files(study) == drawn

    def test_none_are_drawn_where_nobody_wants_them(self, study):
        assert files(study, enabled=False) == {}

    def test_their_number_does_not_grow_with_the_metrics(self, writer):
        names = [f"m{i:02}" for i in range(20)]
        for restorer in ("a", "b"):
            writer.cell(restorer, {name: [1.0, 2.0, 3.0] for name in names})
        made = board(writer.load(), sort=["m07"])
        (table,) = grids(made.rows, made.columns)
        assert chosen_metrics(made, table, FigureChoices()) == ["m07", "m00", "m01", "m02", "m03", "m04"]
        assert chosen_metrics(made, table, FigureChoices(metrics=("m09", "gone"))) == ["m09"]

    @pytest.mark.parametrize("name", ["a/b", "../x", "a b", "é", "x" * 300, "", 'CON?*<>|"'])
    def test_names_are_safe_and_different(self, name):
        made = file_name(name, "standard", "mild")
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", made)
        assert ".." not in made.split("_")[0] or "/" not in made
        assert len(made) < 120
        assert made != file_name(f"{name}_", "standard", "mild")


class TestText:
    def test_a_letter_that_the_font_has_not_shows_as_its_code_point(self):
        assert style.printable("é Ω 中\n😀") == "é Ω [U+4E2D] 😀"  # this one it has

    def test_names_are_fitted_to_inches(self):
        assert style.fit("short", 2) == "short"
        cut = style.fit("a very long name that goes on and on", 1)
        assert cut.endswith("…")
        assert style.inches(cut) <= 1


@pytest.mark.parametrize(
    ("points", "higher", "on"),
    [
        ([(1, 1), (2, 2), (3, 3)], (True, True), [False, False, True]),
        ([(1, 1), (2, 2), (3, 3)], (False, True), [True, True, True]),
        ([(1, 1), (1, 1), (0, 2)], (True, True), [True, True, True]),
        ([(1, 1), (1, 2)], (True, True), [False, True]),
        ([(NAN, 5), (1, 1)], (True, True), [False, True]),
        ([], (True, False), []),
    ],
)
def test_the_pareto_front_is_what_nobody_beats(points, higher, on):
    assert front(points, higher) == on


class TestTradeoff:
    def test_who_lies_on_the_front_is_filled_and_the_direction_is_named(self, study):
        (table,) = grids(study.rows, study.columns)
        with style.settings(outlines=False):
            figure = tradeoff.draw_metrics(table, ["lpips", "psnr"])
            shown = texts(style.svg(figure))
        assert "LPIPS ↓" in shown
        assert "PSNR ↑" in shown
        assert "mild, n = 24" in shown
        hollow = {
            line.get_color()
            for line in figure.axes[0].lines
            if line.get_markerfacecolor() == "none" and line.get_marker() != "None"
        }
        assert style.mark(table.restorers.index("d"))["color"] in hollow
        assert len(hollow) >= 2  # c_1 and d at least: a and b beat them on both axes

    def test_the_reference_does_not_compete(self, study):
        (table,) = grids(study.rows, study.columns)
        with style.settings(outlines=False):
            assert "reference" not in texts(style.svg(tradeoff.draw_metrics(table, ["lpips", "psnr"])))

    def test_costs_are_over_the_images_of_all_splits(self, writer):
        for severity, (split, seconds) in enumerate((("mild", 1.0), ("severe", 3.0))):
            writer.cell("a", {"psnr": [1.0, 2.0]}, split=split, severity=severity, seconds=seconds)
        made = board(writer.load())
        (table,) = grids(made.rows, made.columns)
        assert tradeoff.of_cost(costs(made), table, "seconds_per_image").scores == {"a": 2.0}
        assert tradeoff.of_cost(costs(made), table, "gflops").scores == {}

    def test_there_is_nothing_to_draw_of_one_restorer_or_one_metric(self, writer):
        writer.cell("a", {"psnr": [1.0, 2.0], "ssim": [1.0, 2.0]})
        made = board(writer.load())
        (table,) = grids(made.rows, made.columns)
        assert tradeoff.draw_metrics(table, ["psnr", "ssim"]) is None
        assert tradeoff.draw_metrics(table, ["psnr"]) is None


class TestCriticalDifference:
    def test_bars_join_those_that_cannot_be_told_apart_and_no_others(self, study):
        (found,) = [s for s in standings(study, comparisons(study)) if (s.split, s.metric) == ("mild", "psnr")]
        assert found.n == 24
        assert set(found.names[:2]) == {"a", "b"}
        assert found.names[2:] == ("c_1", "d")
        assert found.bars == ((0, 1),)
        assert found.ranks[2:] == (3.0, 4.0)
        assert sum(found.ranks) == pytest.approx(10)

    def test_a_direction_turns_the_ranks(self, study):
        (found,) = [s for s in standings(study, comparisons(study)) if (s.split, s.metric) == ("mild", "lpips")]
        assert found.names[2:] == ("c_1", "d")

    def test_with_five_images_one_bar_joins_all(self, writer):
        for i, name in enumerate("abc"):
            writer.cell(name, {"psnr": [float(i)] * 5})
        made = board(writer.load())
        (found,) = standings(made, comparisons(made))
        assert found.bars == ((0, 1, 2),)

    def test_bars_are_the_largest_sets_of_pairs_that_hold_together(self):
        joined = {0: {1}, 1: {0, 2, 4}, 2: {1, 4}, 3: set(), 4: {1, 2}}
        cliques = set(critical_difference._cliques(joined))
        assert cliques == {(0, 1), (1, 2, 4), (3,)}

    def test_the_drawing_says_what_n_is_and_names_everybody(self):
        shown = Standings("d", "s", "p", "m", "LPIPS", 300, ("a_b", "中"), (1.25, 1.75), ((0, 1),))
        svg = critical_difference.critical_difference(shown, outlines=False)
        for text in ("mean rank by LPIPS, 1 = best, n = 300", "a_b  1.25", "1.75  [U+4E2D]"):
            assert text in texts(svg)
        assert critical_difference.critical_difference(shown, outlines=False) == svg

    def test_thirty_restorers_of_equal_rank_can_be_drawn(self):
        names = tuple(f"restorer {i}" for i in range(30))
        shown = Standings("d", "s", "p", "m", "M", 10, names, (15.5,) * 30, (tuple(range(30)),))
        assert critical_difference.critical_difference(shown)


class TestFaces:
    @pytest.fixture
    def ranked(self, writer):
        """Image s003 is restored worst and s001 best by the mean of two restorers."""
        for name, shift in (("a", 0.0), ("b", 0.5)):
            writer.cell(name, {"lpips": [0.5 + shift, 0.1, 0.4, 0.9, 0.3]}, metrics=None)
        return board(writer.load(), sort=["lpips"])

    @pytest.mark.parametrize(
        ("choose", "count", "expected"),
        [
            ("best", 2, [3, 0]),
            ("worst", 2, [1, 4]),
            ("median", 1, [2]),
            ("spread", 3, [0, 2, 4]),
            ("worst", 9, [1, 4, 2, 0, 3]),
        ],
    )
    def test_they_are_chosen_by_the_mean_over_the_restorers(self, ranked, choose, count, expected):
        # LPIPS of `table_metric` is higher-is-better here
        assert faces(ranked, ranked.groups[0], FigureChoices(choose=choose, faces=count)) == expected

    def test_a_random_choice_is_the_same_every_time_and_another_with_another_seed(self, ranked):
        group = ranked.groups[0]
        chosen = [faces(ranked, group, FigureChoices(choose="random", faces=5, seed=seed)) for seed in (0, 0, 1, 2)]
        assert chosen[0] == chosen[1]
        assert len({tuple(one) for one in chosen}) > 1
        assert all(sorted(one) == [0, 1, 2, 3, 4] for one in chosen)

    def test_without_a_score_of_images_they_are_spread(self, writer):
        from handmade import GAP

        writer.cell("a", metrics=[GAP], features=[[0.0]] * 5)
        made = board(writer.load(), sort=["gap"])
        assert faces(made, made.groups[0], FigureChoices(choose="worst", faces=2)) == [0, 4]


class TestGallery:
    @pytest.fixture
    def shown(self, writer):
        rng = np.random.default_rng(0)
        given = {s: {k: picture(writer, rng, size=(64, 64)) for k in ("hq", "lq")} for s in ("s000", "s001")}
        for name in ("a", "_b"):
            pixels = {s: {**own, "restored": picture(writer, rng, size=(64, 64))} for s, own in given.items()}
            writer.cell(name, {"psnr": [1.0, 2.0]}, pixels=pixels, failed={"s001": "boom"} if name == "a" else {})
        made = board(writer.load())
        return made, gallery(made.groups[0], ["a", "_b"], shown=[1, 0])

    def test_columns_rows_and_gaps_are_named(self, shown):
        made, chosen = shown
        with style.settings(outlines=False):
            svg = style.svg(gallery_figure.draw(chosen, made.results.store))
        for text in ("LQ", "a", "_b", "Reference", "s001", "s000"):
            assert text in texts(svg).split()
        assert svg.count(b"<image") == 1  # one bitmap, whatever the number of pictures

    def test_details_of_aligned_faces_make_it_taller(self, shown):
        from dataclasses import replace

        made, chosen = shown
        with style.settings():
            plain, detailed, unaligned = (
                gallery_figure.draw(
                    replace(chosen, aligned=(aligned,) * 2), made.results.store, insets
                ).get_size_inches()
                for aligned, insets in ((True, ()), (True, ("eyes", "mouth")), (False, ("eyes", "mouth")))
            )
        assert detailed[1] > 1.5 * plain[1]
        assert tuple(unaligned) == tuple(plain)

    def test_thirty_columns_stay_within_bounds(self, shown):
        made, _ = shown
        from restorebench.reports.figures.gallery import Gallery, Tile

        columns = tuple(f"r{i}" for i in range(30))
        rows = tuple(tuple(Tile(c, f"s{r}", "", "failed") for c in columns) for r in range(6))
        with style.settings():
            figure = gallery_figure.draw(Gallery("d", "s", columns, rows, (False,) * 6), made.results.store)
            assert len(style.pdf(figure)) < 2_000_000

    def test_eyes_and_mouth_are_cut_where_they_are(self):
        pixels = np.zeros((512, 512, 3), np.uint8)
        pixels[239, 192], pixels[240, 318] = 255, 255  # the pupils of the template
        assert (crop(pixels, "eyes") == 255).sum() == 6
        assert (crop(pixels, "mouth") == 255).sum() == 0
        assert all(left >= 0 and left + width <= 1 for left, _, width, _ in REGIONS.values())


class TestChoices:
    def test_they_are_read_from_the_configuration(self):
        read = choices(
            {"figures": {"choose": "worst", "faces": 2, "metrics": ["psnr"]}, "table": {"wide": {"across": "split"}}}
        )
        assert read.figures == FigureChoices(choose="worst", faces=2, metrics=("psnr",))
        assert [(p.name, p.across) for p in read.presets] == [("wide", "split")]

    @pytest.mark.parametrize(
        ("figures", "message"),
        [({"insets": ["eye"]}, "no part 'eye'.*Did you mean 'eyes'"), ({"faces": 0}, "faces: 0 is too few")],
    )
    def test_what_cannot_be_drawn_is_refused(self, figures, message):
        with pytest.raises(ConfigError, match=message):
            choices({"figures": figures})

    def test_a_report_without_a_choice_of_tables_takes_those_of_the_last_command_that_made_one(self):
        plans = [{"config": {"report": {"table": {"wide": {"across": "split"}}}}}, {"config": {"report": {}}}, {}]
        assert [p.name for p in Choices().tables(plans)] == ["wide"]
        assert [p.name for p in Choices().tables([])] == ["default"]
        assert Choices(published=True).tables(plans)[0].published
