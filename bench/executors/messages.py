"""What executors and their workers tell each other; plain data that can be pickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import RestorebenchError
from ..evaluate import ShardResult
from ..plan import Job
from ..shards import Shard


@dataclass(frozen=True)
class Setup:
    """The first thing a worker is told.

    Attributes:
        job: what to build.
        retire_bytes: resident memory above which a worker that has grown asks to be replaced; 0 = never.
        index: a place for the store's index on this machine; None = the one beside the store.
    """

    job: Job
    retire_bytes: int = 0
    index: Path | None = None


@dataclass(frozen=True)
class Task:
    """Shards of one chunk of samples, for one worker, in order.

    Attributes:
        batch: images per forward pass where memory was short before; 0 = as planned.
        losses: workers that were lost on the first shard.
        load: name of a restorer to load and nothing else; there are no shards then.
    """

    shards: tuple[Shard, ...]
    batch: int = 0
    losses: int = 0
    load: str = ""


class Loss(NamedTuple):
    """Why a worker was lost.

    Attributes:
        reason: for the table; the same on every machine.
        kind: `memory` = surely for lack of memory; `killed` = by the system or by hand; `time` = stopped for being
            too slow; `crash` = anything else.
    """

    reason: str
    kind: Literal["crash", "killed", "memory", "time"]


class Ready(NamedTuple):
    """The worker is built and can be given a task."""


class Kept(NamedTuple):
    """The driver's answer to a result, once it has committed it: a worker is never more than one shard ahead."""


class Done(NamedTuple):
    """The task is finished."""


class Retired(NamedTuple):
    """The worker ends after the last result it sent, because it holds too much memory."""


class Lost(NamedTuple):
    """The worker is gone; `began` says whether it had begun to work."""

    loss: Loss
    began: bool


class Fatal(NamedTuple):
    """Nothing can go on, such as on a full disk."""

    error: RestorebenchError


Event = ShardResult | Done | Retired | Lost
"""What becomes of a task, in the order in which it happens."""
