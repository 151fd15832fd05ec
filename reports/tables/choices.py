"""What a report shows, as its configuration says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...bench.errors import ConfigError, suggest
from ..page.regions import REGIONS
from .preset import DEFAULT, Preset, preset

SPREAD, WORST, MEDIAN, BEST, RANDOM = "spread", "worst", "median", "best", "random"


@dataclass(frozen=True)
class FigureChoices:
    """What figures show.

    Attributes:
        metrics: those drawn one by one; empty = the metrics that order the report and the next ones.
        faces: rows of a gallery.
        choose: which faces, `spread` evenly over the set, or the `worst`, `median` or `best` by the first metric of the
            order, or at `random`.
        seed: of the random choice.
        insets: parts of aligned faces shown enlarged, of `regions.REGIONS`.
    """

    enabled: bool = True
    metrics: tuple[str, ...] = ()
    faces: int = 3
    choose: str = SPREAD
    seed: int = 0
    insets: tuple[str, ...] = ("eyes", "mouth")


@dataclass(frozen=True)
class Choices:
    """What a report shows; no presets means those of the latest command, `published` numbers in print in each."""

    presets: tuple[Preset, ...] = ()
    published: bool = False
    figures: FigureChoices = FigureChoices()

    def tables(self, plans: Sequence[Mapping[str, Any]]) -> tuple[Preset, ...]:
        """Return the presets to write: those chosen, or those of the newest plan that has any, or the default."""
        recorded = (choices(plan["config"]["report"]).presets for plan in reversed(plans) if _has_report(plan))
        found = self.presets or next(filter(None, recorded), (DEFAULT,))
        return tuple(replace(one, published=one.published or self.published) for one in found)


def choices(report: Mapping[str, Any]) -> Choices:
    """Read the part `report` of a composed configuration.

    Raises:
        ConfigError: a number is out of range, or a part of a face is unknown.
    """
    tables: Mapping[str, Mapping[str, Any]] = report.get("table") or {}
    figures: Mapping[str, Any] = report.get("figures") or {}
    chosen: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in figures.items()}
    drawn = FigureChoices(**chosen)
    unknown = next((name for name in drawn.insets if name not in REGIONS), None)
    if unknown is not None:
        raise ConfigError(
            f"report.figures.insets: no part '{unknown}' of a face; known: {', '.join(REGIONS)}.{suggest(unknown, REGIONS)}"
        )
    if drawn.faces < 1:
        raise ConfigError(
            f"report.figures.faces: {drawn.faces} is too few; use 1 or more, or report.figures.enabled=false"
        )
    return Choices(
        presets=tuple(preset(name, table) for name, table in tables.items()),
        published=bool(report.get("published", False)),
        figures=drawn,
    )


def _has_report(plan: Mapping[str, Any]) -> bool:
    config = plan.get("config")
    return isinstance(config, Mapping) and isinstance(config.get("report"), Mapping)
