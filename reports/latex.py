r"""`leaderboard.tex`: tables for papers, one `table*` per data set, to be read with `\input`."""

from __future__ import annotations

from collections.abc import Sequence

from .grid import BEST, DASH, SECOND, Grid, Place, headline, number

_HEADER = r"""% Written by restorebench from leaderboard.csv's numbers.
% Needs in the preamble: \usepackage{booktabs,graphicx}
"""
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "[": "{[}",  # after a line's end, [ and * would be read as its options
    "]": "{]}",
    "*": "{*}",
    DASH: "--",
    "°": r"\textdegree{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "∞": r"$\infty$",
}


def latex(grids: Sequence[Grid]) -> str:
    """Write tables for papers: rows are restorers, groups of columns are splits, metrics below them.

    Best in bold, second underlined, arrows for the direction, unranked rows last and in italics.  The
    numbers of images and every note stand in the caption.
    """
    return "\n".join([_HEADER, *(_table(grid) for grid in grids)])


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line.

    Letters beyond Latin Extended-A, which pdflatex does not know without further packages, become `?`.
    """
    return "".join(_ESCAPES.get(c, c if c < "\u0180" else "?") for c in " ".join(text.split()))


def _table(grid: Grid) -> str:
    metrics, splits = list(grid.columns), grid.splits
    groups = " & ".join(rf"\multicolumn{{{len(metrics)}}}{{c}}{{{escape(split)}}}" for split in splits)
    width = len(metrics)
    rules = " ".join(rf"\cmidrule(lr){{{2 + i * width}-{1 + (i + 1) * width}}}" for i in range(len(splits)))
    ranked = [_restorer(grid, restorer) for restorer in grid.restorers if restorer not in grid.unranked]
    unranked = [_restorer(grid, restorer) for restorer in grid.restorers if restorer in grid.unranked]
    return "\n".join(
        [
            r"\begin{table*}[t]",
            r"\centering",
            rf"\caption{{{_caption(grid)}}}",
            rf"\label{{tab:{_label(grid)}}}",
            r"\setlength{\tabcolsep}{3pt}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(metrics) * len(splits))}@{{}}}}",
            r"\toprule",
            rf" & {groups} \\",
            rules,
            " & ".join(["Restorer", *[_head(grid, metric) for _ in splits for metric in metrics]]) + r" \\",
            r"\midrule",
            *ranked,
            *([r"\midrule"] if ranked and unranked else []),
            *unranked,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def _head(grid: Grid, metric: str) -> str:
    column = grid.columns[metric]
    arrow = r"$\uparrow$" if column.higher_is_better else r"$\downarrow$"
    return f"{escape(column.label)} {arrow}{_letters(grid.notes.headings[metric])}"


def _restorer(grid: Grid, restorer: str) -> str:
    name = escape(restorer)
    cells = [_value(grid, Place(split, restorer, metric)) for split in grid.splits for metric in grid.columns]
    return " & ".join([rf"\textit{{{name}}}" if restorer in grid.unranked else name, *cells]) + r" \\"


def _value(grid: Grid, place: Place) -> str:
    row = grid.cells.get(place)
    letters = _letters(grid.notes.cells.get(place, ()))
    if row is None or row.value is None:
        return "--" + letters
    value = _number(row.value, grid.columns[place.metric].digits)
    mark = grid.marks.get(place)
    if mark == BEST:
        value = rf"\textbf{{{value}}}"
    elif mark == SECOND:
        value = rf"\underline{{{value}}}"
    elif place.restorer in grid.unranked:
        value = rf"\textit{{{value}}}"
    return value + letters


def _number(value: float, digits: int) -> str:
    text = number(value, digits, infinity=r"$\infty$")
    return f"$-${text[1:]}" if text.startswith("-") else text


def _letters(letters: Sequence[str]) -> str:
    return rf"\textsuperscript{{{','.join(letters)}}}" if letters else ""


def _caption(grid: Grid) -> str:
    notes = [rf"\textsuperscript{{{letter}}}~{escape(note)}." for letter, note in grid.notes.texts.items()]
    marks = r"Best in \textbf{bold}, second \underline{underlined}."
    return " ".join([escape(headline(grid)), marks, *notes])


def _label(grid: Grid) -> str:
    text = f"{grid.dataset}-{grid.protocol}"
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
