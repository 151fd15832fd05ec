"""Every shard in this process, one after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from ..errors import ExecutorError
from ..evaluate import ShardResult, Worker
from ..plan import Job, Shard
from ..storage.store import Store


@dataclass(frozen=True)
class Inline:
    """The simplest executor, and the reference for all others: they must give the same rows."""

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Generator[ShardResult]:
        """Yield the result of every shard; `store` is the driver's own, so commits are seen at once.

        Args:
            job: what every worker needs.
            groups: shards of one chunk of samples each, to be run by one worker in this order.
            store: results of earlier runs and of this one.

        Raises:
            ExecutorError: a plugin asked this process to end, or memory is short where no smaller batch helps.
        """
        worker = Worker(job, store)
        try:
            yield from worker.run(shard for group in groups for shard in group)
        except (SystemExit, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise ExecutorError(
                f"executor=inline: a plugin ended the run ({reason}); what was finished is kept. With "
                "executor=processes the same command goes on from here and such a plugin costs its own rows only"
            ) from None
