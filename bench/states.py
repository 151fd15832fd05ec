"""What metrics prepared of the references, kept for the current chunk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

BYTES = 2 * 2**30
"""Budget; what does not fit is prepared again."""


class States:
    """Reference-side states, the least recently used dropped beyond a budget; may be used from several threads.

    Args:
        budget: bytes of tensors to hold.
    """

    def __init__(self, budget: int = BYTES) -> None:
        self._budget = budget
        self._held = 0
        self._lock = threading.Lock()
        self._states: OrderedDict[tuple[str, ...], tuple[Any, int]] = OrderedDict()

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._states.clear()
            self._held = 0

    def get(self, key: tuple[str, ...]) -> Any:
        """Return a state, or None where it was never put or was dropped."""
        with self._lock:
            if key not in self._states:
                return None
            self._states.move_to_end(key)
            return self._states[key][0]

    def put(self, key: tuple[str, ...], state: Any) -> None:
        """Keep a state."""
        size = sum(_tensor_bytes(state))
        with self._lock:
            self._states[key] = state, size
            self._held += size
            while self._held > self._budget and len(self._states) > 1:
                self._held -= self._states.popitem(last=False)[1][1]


def _tensor_bytes(state: Any) -> Iterator[int]:
    if isinstance(state, Mapping):
        state = list(state.values())
    if isinstance(state, list | tuple):
        for part in state:
            yield from _tensor_bytes(part)
    elif hasattr(state, "nbytes"):
        yield int(state.nbytes)
