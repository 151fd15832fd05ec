"""`study.md` and `study.tex`, and the study as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..grid import DASH
from ..tables.latex_text import escape as tex
from ..tables.markdown import escape as md
from .section import HERE, POOLED, Share, Standing, Study

_MODEL = "Bradley-Terry model, ties after Davidson"


def title(study: Study) -> str:
    """Say what was compared."""
    panel = study.panel
    split = {"": "", POOLED: ", all splits"}.get(panel.split, f", {panel.split}")
    where = "" if panel.source == HERE else f" ({panel.source})"
    return f"{panel.dataset}{split}{where}"


def summary(study: Study) -> str:
    """Say how many people gave how many answers."""
    answers = sum(line.answers for line in study.shares)
    parts = [_count(answers, "answer"), f"{_count(study.panel.raters, 'rater')}, {_count(study.panel.faces, 'face')}"]
    if study.tie:
        parts.append(f"tie parameter {study.tie:.2f}")
    return "; ".join(parts)


def notes(study: Study) -> list[str]:
    """Say what the intervals rest on, and what else must be known to read them."""
    first = study.standings[0]
    found = [first.note[0].upper() + first.note[1:]] if first.note else []
    if first.intervals:
        found.append(f"Strengths: {_MODEL}, 95 % intervals, {first.intervals}")
    found.append("Shares: of the answers that were no ties, exact 95 % intervals as if answers were independent")
    return found


def markdown(studies: Sequence[Study]) -> str:
    """Write a ranking and the shares of each study as GitHub's Markdown."""
    return "\n".join(line for study in studies for line in _markdown(study))


def _markdown(study: Study) -> Iterator[str]:
    yield from (f"### {md(title(study))}", "", md(summary(study)), "")
    yield _line("Rank", "Restorer", "Strength", "95 % interval", "Preferred", "Ties", "Rejected")
    yield _line("--:", ":--", "--:", "--:", "--:", "--:", "--:")
    for place in study.standings:
        counts = map(str, (place.preferred, place.ties, place.rejected))
        yield _line(rank(place), md(place.restorer), *strength(place), *counts)
    yield ""
    yield _line("Preferred", "To", "Share", "95 % interval", "Answers", "Ties", "p")
    yield _line(":--", ":--", "--:", "--:", "--:", "--:", "--:")
    for s in study.shares:
        yield _line(md(s.first), md(s.second), *share(s), str(s.answers), str(s.ties), md(p_value(s.p_holm)))
    yield ""
    yield from (f"{md(note)}.  " for note in notes(study))
    yield ""


def latex(studies: Sequence[Study]) -> str:
    r"""Write each study as a `table` for papers, to be read with `\input`; needs `booktabs`."""
    head = "% Written by restorebench from study.csv and study_ranking.csv.\n% Needs in the preamble: \\usepackage{booktabs}\n"
    return "\n".join([head, *(_latex(study) for study in studies)])


def _latex(study: Study) -> str:
    caption = f"Preferences, {title(study)}: {summary(study)}. " + "".join(f"{n}. " for n in notes(study))
    rows = [_row(tex(rank(s)), tex(s.restorer), *map(_tex_number, strength(s))) for s in study.standings]
    pairs = [
        _row(
            f"{tex(s.first)} over {tex(s.second)}", *map(_tex_number, share(s)), str(s.answers), tex(p_value(s.p_holm))
        )
        for s in study.shares
    ]
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{tex(caption.strip())}}}",
            rf"\label{{tab:study-{_label(study)}}}",
            r"\begin{tabular}{@{}rlrr@{}}",
            r"\toprule",
            _row("Rank", "Restorer", "Strength", r"95\,\% interval"),
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\medskip",
            r"\begin{tabular}{@{}lrrrr@{}}",
            r"\toprule",
            _row("Preferred", "Share", r"95\,\% interval", "Answers", "$p$"),
            r"\midrule",
            *pairs,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def section(studies: Sequence[Study]) -> list[dict[str, Any]]:
    """Return what `templates/study.html.j2` shows."""
    return [
        {
            "title": title(study),
            "summary": summary(study),
            "notes": notes(study),
            "ranking": [_shown_standing(line, study.standings) for line in study.standings],
            "shares": [
                {
                    "first": s.first,
                    "second": s.second,
                    "share": share(s)[0],
                    "interval": share(s)[1],
                    "answers": s.answers,
                    "ties": s.ties,
                    "p": p_value(s.p_holm),
                }
                for s in study.shares
            ],
        }
        for study in studies
    ]


def _shown_standing(line: Standing, among: Sequence[Standing]) -> dict[str, Any]:
    """Return one line of the ranking, with the place of its interval on a common axis, in per cent of its width."""
    value, interval = strength(line)
    known = [v for s in among for v in (s.ci_low, s.ci_high) if v is not None]
    low, span = (min(known), max(known) - min(known) or 1.0) if known else (0.0, 1.0)
    axis = None
    if line.strength is not None and line.ci_low is not None and line.ci_high is not None:
        axis = [round(100 * (v - low) / span, 2) for v in (line.ci_low, line.strength, line.ci_high)]
    return {
        "rank": rank(line),
        "restorer": line.restorer,
        "strength": value,
        "interval": interval,
        "axis": axis,
        "preferred": line.preferred,
        "ties": line.ties,
        "rejected": line.rejected,
    }


# -- how numbers are written --------------------------------------------------------------------


def rank(line: Standing) -> str:
    """Return the rank, with its interval where that is wider than the rank itself."""
    if line.rank is None:
        return DASH
    if line.rank_low is None or line.rank_low == line.rank_high:
        return str(line.rank)
    return f"{line.rank} ({line.rank_low} to {line.rank_high})"


def strength(line: Standing) -> tuple[str, str]:
    """Return a strength and its interval."""
    if line.strength is None:
        return DASH, DASH
    return _number(line.strength, 2), _interval(line.ci_low, line.ci_high, 2)


def share(line: Share) -> tuple[str, str]:
    """Return a share and its interval."""
    return (DASH if line.share is None else f"{line.share:.4f}"), _interval(line.ci_low, line.ci_high, 4)


def p_value(p: float) -> str:
    """Return a p value as papers print it."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return DASH if low is None or high is None else f"{_number(low, digits)} to {_number(high, digits)}"


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _tex_number(text: str) -> str:
    return tex(text).replace("-", "$-$") if text != DASH else tex(text)


def _label(study: Study) -> str:
    text = f"{study.panel.dataset}-{study.panel.split}".strip("-")
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)
