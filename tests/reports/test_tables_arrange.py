"""What a preset makes of a leaderboard: rows, columns, groups, marks, daggers, captions."""

from __future__ import annotations

import pytest

from restorebench.bench.errors import ConfigError
from restorebench.reports.comparisons import comparisons
from restorebench.reports.grid import BEST, SECOND
from restorebench.reports.leaderboard import board
from restorebench.reports.tables.arrange import arrange, left_out
from restorebench.reports.tables.paper_table import LEADS, LIKE_BEST, PRINTED, RANKED, UNRANKED
from restorebench.reports.tables.preset import DATASET, DEFAULT, SPLIT, WIDE, Preset, preset


def tables(made, layout):
    return arrange(made, layout, comparisons(made))


def only(made, layout):
    (one,) = tables(made, layout)
    return one


def value(table, restorer, column, block=0):
    line = next(line for line in table.blocks[block].lines if line.restorer == restorer)
    return line.values[column]


def test_splits_across_make_groups_and_one_row_per_restorer(study):
    table = only(study, WIDE)
    assert [group.title for group in table.groups] == ["mild", "severe"]
    assert [h.metric for h in table.groups[0].headings] == ["psnr", "lpips", "gap"]  # nobody has NIQE
    (block,) = table.blocks
    assert block.title == ""
    assert {line.restorer for line in block.lines} == {"a", "b", "c_1", "d", "reference"}
    assert len(block.lines[0].values) == 6


def test_splits_as_blocks_keep_a_column_that_nobody_has_and_say_why(study):
    table = only(study, DEFAULT)
    assert [block.title for block in table.blocks] == ["mild", "severe"]
    assert [h.metric for h in table.headings] == ["psnr", "lpips", "niqe", "gap"]
    (letter,) = table.headings[2].notes
    assert "weights fetch niqe_official" in table.notes[letter]


def test_neither_across_nor_a_block_gives_a_table_each(study):
    assert [t.sheet for t in tables(study, Preset("flat"))] == ["faces mild", "faces severe"]
    assert len({t.label for t in tables(study, Preset("flat"))}) == 2


def test_rows_are_ordered_by_the_report_or_the_preset_and_the_reference_is_last(study):
    assert only(study, WIDE).blocks[0].lines[-1].restorer == "reference"
    assert [line.restorer for line in only(study, WIDE).blocks[0].lines][2:4] == ["c_1", "d"]
    backwards = Preset("p", across=SPLIT, rows=("d", "a", "nobody"))
    assert [line.restorer for line in only(study, backwards).blocks[0].lines] == ["d", "a"]
    without = Preset("p", across=SPLIT, unranked=False)
    assert "reference" not in {line.restorer for line in only(study, without).blocks[0].lines}


def test_the_preset_orders_rows_by_its_own_metric(writer):
    writer.cell("a", {"psnr": [1.0, 2.0], "ssim": [0.9, 0.9]})
    writer.cell("b", {"psnr": [2.0, 3.0], "ssim": [0.1, 0.1]})
    made = board(writer.load(), sort=["psnr"])
    assert [line.restorer for line in only(made, Preset("p")).blocks[0].lines] == ["b", "a"]
    assert [line.restorer for line in only(made, Preset("p", order=("ssim",))).blocks[0].lines] == ["a", "b"]


def test_columns_labels_digits_and_splits_are_chosen(study):
    layout = Preset(
        "p", across=SPLIT, columns=("lpips", "psnr"), splits=("severe",), labels={"lpips": "LP"}, digits={"psnr": 1}
    )
    table = only(study, layout)
    assert [(h.label, h.digits) for h in table.headings] == [("LP", 3), ("PSNR", 1)]
    assert len(value(table, "a", 1).text.partition(".")[2]) == 1


def test_the_first_alternative_that_is_there_is_taken(study):
    assert [h.metric for h in only(study, Preset("p", across=SPLIT, columns=("ssim|lpips|psnr",))).headings] == [
        "lpips"
    ] * 2


def test_marks_are_among_the_rows_that_are_shown(study):
    table = only(study, Preset("p", across=SPLIT, rows=("c_1", "d"), columns=("psnr",)))
    assert (value(table, "c_1", 0).mark, value(table, "d", 0).mark) == (BEST, SECOND)


def test_a_single_row_is_not_its_own_best(study):
    table = only(study, Preset("p", across=SPLIT, rows=("a",), columns=("psnr",)))
    assert value(table, "a", 0).mark == 0


def test_daggers_say_what_cannot_be_told_from_the_best(study):
    table = only(study, Preset("p", across=SPLIT, columns=("psnr", "gap")))
    best, other = (("a", "b"), ("b", "a"))[value(table, "b", 0).mark == BEST]
    assert value(table, other, 0).daggers == (LIKE_BEST,)
    assert value(table, best, 0).daggers == ()  # it leads not all of the others
    assert value(table, "c_1", 0).daggers == value(table, "d", 0).daggers == ()
    assert value(table, "reference", 0).daggers == ()
    assert value(table, best, 1).daggers == value(table, other, 1).daggers == ()  # sets of images have no test


def test_a_best_that_leads_every_other_says_so(study):
    table = only(study, Preset("p", across=SPLIT, rows=("a", "c_1", "d"), columns=("psnr",)))
    assert value(table, "a", 0).daggers == (LEADS,)
    assert value(table, "c_1", 0).daggers == ()


def test_where_nothing_can_be_separated_there_is_no_dagger_but_a_sentence(writer):
    for name, level in (("a", 1.0), ("b", 2.0)):
        writer.cell(name, {"psnr": [level] * 5})
    table = only(board(writer.load()), Preset("p"))
    assert not [v for v in table.values if v.daggers]
    assert any("No ranking follows from 5 images" in sentence for sentence in table.about)


def test_data_sets_across_leave_out_what_a_set_has_no_value_of(writer):
    for name in ("a", "b"):
        writer.cell(name, {"psnr": [1.0, 2.0], "niqe": [3.0, 4.0]}, dataset="pairs", split="given", split_id="")
        writer.cell(name, {"niqe": [3.0, 4.0]}, dataset="photos", split="given", split_id="", hq=False)
    table = only(board(writer.load()), Preset("p", across=DATASET))
    assert [(g.title, [h.metric for h in g.headings]) for g in table.groups] == [
        ("pairs", ["niqe", "psnr"]),
        ("photos", ["niqe"]),
    ]
    own = Preset("p", across=DATASET, columns=("niqe",), columns_of={"pairs": ("psnr",)}, datasets=("photos", "pairs"))
    assert [(g.title, [h.metric for h in g.headings]) for g in only(board(writer.load()), own).groups] == [
        ("photos", ["niqe"]),
        ("pairs", ["psnr"]),
    ]


def test_a_table_too_wide_for_a_page_goes_on_below_between_its_groups(study):
    first, second = tables(study, Preset("p", across=SPLIT, columns=("psnr", "lpips"), most_columns=3))
    assert [len(first.headings), len(second.headings)] == [2, 2]
    assert first.label != second.label


def test_a_group_too_wide_for_a_page_is_cut_into_equal_parts(writer):
    names = [f"m{i}" for i in range(7)]
    writer.cell("a", {name: [1.0, 2.0] for name in names})
    parts = tables(board(writer.load()), Preset("p", most_columns=3))
    assert [[h.metric for h in part.headings] for part in parts] == [names[:3], names[3:6], names[6:]]


def test_cards_and_presets_name_the_rows(study):
    by_card = only(study, Preset("p", across=SPLIT, card_names=True, names={"d": "Ours"}))
    assert {line.restorer: line.name for line in by_card.blocks[0].lines} == {
        "a": "The a", "b": "The b", "c_1": "The c_1", "d": "Ours", "reference": "Reference"
    }  # fmt: skip


def test_splits_and_sets_have_titles_of_their_own(study):
    across = only(study, Preset("p", across=SPLIT, titles={"mild": "Mild"}))
    assert [group.title for group in across.groups] == ["Mild", "severe"]
    blocks = only(study, Preset("p", blocks=SPLIT, titles={"severe": "Severe"}))
    assert [block.title for block in blocks.blocks] == ["mild", "Severe"]


def test_two_restorers_of_one_card_keep_the_names_that_tell_them_apart(writer):
    for name in ("weak", "strong"):
        writer.cell(name, {"psnr": [1.0, 2.0]}, card={"name": "CodeFormer"})
    table = only(board(writer.load()), Preset("p", card_names=True))
    assert {line.name for line in table.blocks[0].lines} == {"weak", "strong"}


def test_the_caption_names_data_protocol_and_n_and_what_is_missing(study):
    layout = Preset("p", across=SPLIT, title="Ours", columns=("psnr", "musiq"), rows=("a", "b", "gone"))
    text = " ".join(only(study, layout).about)
    assert text.startswith("Ours. faces (n = 24), protocol standard.")
    assert "Not in these results: restorer gone, metric musiq." in text
    assert left_out(study, WIDE) == []


def test_a_preset_that_finds_nothing_makes_no_table(study):
    assert tables(study, Preset("p", across=SPLIT, columns=("musiq",))) == []
    assert tables(study, Preset("p", datasets=("elsewhere",))) == []


def test_kinds_of_rows(study):
    lines = only(study, WIDE).blocks[0].lines
    assert [line.kind for line in lines] == [RANKED] * 4 + [UNRANKED]


class TestNumbersInPrint:
    @pytest.fixture
    def celeba(self, writer):
        card = {"name": "Input"}
        more = {"dataset": "mine", "split": "given", "split_id": "", "dataset_card": {"name": "celeba_test"}}
        from handmade import table_metric

        metrics = [
            table_metric("psnr", metric_id="psnr(rgb,peak=1,crop=0) v1"),
            table_metric("lpips_vgg", metric_id="lpips(net=vgg,version=0.1,range=[-1,1]) v1", higher=False),
        ]
        for name, level in (("input", 25.0), ("ours", 99.0)):
            writer.cell(name, {"psnr": [level] * 3, "lpips_vgg": [0.5] * 3}, metrics=metrics, card=card, **more)
        return board(writer.load())

    def test_they_are_rows_of_their_own_below_the_measured_ones(self, celeba):
        table = only(celeba, Preset("p", published=True, published_by=("GFP-GAN (CVPR2021)",)))
        kinds = [line.kind for line in table.blocks[0].lines]
        assert kinds == sorted(kinds, key=[RANKED, UNRANKED, PRINTED].index)
        printed = {line.restorer: line for line in table.blocks[0].lines if line.kind == PRINTED}
        columns = [h.metric for h in table.headings]
        assert printed["GFP-GAN"].values[columns.index("psnr")].text == "25.08"
        assert printed["GFP-GAN"].name == "GFP-GAN [GFP-GAN (CVPR2021)]"
        assert {"DFDNet", "PSFRGAN"} <= set(printed)

    def test_they_are_never_ranked_marked_or_compared(self, celeba):
        table = only(celeba, Preset("p", published=True))
        printed = [line for line in table.blocks[0].lines if line.kind == PRINTED]
        assert len({line.name for line in printed}) == len(printed) > 40
        assert all(v.mark == 0 and v.rank is None and not v.daggers for line in printed for v in line.values)
        ranked = {line.restorer: line for line in table.blocks[0].lines if line.kind == RANKED}
        place = [h.metric for h in table.headings].index("psnr")
        assert ranked["ours"].values[place].mark == BEST  # whatever anybody printed

    def test_another_set_has_none(self, study):
        assert not only(study, Preset("p", across=SPLIT, published=True)).of_kind(PRINTED)


@pytest.mark.parametrize(
    ("config", "message"),
    [({"most_columns": 0}, "most_columns: 0 is too few"), ({"digits": {"psnr": 40}}, "digits.psnr: 40 is not between")],
)
def test_numbers_out_of_range_are_refused_by_name(config, message):
    with pytest.raises(ConfigError, match=message):
        preset("mine", config)
