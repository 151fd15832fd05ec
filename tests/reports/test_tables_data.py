"""Markdown, CSV, JSON and Excel: what is read back is what was measured."""

from __future__ import annotations

import csv
import io
import json
import math
import time

import pytest
from openpyxl import load_workbook

from restorebench.reports.comparisons import comparisons
from restorebench.reports.leaderboard import board
from restorebench.reports.tables.arrange import arrange
from restorebench.reports.tables.data import to_csv, to_json
from restorebench.reports.tables.markdown import escape, markdown
from restorebench.reports.tables.preset import DEFAULT, WIDE, Preset
from restorebench.reports.tables.spreadsheet import workbook

SIXTEEN = 2e-16 * 5
"""A workbook holds sixteen digits of a number."""


def tables(made, layout):
    return arrange(made, layout, comparisons(made))


def measured(made, restorer, split, metric):
    return next(r for r in made.rows if (r.restorer, r.split, r.metric) == (restorer, split, metric))


class TestMarkdown:
    def test_rows_columns_marks_and_counts(self, study):
        text = markdown(tables(study, DEFAULT))
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert rows[0].startswith("| Split | Restorer | PSNR ↑ | LPIPS ↓ | NIQE ↑<sup>a</sup>")
        assert len({line.count("|") for line in rows}) == 1
        psnr = measured(study, "a", "mild", "psnr")
        shown = f"**{psnr.value:.3f}**" if psnr.rank == 1 else f"<ins>{psnr.value:.3f}</ins>"
        assert f"| {shown}" in next(line for line in rows if "| a |" in line)
        assert next(line for line in rows if "| d |" in line).endswith("| 24 | 0 |")
        assert "*reference* | *∞* | *0.000*" in text

    def test_groups_stand_above_their_headings(self, study):
        head = next(line for line in markdown(tables(study, WIDE)).splitlines() if line.startswith("|"))
        assert head.startswith("| Restorer | mild<br>PSNR ↑ | mild<br>LPIPS ↓ |")
        assert "| severe<br>PSNR ↑ |" in head

    def test_daggers_and_reasons_are_explained(self, study):
        text = markdown(tables(study, DEFAULT))
        assert "<sup>†</sup> not separable from the best" in text
        assert "restorebench weights fetch niqe\\_official" in text

    def test_names_cannot_break_the_table(self):
        assert escape("a|b *c*\n<img src=x> @me") == r"a\|b \*c\* \<img src=x\> \@me"


class TestCsv:
    def test_numbers_are_whole_and_columns_are_named_by_group(self, study):
        rows = list(csv.DictReader(io.StringIO(to_csv(tables(study, WIDE)).decode())))
        a = next(row for row in rows if row["restorer"] == "a")
        assert float(a["severe/psnr"]) == measured(study, "a", "severe", "psnr").value
        assert (a["kind"], a["n"]) == ("ranked", "24")
        assert next(row for row in rows if row["restorer"] == "reference")["mild/psnr"] == "inf"


class TestJson:
    def test_every_key_of_the_schema_is_there_and_no_other(self, study):
        data = json.loads(to_json(tables(study, DEFAULT), "default"))
        assert set(data) == {"schema", "preset", "tables"}
        assert data["schema"] == "restorebench.table/1"
        (table,) = data["tables"]
        assert set(table) == {"label", "title", "source", "about", "columns", "rows", "notes"}
        assert set(table["columns"][0]) == {"group", "metric", "label", "unit", "higher_is_better", "digits", "notes"}
        assert set(table["rows"][0]) == {"block", "restorer", "name", "kind", "n", "failed", "values"}
        value = {"value", "text", "ci_low", "ci_high", "n", "rank", "tier", "mark", "daggers", "notes"}
        assert all(set(v) == value for row in table["rows"] for v in row["values"])

    def test_floats_are_whole_and_marks_are_words(self, study):
        (table,) = json.loads(to_json(tables(study, DEFAULT), "default"))["tables"]
        row = next(r for r in table["rows"] if (r["restorer"], r["block"]) == ("a", "severe"))
        psnr = measured(study, "a", "severe", "psnr")
        assert (row["values"][0]["value"], row["values"][0]["ci_low"]) == (psnr.value, psnr.ci_low)
        assert {v["mark"] for r in table["rows"] for v in r["values"]} == {"best", "second", ""}

    def test_it_is_json_for_every_reader_infinite_values_too(self, study):
        def refuse(name):
            raise AssertionError(name)

        (table,) = json.loads(to_json(tables(study, DEFAULT), "default"), parse_constant=refuse)["tables"]
        reference = next(r for r in table["rows"] if r["restorer"] == "reference")
        assert reference["values"][0]["value"] == "inf"


class TestExcel:
    @pytest.fixture
    def book(self, study):
        return load_workbook(io.BytesIO(workbook(tables(study, DEFAULT))))

    def test_numbers_are_numbers_whole_with_the_digits_of_their_metric(self, study, book):
        sheet = book["faces"]
        place = next(cell for cell in sheet[2] if isinstance(cell.value, float))
        name = sheet.cell(2, 2).value
        assert place.value == pytest.approx(measured(study, name, "mild", "psnr").value, rel=SIXTEEN, abs=0)
        assert place.number_format == "0.000"

    def test_best_is_bold_second_underlined(self, study, book):
        sheet = book["faces"]
        rows = {(sheet.cell(r, 1).value, sheet.cell(r, 2).value): r for r in range(2, 12)}
        for (split, name), r in rows.items():
            rank = measured(study, name, split, "psnr").rank
            assert bool(sheet.cell(r, 3).font.bold) == (rank == 1)
            assert (sheet.cell(r, 3).font.underline == "single") == (rank == 2)

    def test_headings_stay_in_sight(self, book):
        assert book["faces"].freeze_panes == "C2"
        assert book["long form"].freeze_panes == "A2"

    def test_the_long_form_has_every_number(self, study, book):
        rows = list(book["long form"].iter_rows(values_only=True))
        head = rows[0]
        numbers = {(row[3], row[1], row[6]): row[head.index("value")] for row in rows[1:]}
        for r in study.rows:
            if r.value is not None and math.isfinite(r.value):
                assert numbers[r.restorer, r.split, r.metric] == pytest.approx(r.value, rel=SIXTEEN, abs=0)

    def test_groups_are_merged_above_their_headings(self, study):
        sheet = load_workbook(io.BytesIO(workbook(tables(study, WIDE))))["faces"]
        assert {str(area) for area in sheet.merged_cells.ranges} == {"B1:D1", "E1:G1"}
        assert (sheet["B1"].value, sheet["E1"].value, sheet["B2"].value) == ("mild", "severe", "PSNR ↑")

    @pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "+1", "https://example.org", "{=1}", "-2"])
    def test_text_is_text(self, writer, name):
        writer.cell(name, {"psnr": [1.0, 2.0]}, dataset=name)
        book = load_workbook(io.BytesIO(workbook(tables(board(writer.load()), Preset("p")))))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value == name]
        assert cells
        assert all(cell.data_type == "s" and cell.hyperlink is None for cell in cells)

    def test_sheets_of_difficult_and_equal_names_are_kept_apart(self, writer):
        long = "a data set with a name longer than Excel allows"
        for dataset in ("a/b", "a:b", "A-B", "'x'", "History", long, f"{long} too", "long form"):
            writer.cell("a", {"psnr": [1.0, 2.0]}, dataset=dataset)
        book = load_workbook(io.BytesIO(workbook(tables(board(writer.load()), Preset("p")))))
        assert len(book.sheetnames) == 9
        assert all(len(name) <= 31 for name in book.sheetnames)
        assert book.sheetnames[-1] == "long form"

    def test_two_builds_are_the_same_bytes_whenever_they_are_made(self, study):
        first = workbook(tables(study, DEFAULT))
        time.sleep(2.1)  # the zip format counts in two seconds
        assert workbook(tables(study, DEFAULT)) == first
