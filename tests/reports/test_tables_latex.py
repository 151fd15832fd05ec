"""LaTeX: aligned columns, marks, escapes, captions; that pdflatex takes it is shown in tests/browser/test_latex.py."""

from __future__ import annotations

import re

import pytest
from handmade import table_metric

from restorebench.reports.comparisons import comparisons
from restorebench.reports.leaderboard import board
from restorebench.reports.tables.arrange import arrange
from restorebench.reports.tables.latex import latex, preview
from restorebench.reports.tables.latex_text import escape
from restorebench.reports.tables.preset import WIDE, Preset


def written(made, layout=WIDE):
    return latex(arrange(made, layout, comparisons(made)))


def body(text):
    return text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]


def row(text, name):
    return next(line for line in body(text) if line.startswith(name))


def specification(text):
    return re.search(r"\\begin\{tabular\}\{(.*)\}$", text, re.MULTILINE)[1]


def test_every_number_column_is_aligned_by_siunitx_with_the_room_it_needs(study):
    forms = re.findall(r"S\[table-format=(.*?)\]", specification(written(study)))
    assert forms == ["2.3", "1.3", "2.2"] * 2  # PSNR from 8.5 to 30, three digits; LPIPS; Gap two digits


def test_every_row_has_a_cell_for_every_column(study):
    text = written(study)
    columns = len(re.findall(r"S\[|(?<=@\{\\,\})l", specification(text))) + 1
    cells = {line.count("&") + 1 for line in body(text) if line.endswith(r"\\")}
    assert cells == {columns}


def test_group_titles_span_their_columns_and_a_rule_lies_below_each(study):
    text = written(study)
    spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}\{c\}\{(?:mild|severe)\}", text)]
    rules = re.findall(r"\\cmidrule\(lr\)\{(\d+)-(\d+)\}", text)
    assert [int(b) - int(a) + 1 for a, b in rules] == spans
    assert int(rules[0][0]) == 2
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in text


def test_best_is_bold_second_underlined_and_no_wider_than_its_column(study):
    text = written(study, Preset("p", across="split", rows=("d", "a"), columns=("psnr",)))
    assert re.match(r"a & \\bfseries (29\.9|30\.0)\d\d ", row(text, "a"))
    # one digit before the point in a column of two: the missing one keeps its room
    assert re.match(r"d & \{\\phantom\{0\}\\underline\{9\.\d{3}\}\}", row(text, "d"))


def test_a_negative_second_best_keeps_sign_and_room(writer):
    for name, level in (("a", 5.0), ("b", -1.25), ("c", -22.5)):
        writer.cell(name, {"psnr": [level] * 3})
    text = written(board(writer.load()), Preset("p"))
    assert "S[table-format=-2.3]" in text
    assert r"{\phantom{0}\underline{$-$1.250}}" in row(text, "b")
    assert "-22.500" in row(text, "c")


def test_daggers_stand_beside_the_number_and_are_explained(study):
    text = written(study, Preset("p", across="split", columns=("psnr",)))
    assert len(re.findall(r"\\textsuperscript\{\$\\dag\$\}", text.split(r"\midrule")[1])) == 2
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert r"$\dag$: not separable from the best" in caption
    assert "Holm-corrected" in caption
    assert r"\ddag" not in caption  # nobody leads all others
    alone = written(study, Preset("p", across="split", rows=("a", "c_1"), columns=("psnr",)))
    assert r"$\ddag$: better than each of the others" in alone


def test_the_caption_names_protocol_n_and_what_an_interval_is(study):
    caption = next(line for line in written(study).splitlines() if line.startswith(r"\caption"))
    for part in ("faces (n = 24), protocol standard.", r"95\,\% intervals of the means over images", r"\textbf{bold}"):
        assert part in caption


def test_intervals_stand_in_brackets_where_they_are_wanted(study):
    text = written(study, Preset("p", across="split", columns=("psnr",), intervals=True))
    assert len(re.findall(r"\{\\scriptsize\[\d+\.\d{3}, \d+\.\d{3}\]\}", text)) == 8
    assert "in brackets" in text


def test_rows_that_do_not_compete_are_in_italics_below_a_rule(study):
    lines = body(written(study))
    last = [line for line in lines if line.startswith(r"\textit{reference}")]
    assert lines[-1] == last[0]
    assert lines[-2].startswith(r"\cmidrule")
    assert r"{$\infty$}" in lines[-1]


def test_labels_are_unique_and_plain(study):
    text = written(study, Preset("p_1", across="split", most_columns=3))
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels)) == 2
    assert all(re.fullmatch(r"tab:[A-Za-z0-9-]+", label) for label in labels)


def test_braces_balance_and_no_special_character_is_bare(writer):
    names = ["50%_a&b#c$d{e}f~g^h\\i", "[x]*--,,", "é Ω 中 😀", "<img src=x>"]
    for i, name in enumerate(names):
        writer.cell(
            name, {"we_ird%": [float(i)] * 3}, metrics=[table_metric("m", columns=["we_ird%"])], split="a_b & c"
        )
    text = "\n".join(line for line in written(board(writer.load())).splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[_#%](?!$)", text, re.MULTILINE)
    assert text.count("$") % 2 == text.count(r"\$") % 2
    assert text.isascii()


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("50%_a&b", r"50\%\_a\&b"),
        ("[x]", "{[}x{]}"),
        ("C:\\x{y}", r"C:\textbackslash{}x\{y\}"),
        ("a\nb~^", r"a b\textasciitilde{}\textasciicircum{}"),
        ("é e\u0301 Š ø ß", r"\'{e} \'{e} \v{S} \o{} \ss{}"),
        ("ΩΑ σς", r"$\Omega$A $\sigma$$\varsigma$"),
        ("中😀\x00", "{[}U+4E2D{]}{[}U+1F600{]}{[}U+0000{]}"),
        ("a--b", "a-{}-b"),
    ],
)
def test_names_are_escaped_or_spelled_out(name, seen):
    assert escape(name) == seen


def test_only_long_words_may_break():
    assert r"\allowbreak" not in escape("no ranking follows, really", breaks=True)
    assert r"restorebench.\allowbreak{}metrics" in escape("restorebench.metrics", breaks=True)


def test_the_preview_shows_every_file():
    text = preview(["../leaderboard", "wide"])
    assert text.index(r"\input{../leaderboard}") < text.index(r"\input{wide}")
    assert r"\usepackage{booktabs,graphicx,siunitx}" in text


def test_a_table_higher_than_a_page_goes_on_in_a_further_one(writer):
    names = [f"r{i:02}" for i in range(20)]
    for severity, split in enumerate(("a", "b", "c")):
        for name in names:
            writer.cell(name, {"psnr": [1.0] * 3}, split=split, severity=severity)
    made = board(writer.load())
    pages = written(made, Preset("p", blocks="split")).split(r"\end{table}")[:-1]
    assert [re.findall(r"\\textit\{([abc])\}", page) for page in pages] == [["a", "b"], ["c"]]
    assert [re.findall(r"\\label\{(.*)\}", page)[0] for page in pages] == [
        "tab:p-faces-standard",
        "tab:p-faces-standard-page-2",
    ]
    assert r"\caption{\sloppy Continued. faces" in pages[1]


def test_a_block_higher_than_a_page_is_cut_between_its_rows(writer):
    names = [f"r{i:03}" for i in range(120)]
    for name in names:
        writer.cell(name, {"psnr": [1.0] * 3})
    text = written(board(writer.load()), Preset("p"))
    assert re.findall(r"^r\d{3}", text, re.MULTILINE) == names
    assert max(len(re.findall(r"^r\d{3}", page, re.MULTILINE)) for page in text.split(r"\end{table}")) < 60
