"""The exceptions of restorebench.

    RestorebenchError
    |-- ConfigError      a selection, key or value the user wrote        exit 2
    |-- InputError       data the user pointed at                        exit 2
    |   |-- DatasetError     missing or empty folder, wrong layout
    |   |-- PairingError     ids of two sides differ
    |   `-- ImageError       one unusable image: a failed row, not an end
    |-- WeightsError     weights absent, or not the ones promised        skipped part, exit 3
    |-- RestorerError    a restorer broke its contract                   failed row, exit 3
    |-- ExecutorError    workers cannot be started or reached            exit 2
    `-- StoreError       `out` cannot be read or written                 exit 2

A message names the thing, the value found, what was expected, and the command that helps.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RestorebenchError(Exception):
    """Base of every error a user can cause or mend."""


class ConfigError(RestorebenchError):
    """A selection, key or value of the command line or a configuration file is wrong."""


class InputError(RestorebenchError):
    """Data the user pointed at cannot be used."""


class DatasetError(InputError):
    """A data set is missing, empty or not laid out as its configuration says."""


class PairingError(InputError):
    """The ids of two sides do not match one to one."""


class ImageError(InputError):
    """One image cannot be used; it becomes a failed row and the rest goes on."""


class WeightsError(RestorebenchError):
    """Weights are absent, or are not the ones their sha256 promises.

    Attributes:
        summary: the message without what was tried just now: the same on every machine and every day.
    """

    def __init__(self, message: str, summary: str = "") -> None:
        super().__init__(message)
        self.summary = summary or message


class RestorerError(RestorebenchError):
    """A restorer returned something other than its contract promises."""


class ExecutorError(RestorebenchError):
    """Workers cannot be started, reached, or do not see the data; nothing is wrong with any image."""


class StoreError(RestorebenchError):
    """The output folder cannot be read or written."""


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def visible(text: str) -> str:
    r"""Write out line breaks and what else a terminal obeys instead of showing: a line break becomes `\n`."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listing(names: Iterable[str], most: int = 8) -> str:
    """Join names for a message, showing at most `most` of them and the count of the rest."""
    names = list(names)
    shown = ", ".join(visible(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
