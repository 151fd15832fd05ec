r"""Tables for papers, to be read with `\input`: booktabs rules, numbers aligned by siunitx.

pdflatex takes them as they are with this preamble, which `preview` writes out in full:

    \usepackage{booktabs,graphicx,siunitx}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..grid import BEST, DASH, SECOND
from .latex_text import escape
from .paper_table import LEADS, LIKE_BEST, PRINTED, RANKED, Block, Heading, Line, Table, Value

__all__ = ["PREAMBLE", "escape", "latex", "preview"]

PREAMBLE = r"\usepackage{booktabs,graphicx,siunitx}"
_HEADER = rf"""% Written by restorebench from the numbers of leaderboard.csv.
% Needs in the preamble: {PREAMBLE}
"""
_DAGGERS = {LIKE_BEST: r"\dag", LEADS: r"\ddag"}
_ONE_COLUMN = 5
"""Number columns up to which a table is set in one column of the page."""
_MOST_LINES = 55
"""Lines of a table; with its caption they fill a page of most journals, and what is below its end would not be printed."""


def latex(tables: Sequence[Table]) -> str:
    """Write tables for papers.

    Every column of numbers is an `S` column of siunitx; what stands beside a number, daggers, letters of notes and
    intervals, has a narrow column of its own, so that nothing moves a decimal point.  A table that is higher than a page
    goes on in a further one.
    """
    return "\n".join([_HEADER, *(_table(page) for table in tables for page in _pages(table))])


def preview(files: Sequence[str]) -> str:
    """Write a document that shows the tables of some files, one to a page: `pdflatex preview.tex`."""
    inputs = "\n".join(rf"\input{{{file}}}" for file in files)
    return rf"""% Shows every table by itself; run in this folder: pdflatex preview.tex
\documentclass[10pt]{{article}}
\usepackage[a4paper,margin=18mm]{{geometry}}
{PREAMBLE}
\usepackage{{etoolbox}}
\AfterEndEnvironment{{table}}{{\clearpage}}
\AfterEndEnvironment{{table*}}{{\clearpage}}
\pagestyle{{empty}}
\makeatletter\setlength{{\@fptop}}{{0pt}}\makeatother
\begin{{document}}
{inputs}
\end{{document}}
"""


def _pages(table: Table) -> Iterator[Table]:
    """Cut a table between blocks, and a block that fills pages by itself between its lines."""
    each = _MOST_LINES - 1  # one for a block's title
    pieces = [
        Block(block.title, block.lines[start : start + each])
        for block in table.blocks
        for start in range(0, len(block.lines), each)
    ]
    pages: list[list[Block]] = []
    for piece in pieces:
        height = sum(1 + len(block.lines) for block in pages[-1]) if pages else _MOST_LINES
        if height + 1 + len(piece.lines) > _MOST_LINES:
            pages.append([])
        pages[-1].append(piece)
    for number, blocks in enumerate(pages, 1):
        page = replace(table, blocks=tuple(blocks))
        if number > 1:
            page = replace(page, label=f"{table.label}-page-{number}", about=("Continued.", *table.about))
        yield page


def _table(table: Table) -> str:
    columns = [_Column(table, place) for place in range(len(table.headings))]
    environment = "table" if len(columns) <= _ONE_COLUMN else "table*"
    width = 1 + sum(column.width for column in columns)
    return "\n".join(
        [
            rf"\begin{{{environment}}}[t]",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}\setlength{\belowcaptionskip}{4pt}",
            r"\sisetup{detect-weight=true}",
            rf"\caption{{\sloppy {_caption(table)}}}",
            rf"\label{{tab:{_label(table.label)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}l{''.join(column.specification for column in columns)}@{{}}}}",
            r"\toprule",
            *_groups(table, columns),
            " & ".join(["Restorer", *(column.head for column in columns)]) + r" \\",
            r"\midrule",
            *_body(table, columns, width),
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\end{{{environment}}}",
            "",
        ]
    )


class _Column:
    """How one column of numbers is set, from all its values."""

    def __init__(self, table: Table, place: int) -> None:
        self.heading: Heading = table.headings[place]
        self._intervals = table.preset.intervals
        values = [line.values[place] for block in table.blocks for line in block.lines]
        written = [value.text for value in values if _is_number(value)]
        self._sign = any(text.startswith("-") for text in written)
        self._whole = max((len(text.lstrip("-").partition(".")[0]) for text in written), default=1)
        self._decimals = max((len(text.partition(".")[2]) for text in written), default=0)
        self._marked = any(self._beside(value) for value in values)

    @property
    def width(self) -> int:
        """Columns of the tabular that it takes."""
        return 2 if self._marked else 1

    @property
    def specification(self) -> str:
        """Columns of the tabular, as its preamble names them."""
        form = f"{'-' if self._sign else ''}{self._whole}.{self._decimals}"
        return f"S[table-format={form}]" + (r"@{\,}l" if self._marked else "")

    @property
    def head(self) -> str:
        """Metric and direction."""
        arrow = r"$\uparrow$" if self.heading.higher_is_better else r"$\downarrow$"
        return (
            rf"\multicolumn{{{self.width}}}{{c}}{{{escape(self.heading.label)}~{arrow}{_letters(self.heading.notes)}}}"
        )

    def cell(self, value: Value) -> str:
        """Return a value and what stands beside it."""
        number = self._number(value)
        return f"{number} & {self._beside(value)}" if self._marked else number

    def _number(self, value: Value) -> str:
        if not _is_number(value):
            return (
                "{--}" if value.text == DASH else "{" + value.text.replace("∞", r"$\infty$").replace("-$", "$-") + "}"
            )
        if value.mark == BEST:
            return rf"\bfseries {value.text}"
        if value.mark == SECOND:
            return self._underlined(value.text)
        return value.text

    def _underlined(self, text: str) -> str:
        """Underline a number, which siunitx cannot: as text of the width that a number of the column takes."""
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        whole, _, decimals = digits.partition(".")
        before = r"\phantom{$-$}" if self._sign and not sign else ""
        before += rf"\phantom{{{'0' * (self._whole - len(whole))}}}" if len(whole) < self._whole else ""
        after = rf"\phantom{{{'0' * (self._decimals - len(decimals))}}}" if len(decimals) < self._decimals else ""
        return rf"{{{before}\underline{{{'$-$' if sign else ''}{digits}}}{after}}}"

    def _beside(self, value: Value) -> str:
        marks = [f"${_DAGGERS[dagger]}$" for dagger in value.daggers] + list(value.notes)
        text = rf"\textsuperscript{{{','.join(marks)}}}" if marks else ""
        if self._intervals and value.ci_low is not None and value.ci_high is not None:
            digits = self.heading.digits
            text += rf"{{\scriptsize[{value.ci_low:.{digits}f}, {value.ci_high:.{digits}f}]}}"
        return text


def _is_number(value: Value) -> bool:
    return value.value is not None and math.isfinite(value.value)


def _groups(table: Table, columns: Sequence[_Column]) -> Iterator[str]:
    """Yield the line of group titles and the rules below them."""
    if not any(group.title for group in table.groups):
        return
    heads, rules, start, place = [], [], 2, 0
    for group in table.groups:
        width = sum(column.width for column in columns[place : place + len(group.headings)])
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group.title)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start, place = start + width, place + len(group.headings)
    yield " & ".join(["", *heads]) + r" \\"
    yield " ".join(rules)


def _body(table: Table, columns: Sequence[_Column], width: int) -> Iterator[str]:
    for i, block in enumerate(table.blocks):
        if i:
            yield r"\midrule"
        if block.title:
            yield rf"\multicolumn{{{width}}}{{@{{}}l}}{{\textit{{{escape(block.title)}}}}} \\"
        yield from _lines(block, columns)


def _lines(block: Block, columns: Sequence[_Column]) -> Iterator[str]:
    before = None
    for line in block.lines:
        if before is not None and line.kind != before:
            yield rf"\cmidrule(l{{2pt}}r{{2pt}}){{1-{1 + sum(column.width for column in columns)}}}"
        before = line.kind
        cells = (column.cell(value) for column, value in zip(columns, line.values, strict=True))
        yield " & ".join([_name(line), *cells]) + r" \\"


def _name(line: Line) -> str:
    name = escape(line.name)
    return name if line.kind == RANKED else rf"\textit{{{name}}}"


def _letters(letters: Sequence[str]) -> str:
    return rf"\textsuperscript{{{','.join(letters)}}}" if letters else ""


def _caption(table: Table) -> str:
    return " ".join([*(escape(sentence, breaks=True) for sentence in table.about), *_marks(table), *_notes(table)])


def _marks(table: Table) -> Iterator[str]:
    """Yield what the marks of a table mean, as far as it has them."""
    if any(value.mark for value in table.values):
        yield r"Best in \textbf{bold}, second \underline{underlined}."
    daggers = {dagger for value in table.values for dagger in value.daggers}
    test = r"Wilcoxon's signed-rank test, Holm-corrected over the pairs of a column, $p < 0.05$"
    if LIKE_BEST in daggers:
        yield rf"$\dag$: not separable from the best ({test})."
    if LEADS in daggers:
        yield rf"$\ddag$: better than each of the others ({'the same test' if LIKE_BEST in daggers else test})."
    if any(value.ci_low is not None for value in table.values):
        shown = "in brackets" if table.preset.intervals else r"in leaderboard.csv"
        yield (
            rf"95\,\% intervals of the means over images {shown}"
            r" (bias-corrected and accelerated bootstrap; Student's t below 20 images)."
        )
    if table.of_kind(PRINTED):
        yield "In italics with a document in brackets: numbers as printed there, not ranked; recipes may differ."


def _notes(table: Table) -> Iterator[str]:
    for letter, note in table.notes.items():
        yield rf"\textsuperscript{{{letter}}}~{escape(note, breaks=True)}."


def _label(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
