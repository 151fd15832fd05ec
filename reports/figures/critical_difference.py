"""Critical-difference diagrams: mean ranks on a line, and bars that join restorers which cannot be told apart.

The tests are those of `comparisons.csv` (Wilcoxon's signed-rank test of the paired scores, Holm-corrected over all
pairs of the table), not Nemenyi's, so a bar may skip a restorer between two that it joins: it joins the dots on it.

Source:
    Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006), sect. 3.2.2 and figure 1;
    Benavoli et al., Should we really use post-hoc tests based on mean-ranks?, JMLR 17 (2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..comparisons import Pair, contests, ranked_scores
from ..leaderboard import Board
from . import style
from .style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.17  # inches of one line of names
_BAR = 0.085  # inches between two bars
_NAME = 0.23  # share of the width that a name may take
_WIDTH, _ABOVE = 5.0, 0.46  # inches


@dataclass(frozen=True)
class Standings:
    """Who stands where in one group by one metric.

    Attributes:
        label: of the metric, for people.
        n: images that every restorer has.
        names: restorers, best mean rank first.
        ranks: mean over the images of each restorer's rank, 1 = best; equal scores share the mean of their ranks.
        bars: sets of places no two of which can be separated; none lies within another.
    """

    dataset: str
    split: str
    protocol: str
    metric: str
    label: str
    n: int
    names: tuple[str, ...]
    ranks: tuple[float, ...]
    bars: tuple[tuple[int, ...], ...]


def standings(board: Board, pairs: Sequence[Pair]) -> list[Standings]:
    """Return the standings of every contest of a leaderboard with two ranked restorers or more.

    Args:
        board: the leaderboard.
        pairs: its comparisons, from `comparisons.comparisons`.
    """
    from scipy.stats import rankdata

    apart = {
        (pair.dataset, pair.split, pair.protocol, pair.metric, frozenset((pair.first, pair.second)))
        for pair in pairs
        if pair.better
    }
    found = []
    for rows, group in contests(board):
        if len(rows) < 2:
            continue
        place = (group.dataset, group.split, group.protocol, rows[0].metric)
        scores = ranked_scores(board, group, rows)
        values = np.stack(list(scores.values()), axis=1)
        means = rankdata(-values if rows[0].higher_is_better else values, axis=1).mean(axis=0)
        order = sorted(zip(means.tolist(), scores, strict=True))
        names = [name for _, name in order]
        joined = {
            i: {j for j in range(len(names)) if j != i and (*place, frozenset((names[i], names[j]))) not in apart}
            for i in range(len(names))
        }
        bars = tuple(sorted(bar for bar in _cliques(joined) if len(bar) > 1))
        label = board.columns[rows[0].metric].label
        found.append(Standings(*place, label, len(values), tuple(names), tuple(rank for rank, _ in order), bars))
    return found


def _cliques(joined: Mapping[int, set[int]]) -> Iterator[tuple[int, ...]]:
    """Yield every largest set of places that are joined pairwise.

    Source:
        Bron and Kerbosch, Algorithm 457, CACM 16 (1973), with Tomita's pivot.
    """

    def grow(chosen: list[int], open_: set[int], seen: set[int]) -> Iterator[tuple[int, ...]]:
        if not open_ and not seen:
            yield tuple(sorted(chosen))
            return
        pivot = max(open_ | seen, key=lambda i: (len(joined[i] & open_), -i))
        for i in sorted(open_ - joined[pivot]):
            yield from grow([*chosen, i], open_ & joined[i], seen & joined[i])
            open_, seen = open_ - {i}, seen | {i}

    yield from grow([], set(joined), set())


def critical_difference(shown: Standings, *, width: float = _WIDTH, outlines: bool = True) -> bytes:
    """Draw a diagram as SVG; equal standings give equal bytes.

    Args:
        shown: who stands where.
        width: inches.
        outlines: see `style.settings`.
    """
    with style.settings(outlines=outlines):
        return style.svg(draw(shown, width))


def draw(shown: Standings, width: float = _WIDTH) -> Figure:
    """Return the figure; call it within `style.settings`."""
    return draw_several([shown], width)


def draw_several(several: Sequence[Standings], width: float = _WIDTH) -> Figure:
    """Return a figure with diagrams below one another; call it within `style.settings`."""
    from matplotlib.figure import Figure

    heights = [_ABOVE + _below(shown) for shown in several]
    figure = Figure(figsize=(width, sum(heights)))
    top = sum(heights)
    for shown, height in zip(several, heights, strict=True):
        top -= height
        axes = figure.add_axes((0, top / sum(heights), 1, height / sum(heights)))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(-_below(shown), _ABOVE)
        _diagram(axes, shown, width)
    return figure


def _bars(shown: Standings) -> float:
    """Inches from the axis down to the last bar."""
    return 0.10 + _BAR * (max(_levels(shown), default=-1) + 1)


def _below(shown: Standings) -> float:
    return _bars(shown) + 0.14 + _ROW * (math.ceil(len(shown.names) / 2) - 1) + 0.12


def _diagram(axes: Axes, shown: Standings, width: float) -> None:
    count, left, bars = len(shown.names), math.ceil(len(shown.names) / 2), _bars(shown)
    names = [style.fit(style.printable(name), _NAME * width) for name in shown.names]
    labels = [f"{name}  {rank:.2f}" for name, rank in zip(names, shown.ranks, strict=True)]
    margin = max(style.inches(label) for label in labels) + 0.14

    def across(rank: float) -> float:
        return margin + (width - 2 * margin) * (rank - 1) / (count - 1)

    _scale(axes, shown, across, width)
    for bar, level in zip(shown.bars, _levels(shown), strict=True):
        y = -0.10 - _BAR * level
        dots = [across(shown.ranks[i]) for i in bar]
        axes.plot([dots[0] - 0.03, dots[-1] + 0.03], [y, y], color=INK, linewidth=2.2, solid_capstyle="butt")
        axes.plot(dots, [y] * len(dots), "o", color=INK, markersize=3.6, linewidth=0)
    for place, (name, rank) in enumerate(zip(names, shown.ranks, strict=True)):
        first = place < left
        x, y = across(rank), -bars - 0.14 - _ROW * (place if first else count - 1 - place)
        end = margin - 0.06 if first else width - margin + 0.06
        axes.plot([x, x, end], [0, y, y], color=INK, linewidth=0.7, solid_joinstyle="miter")
        if first:
            axes.text(end - 0.04, y, f"{name}  {rank:.2f}", ha="right", va="center_baseline", color=INK)
        else:
            axes.text(end + 0.04, y, f"{rank:.2f}  {name}", ha="left", va="center_baseline", color=INK)


def _levels(shown: Standings) -> list[int]:
    """Return for each bar the highest level on which it meets no other."""
    taken: list[float] = []
    levels = []
    for bar in shown.bars:
        first, last = shown.ranks[bar[0]], shown.ranks[bar[-1]]
        level = next((i for i, end in enumerate(taken) if end < first), len(taken))
        taken[level : level + 1] = [last]
        levels.append(level)
    return levels


def _scale(axes: Axes, shown: Standings, across: Callable[[float], float], width: float) -> None:
    count = len(shown.names)
    axes.plot([across(1), across(count)], [0, 0], color=INK, linewidth=1)
    step = math.ceil(0.2 / (across(2) - across(1)))  # a number every fifth of an inch at most
    for rank in range(1, count + 1):
        labelled = (rank - 1) % step == 0
        axes.plot([across(rank)] * 2, [0, 0.05], color=INK if labelled else FAINT, linewidth=0.8)
        if labelled:
            axes.text(across(rank), 0.07, str(rank), ha="center", va="bottom", color=INK, fontsize=7)
    title = f"mean rank by {style.printable(shown.label)}, 1 = best, n = {shown.n}"
    axes.text(width / 2, 0.28, title, ha="center", va="bottom", color=INK, fontsize=7)
