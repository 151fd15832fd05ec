"""Every shard in this process, one after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from ..evaluate import ShardResult, Worker
from ..plan import Job, Shard
from ..store import Store


@dataclass(frozen=True)
class Inline:
    """The simplest executor, and the reference for all others: they must give the same rows."""

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Generator[ShardResult]:
        """Yield the result of every shard; `store` is the driver's own, so commits are seen at once.

        Args:
            job: what every worker needs.
            groups: shards of one chunk of samples each, to be run by one worker in this order.
            store: results of earlier runs and of this one.
        """
        worker = Worker(job, store)
        for group in groups:
            yield from worker.run(group)
