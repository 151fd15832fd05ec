"""What is still to be run, and what becomes of the work that a lost worker leaves behind.

Every executor that can lose a worker asks here which shard is tried again and how; they differ only in how
work travels.  A suspect shard is run alone on a fresh worker, then batch by batch, then image by image, so that
in the end only the images that end their worker are failed rows:

    lost once                   the whole shard again, in the same batches
    lost for lack of memory     the whole shard again, in batches of half the size
    lost again, or too slow     batch by batch, each as it was cut before; a lost batch image by image
    lost on one image           a failed row with the reason

A restorer that ends every worker is not tried on thousands of images: after its first failed image it is asked to
load and do nothing else, and after `PATIENCE` failed images without a restored one between them it is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from ..costs import Cost
from ..errors import ExecutorError
from ..evaluate import ShardResult
from ..shards import Shard
from ..storage.store import Commit
from .messages import Done, Event, Loss, Retired, Task

PATIENCE = 20
"""Images in a row, each of which cost a worker, before a restorer's remaining images are failed untried."""


FALSE_STARTS = 3
"""Workers of one place that end before they begin, one after another, before the run ends."""


@dataclass
class _Record:
    """What is known of a restorer that cost workers: `loads` is None until it was tried."""

    alone: int = 0
    loads: bool | None = None
    given_up: str = ""


class Agenda:
    """The queue of tasks.

    Args:
        groups: shards of one chunk of samples each, read only as far as they are handed out.
        batch: images per forward pass, as planned.
    """

    def __init__(self, groups: Iterable[Sequence[Shard]], batch: int) -> None:
        self._groups: Iterator[Sequence[Shard]] = iter(groups)
        self._batch = batch
        self._again: deque[Task] = deque()
        self._records: dict[str, _Record] = {}

    def __bool__(self) -> bool:
        """Say whether there is a task to be taken; what workers are at may still come back."""
        while not self._again:
            group = next(self._groups, None)
            if group is None:
                return False
            if group:
                self._again.append(Task(tuple(group)))
        return True

    def take(self) -> Task | None:
        """Return the next task, what was lost before what is new; None when there is none."""
        return self._known(self._again.popleft()) if self else None

    def put_back(self, task: Task) -> None:
        """Take back a task that no worker has begun, such as one whose worker was replaced in time."""
        if task.shards or task.load:
            self._again.appendleft(task)

    def finished(self, result: ShardResult) -> None:
        """Take note of a restorer that works after all."""
        record = self._records.get(result.cell.restorer)
        if record and any(row["status"] == "ok" for row in result.rows):
            record.alone = 0

    def loaded(self, task: Task) -> None:
        """Take note that loading alone did not cost a worker."""
        self._records[task.load].loads = True

    def lost(self, task: Task, loss: Loss) -> Shard | None:
        """Decide what becomes of a task whose first shard (or loading) cost a worker.

        Returns:
            A shard that not even a worker that restores nothing survives; its rows must be made without one.
        """
        if task.load:
            record = self._records[task.load]
            record.loads, record.given_up = False, f"{loss.reason}, while {task.load} was loaded"
            return None
        suspect, others = task.shards[0], task.shards[1:]
        if others:
            self._again.appendleft(Task(others))
        if suspect.failed:
            return suspect
        parts = list(self._divided(suspect, task, loss))
        self._again.extendleft(reversed(parts))
        if len(parts) == 1 and parts[0].shards[0].failed:
            self._judge(suspect.cell.restorer, loss)
        return None

    def _divided(self, suspect: Shard, task: Task, loss: Loss) -> Iterator[Task]:
        losses, images = task.losses + 1, len(suspect.samples)
        batch = min(task.batch or self._batch, images)
        short = loss.kind == "memory" or (loss.kind == "killed" and losses > 1)
        if short and batch > 1:
            yield Task((suspect,), batch // 2, losses)
        elif losses == 1 and not (images > 1 and loss.kind in ("time", "memory")):
            yield Task((suspect,), task.batch, losses)
        elif images > 1:
            size = batch if images > batch else 1
            for start in range(0, images, size):
                yield Task((replace(suspect, samples=suspect.samples[start : start + size]),), task.batch, losses)
        else:
            yield Task((replace(suspect, failed=loss.reason),))

    def _judge(self, restorer: str, loss: Loss) -> None:
        """Find out whether a restorer that cost a worker on one image alone can do anything at all."""
        record = self._records.setdefault(restorer, _Record())
        record.alone += 1
        if record.loads is None:
            self._again.appendleft(Task((), load=restorer))
        if record.alone >= PATIENCE:
            record.given_up = f"not tried after {PATIENCE} images in a row that failed alone: {loss.reason}"

    def _known(self, task: Task) -> Task:
        """Mark the shards of restorers that were given up."""
        reasons = {name: record.given_up for name, record in self._records.items() if record.given_up}
        if not any(shard.cell.restorer in reasons for shard in task.shards):
            return task
        return replace(
            task,
            shards=tuple(
                replace(shard, failed=shard.failed or reasons.get(shard.cell.restorer, "")) for shard in task.shards
            ),
        )


class Place:
    """One worker's place at the agenda: the task it is at, how far it is, and what follows from what it reports.

    Args:
        agenda: shared by all places.
        name: how messages call the executor, such as `executor=processes`.
    """

    def __init__(self, agenda: Agenda, name: str) -> None:
        self._agenda = agenda
        self._name = name
        self._done = 0
        self._false_starts = 0
        self.task: Task | None = None

    def take(self) -> Task | None:
        """Begin the next task, if there is one."""
        self.task, self._done = self._agenda.take(), 0
        return self.task

    def follow(self, event: Event) -> ShardResult | None:
        """Act on what became of the task; return rows for the driver, if there are any.

        Raises:
            ExecutorError: workers end again and again before they begin.
        """
        task = self.task
        if task is None:
            return None
        if isinstance(event, ShardResult):
            self._false_starts = 0
            self._done += 1
            self._agenda.finished(event)
            return event
        left = task if self._done == 0 else Task(task.shards[self._done :])
        self.task = None
        if isinstance(event, Done):
            if task.load:
                self._agenda.loaded(task)
        elif isinstance(event, Retired):
            self._agenda.put_back(left)
        elif not event.began:
            self._agenda.put_back(left)
            self._false_starts += 1
            if self._false_starts == FALSE_STARTS:
                raise ExecutorError(f"{self._name}: workers end before they begin: {event.loss.reason}")
        elif left.shards or left.load:
            hopeless = self._agenda.lost(left, event.loss)
            return None if hopeless is None else bare_rows(hopeless)
        return None


def bare_rows(shard: Shard) -> ShardResult:
    """Return failed rows of a shard whose very inputs cost a worker; nothing is known of them but the reason."""
    rows = tuple(
        {
            "sample": sample.id,
            "status": "failed",
            "error": shard.failed,
            **dict.fromkeys(("height", "width", "hq", "lq", "native", "restored", "seconds")),
            **asdict(Cost()),
            "drawn": "{}",
            "seed": shard.cell.seed,
            "device": "",
            "note": "",
            "score_errors": "{}",
        }
        for sample in shard.samples
    )
    return ShardResult(shard.cell, rows, Commit())
