"""restorebench: benchmarks of blind face restoration and photo enhancement.

The public names load on first use, so that `import restorebench` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bench.api import Dataset, PairMetric, Restorer, SetMetric
    from .bench.commands import report, run, score, synthesize

__version__ = "0.1.0"

_HOME = {
    "Dataset": ".bench.api",
    "PairMetric": ".bench.api",
    "Restorer": ".bench.api",
    "SetMetric": ".bench.api",
    "report": ".bench.commands",
    "run": ".bench.commands",
    "score": ".bench.commands",
    "synthesize": ".bench.commands",
}
__all__ = ["Dataset", "PairMetric", "Restorer", "SetMetric", "__version__", "report", "run", "score", "synthesize"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
