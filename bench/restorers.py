"""The restorers of a job: built and loaded on first use, run on a shard, measured once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .api import FolderRestorer, Restorer
from .cell import Cell
from .costs import SLOW_SECONDS, Cost, MemoryGrowth, gflops, parameters
from .folders import restore_folder
from .restoring import Restored, Work, as_batch, restore
from .spec import Spec

if TYPE_CHECKING:
    import torch


class Restorers:
    """Restorers by name.

    Args:
        specs: what builds them.
        device: where networks run.
        batch: images per forward pass.
        logs: where tools in environments of their own leave what they said.
    """

    def __init__(self, specs: Mapping[str, Spec], device: torch.device, batch: int, logs: Path) -> None:
        self._specs = specs
        self._device = device
        self._batch = batch
        self._logs = logs
        self._built: dict[str, Restorer | FolderRestorer] = {}
        self._costs: dict[str, Cost] = {}

    def get(self, name: str) -> Restorer | FolderRestorer:
        """Return a restorer, built but perhaps not loaded."""
        if name not in self._built:
            self._built[name] = self._specs[name].build()
        return self._built[name]

    def restore(self, cell: Cell, work: Sequence[Work]) -> list[Restored]:
        """Restore images; whatever fails becomes a result with its reason."""
        restorer = self.get(cell.restorer)
        if isinstance(restorer, FolderRestorer):
            return restore_folder(restorer, work, self._logs / cell.restorer / cell.key)
        if cell.restorer in self._costs:
            return self._with_cost(cell.restorer, restore(restorer, work, self._batch, self._device))
        memory = MemoryGrowth(self._device)
        memory.start()
        start = time.perf_counter()
        try:
            restorer.load(self._device)
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            reason = f"{cell.restorer} could not be loaded: {type(error).__name__}: {error}"
            return [Restored(None, reason, time.perf_counter() - start) for _ in work]
        results = restore(restorer, work, self._batch, self._device)
        self._costs[cell.restorer] = Cost(parameters(restorer), memory_mib=memory.peak())
        if results[0].image is not None and results[0].seconds < SLOW_SECONDS and parameters(restorer):
            operations = gflops(restorer, as_batch(work[:1], self._device))
            self._costs[cell.restorer] = replace(self._costs[cell.restorer], gflops=operations)
        return self._with_cost(cell.restorer, results)

    def _with_cost(self, name: str, results: Sequence[Restored]) -> list[Restored]:
        return [replace(result, cost=self._costs[name]) for result in results]
