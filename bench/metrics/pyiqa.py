"""Any per-image metric of the library pyiqa, by its name there."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Column, Meta, Weights
from ..errors import ConfigError, WeightsError, suggest

if TYPE_CHECKING:
    import torch

_OF_SETS = frozenset({"fid", "sfid", "fid_dinov2", "inception_score"})  # pyiqa files them under NR


class PyiqaMetric:
    """A metric of pyiqa with its default settings, RGB in `[0, 1]`, one image at a time.

    Direction, need of a reference and range come from pyiqa's own table.  One at a time and with a fixed seed,
    because some of its metrics depend on the rest of the batch or draw random crops.  Weights that a metric needs are
    pyiqa's to download, so no sha256 vouches for them.
    """

    version = 1
    weights: Weights = {}
    uses_meta: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        """Choose the metric, such as `fsim`, `gmsd` or `musiq`.

        Raises:
            ConfigError: pyiqa has no per-image metric of this name.
        """
        known = _table()
        if name not in known:
            raise ConfigError(f"metric: pyiqa has no per-image metric '{name}'.{suggest(name, known)}")
        facts = known[name]
        low, high = _range(str(facts.get("score_range")))
        better = not facts.get("lower_better", False)
        self.name = name
        self.columns = (Column(name, name.upper(), "1", higher_is_better=better, low=low, high=high, digits=4),)
        self.identity = f"pyiqa(name={name},version={installed_version('pyiqa')},settings=default,range=[0,1])"
        self.needs = frozenset({"reference"} if facts["metric_mode"] == "FR" else ())
        self._refusal = ""
        self._summary = f"pyiqa metric '{name}' cannot be built here; pyiqa downloads its weights itself"

    def obtain(self) -> None:
        """Let pyiqa download what it needs, once and before the work.

        Raises:
            WeightsError: as `load`.
        """
        import torch

        self.load(torch.device("cpu"))
        del self._metric

    def load(self, device: torch.device) -> None:
        """Let pyiqa build the metric.

        Raises:
            WeightsError: pyiqa could not download its weights, or lacks a library it needs.
        """
        if self._refusal:  # asked again for every image; the network is not
            raise WeightsError(self._refusal, self._summary)
        import pyiqa

        try:
            self._metric = pyiqa.create_metric(self.name, device=device)
        except (OSError, ImportError) as error:
            command = f"python -c \"import pyiqa; pyiqa.create_metric('{self.name}')\""
            self._refusal = (
                f"pyiqa metric '{self.name}' cannot be built here ({type(error).__name__}: {error}); pyiqa downloads "
                f"its weights itself: run `{command}` where the network allows it, and copy the folder hub/pyiqa of "
                "torch's cache to this machine"
            )
            raise WeightsError(self._refusal, self._summary) from None

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> torch.Tensor:
        """Return the references as they are."""
        return reference

    def score(
        self, restored: torch.Tensor, state: torch.Tensor | None, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return the metric `(B,)`."""
        import torch

        values = []
        for index in range(len(restored)):
            reference = () if state is None else (state[index : index + 1],)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                value = self._metric(restored[index : index + 1], *reference)
            values.append(value.detach().double().reshape(-1)[0].cpu())
        return {self.name: torch.stack(values)}


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Mapping[str, Any]]:
    """Read pyiqa's table of per-image metrics, a file of plain data, without importing pyiqa (seconds)."""
    package = importlib.util.find_spec("pyiqa")
    if package is None or not package.submodule_search_locations:
        raise ConfigError("metric: pyiqa is not installed; `pip install pyiqa`")
    file = Path(package.submodule_search_locations[0]) / "default_model_configs.py"
    spec = importlib.util.spec_from_file_location("pyiqa_default_model_configs", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"metric: {file} cannot be read; is this a pyiqa older than 0.1.13?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: facts for name, facts in module.DEFAULT_CONFIGS.items() if name not in _OF_SETS}


def _range(text: str) -> tuple[float, float]:
    """Read pyiqa's `low, high`, where `~` marks rough bounds and may stand alone."""
    parts = [part.strip().removeprefix("~") for part in text.split(",")]
    try:
        low, high = (float(part) if part else None for part in parts)
    except ValueError:
        return -float("inf"), float("inf")
    return -float("inf") if low is None else low, float("inf") if high is None else high
