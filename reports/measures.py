"""Measures: the metrics of a store, built again for their columns and their set-level values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..bench.api import Column, SetMetric
from ..bench.cell import MetricInfo, digest
from ..bench.storage.results import CellTable
from ..bench.trusted import refused


@dataclass(frozen=True)
class Measure:
    """One metric of one identity.

    Attributes:
        info: as the cells recorded it.
        columns: what it reports; empty when it cannot be built here.
        metric: the metric where values still have to be made from features, else None.
        needs_reference: whether it compares with the reference.
        broken: why it cannot be built here, or empty.
    """

    info: MetricInfo
    columns: tuple[Column, ...]
    metric: SetMetric | None
    needs_reference: bool
    broken: str = ""

    @property
    def reliable_from(self) -> int:
        """Number of images below which values are marked unreliable."""
        return self.metric.reliable_from if self.metric else 0


def measure(info: MetricInfo) -> Measure:
    """Build a metric from what the store says about it.

    A metric that cannot be built (a plugin that is not installed here, or not trusted) loses direction and digits, not
    its numbers.
    """
    problem = refused(info.spec)
    if problem:
        return Measure(info, (), None, needs_reference=False, broken=problem)
    try:
        built = info.spec.build()
    except Exception as error:  # whatever a plugin's import or constructor raises
        return Measure(
            info,
            (),
            None,
            needs_reference=False,
            broken=f"{info.spec.target} cannot be built here ({type(error).__name__})",
        )
    if info.kind == "set":
        return Measure(info, tuple(built.columns), built, needs_reference=not own_reference(built))
    return Measure(info, tuple(built.columns), None, needs_reference="reference" in built.needs)


def own_reference(metric: SetMetric) -> str:
    """Return the set that a metric compares with instead of the references, or an empty string."""
    return str(getattr(metric, "own_reference", ""))


def stored_columns(info: MetricInfo, tables: Iterable[CellTable]) -> tuple[str, ...]:
    """Return the names of the columns that tables hold of a metric, for one that cannot be built."""
    suffix = f"@{digest(info.metric_id)[:12]}"
    names = {str(c).removesuffix(suffix) for table in tables for c in table.columns if str(c).endswith(suffix)}
    return tuple(sorted(names))
