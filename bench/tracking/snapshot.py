"""A snapshot of a store: what a report needs, compact, to be kept beside a tracked run and brought back anywhere.

    manifest.json             version, how the report was made, and sha256 and length of every file below
    cells/, plans/            as in the store
    sets/<sha256>.json        values of set metrics; the features they were made from stay behind
    images/<aa>/<sha256>.png  the pictures the report showed, as far as a budget goes

What comes back is not trusted: names must look like these, bytes must have the digest the manifest gives, and a
metric is built only if it ships with restorebench or its package is named by the user.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import ConfigError, StoreError
from ..files import entries, is_remote, write_atomic
from ..storage.locking import locked
from ..storage.results import CellTable, Results, parse
from ..storage.store import Commit, Store
from ..trusted import refused

VERSION = 1
_NAMES = re.compile(
    r"images/([0-9a-f]{2})/\1[0-9a-f]{62}\.png|sets/[0-9a-f]{64}\.json|(plans/[0-9a-f]{32}\.json)|cells/[0-9a-f]{32}\.parquet"
)
_ORDER = ("images", "sets", "plans", "cells")
"""Tables of cells last: a copy that was cut short has no results yet, and the same command goes on."""


@dataclass(frozen=True)
class Snapshot:
    """A manifest and the files it names.

    Attributes:
        manifest: the bytes of `manifest.json`.
        files: path below the snapshot -> the file of the store, or bytes made for the snapshot.
    """

    manifest: bytes
    files: Mapping[str, Path | bytes]

    @property
    def digest(self) -> str:
        """The sha256 of the manifest, which stands for all of it."""
        return hashlib.sha256(self.manifest).hexdigest()


def take(results: Results, pictures: Sequence[str], budget: int, report: Mapping[str, Any]) -> Snapshot:
    """Collect what a report needs.

    Args:
        results: what the report was made from, just after it was made.
        pictures: sha256 of the images it showed, the most important first.
        budget: bytes that pictures may take in all; those that do not fit stay behind.
        report: how it was made (`select`, `sort`, `published`), to make it again in the same way.
    """
    store = results.store
    files: dict[str, Path | bytes] = {}
    for kind, suffix in (("cells", ".parquet"), ("plans", ".json")):
        names = sorted(name for name, _ in entries(store.root / kind) if name.endswith(suffix))
        files |= {f"{kind}/{name}": store.root / kind / name for name in names}
    values = results.sets.to_bytes()
    files[f"sets/{hashlib.sha256(values).hexdigest()}.json"] = values
    for sha256 in dict.fromkeys(pictures):
        if store.has_image(sha256):
            path = store.image_path(sha256)
            budget -= len(path.read_bytes()) if is_remote(path) else path.stat().st_size
            if budget < 0:
                break
            files[f"images/{sha256[:2]}/{sha256}.png"] = path
    content = {
        "version": VERSION,
        "restorebench": metadata.version("restorebench"),
        "report": dict(report),
        "files": {name: _facts(content) for name, content in files.items()},
    }
    return Snapshot(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode(), files)


def _facts(content: Path | bytes) -> tuple[str, int]:
    """The sha256 and the length of one file."""
    data = content.read_bytes() if not isinstance(content, bytes) else content
    return hashlib.sha256(data).hexdigest(), len(data)


def restore(manifest: bytes, fetch: Callable[[str], Path], out: Path, where: str) -> dict[str, Any]:
    """Bring a snapshot back as the store of `out`.

    Args:
        manifest: the bytes of `manifest.json`.
        fetch: returns a local copy of one file by its path below the snapshot, the same one each time.
        out: an empty folder, or one this snapshot was brought to before.
        where: what the snapshot is called in messages.

    Returns:
        How the report was made.

    Raises:
        StoreError: the snapshot is damaged or not one of ours, or `out` holds other results.
        ConfigError: a metric is of a package that is not trusted.
    """
    report, names = _read_manifest(manifest, where)
    others = sorted(name for name, _ in entries(out / "store" / "cells") if f"cells/{name}" not in names)
    if others:
        raise StoreError(f"{out}: holds results of other commands ({others[0]}); choose an empty folder with out=DIR")
    for name, (sha256, length) in names.items():  # all of it is checked before any of it is used
        file = fetch(name)
        if _facts(file) != (sha256, length):
            raise StoreError(f"{where}: {name} is not what the manifest promises; nothing was written")
        if name.startswith("cells/"):
            _refuse_foreign(_table(file, f"{where}: {name}"), where)
    with locked(out):
        for name in sorted(names, key=lambda name: (_ORDER.index(name.partition("/")[0]), name)):
            write_atomic(out / "store" / name, fetch(name).read_bytes())
        store = Store(out)
        kept = {Path(name).stem: length for name, (_, length) in names.items() if name.startswith("images/")}
        store.commit(Commit(images={sha256: length for sha256, length in kept.items() if not store.has_image(sha256)}))
    return report


def _refuse_foreign(table: CellTable, where: str) -> None:
    """Refuse a table whose metrics would run code that neither ships with restorebench nor is trusted."""
    for metric in table.metrics:
        problem = refused(metric.spec)
        if problem:
            raise ConfigError(f"{where}: metric '{metric.name}': {problem}")


def _table(file: Path, where: str) -> CellTable:
    try:
        return parse(file.read_bytes())
    except Exception as error:
        raise StoreError(f"{where}: is no table of restorebench ({type(error).__name__}: {error})") from None


def _read_manifest(manifest: bytes, where: str) -> tuple[dict[str, Any], dict[str, tuple[str, int]]]:
    try:
        content = json.loads(manifest)
        version = content["version"]
        if version != VERSION:
            raise StoreError(f"{where}: snapshot version {version}, this restorebench reads {VERSION}")
        files = {str(name): (str(sha256), int(length)) for name, (sha256, length) in content["files"].items()}
        report: dict[str, Any] = {
            key: [str(item) for item in content["report"].get(key, ())] for key in ("select", "sort")
        }
        report["published"] = content["report"].get("published") is True
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StoreError(f"{where}: manifest.json is no manifest of restorebench ({type(error).__name__})") from None
    for name in files:
        if not _NAMES.fullmatch(name):
            raise StoreError(f"{where}: manifest.json names {name[:200]!r}, which is no file of a store")
    return report, files
