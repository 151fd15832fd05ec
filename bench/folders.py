"""Running a restorer that works on folders: files out, one run for a shard, files back in."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .api import Card, FolderRestorer
from .errors import ImageError, RestorebenchError
from .files import write_atomic
from .images import Pixels, encode_png, read, resize
from .restoring import Restored, Work

LOG = "log.txt"
"""What a folder restorer may leave in its output folder for people to read."""


def safe_names(ids: Iterable[str]) -> list[str]:
    """Return a file name for each sample id that no tool, shell or file system stumbles over.

    Other characters than ASCII letters, digits and `-` become `_`; names that would be equal without case
    get a number.

    >>> safe_names(["a/b", "a_b", "A.b"])
    ['a_b', 'a_b_2', 'A_b_3']
    """
    names: list[str] = []
    taken: set[str] = set()
    for id_ in ids:
        stem = name = re.sub(r"[^A-Za-z0-9-]", "_", id_)[:100].lstrip("-") or "_"
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def restore_folder(restorer: FolderRestorer, work: Sequence[Work], logs: Path) -> list[Restored]:
    """Restore every image of a shard in one run; what comes back damaged or of a wrong size fails alone.

    Args:
        restorer: the tool.
        work: the images, of any sizes.
        logs: folder where the log of the run is kept, named after its first image.
    """
    names = safe_names(item.sample_id for item in work)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="restorebench-") as folder:
        inputs, outputs = Path(folder, "input"), Path(folder, "output")
        inputs.mkdir()
        outputs.mkdir()
        for name, item in zip(names, work, strict=True):
            (inputs / f"{name}.png").write_bytes(encode_png(item.source.pixels))
        try:
            found = restorer.restore_folder(inputs, outputs, names)
            failure = "no result"
        except Exception as error:  # a plugin may raise anything
            known = isinstance(error, RestorebenchError)
            found, failure = {}, str(error) if known else f"{type(error).__name__}: {error}"
        seconds = (time.perf_counter() - start) / len(work)
        told = _keep(outputs / LOG, logs / f"{names[0]}.txt")
        results = [
            _take(found.get(name, failure), restorer.card, item.size) for name, item in zip(names, work, strict=True)
        ]
    return [
        Restored(None, f"{result}{told}", seconds) if isinstance(result, str) else Restored(result, "", seconds)
        for result in results
    ]


def _keep(log: Path, place: Path) -> str:
    """Keep a log below `out`, and return where, for messages."""
    if not log.is_file():
        return ""
    write_atomic(place, log.read_bytes())
    return f" (log: {'/'.join(place.parts[-4:])})"


def _take(found: Path | str, card: Card, size: tuple[int, int]) -> Pixels | str:
    """Read one result and bring it to its size, as the card declares."""
    if isinstance(found, str):
        return found
    try:
        image = read(found)
    except ImageError as error:
        return str(error)
    if image.shape[:2] == size:
        return image
    if card.final_resize is None:
        return f"returned {image.shape[0]} x {image.shape[1]}, expected {size[0]} x {size[1]}"
    return resize(image, size, card.final_resize)
