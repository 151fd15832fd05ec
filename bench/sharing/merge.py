"""Several stores become one: what they say of the same keys must agree, or nothing is written.

Commits, images and features are content-addressed, so that a copy is a link where the file system has them, a merge
that was cut short goes on, and one that is repeated adds nothing.  Tables of cells are brought together row by row.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError
from ..files import entries, is_remote, write_atomic
from ..runlog import tell
from ..storage import results
from ..storage.commit import Commit, decode
from ..storage.locking import locked
from ..storage.store import Store
from . import merge_tables
from .merge_tables import Conflict, Placed

_COMPARED = ("files", "degraded", "restored", "scores")
Losing = dict[str, set[str]]
"""Kind of record -> keys that another store's record wins over."""


@dataclass
class Merged:
    """What a merge did.

    Attributes:
        out: the merged folder.
        conflicts: keys the stores disagree about; with any, and no preference, nothing was written.
        added: how many files of each kind are new in `out`.
        damaged: one line for each commit that could not be read and was left out.
    """

    out: Path
    conflicts: list[Conflict] = field(default_factory=list)
    added: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)


def merge(sources: Sequence[Path], out: Path, prefer: str = "") -> Merged:
    """Bring the results of several output folders together in `out`, which may exist.

    Args:
        sources: output folders.
        out: where the union goes; what is there already counts as the first source.
        prefer: `first` or `last`, whose word counts where they differ; empty: a conflict ends the merge.

    Raises:
        StoreError: a source holds no results, or `out` cannot be written.
    """
    own = [out] if any(entries(out / "store" / "cells")) else []
    places = {_whole(place): place for place in [*own, *sources]}
    for place in sources:
        if not any(entries(place / "store" / "cells")):
            raise StoreError(f"{place}: holds no finished results to merge; is it the out=DIR of a command?")
    stores = [Store(place) for place in places.values()]
    if prefer == "last":
        stores.reverse()
    done = Merged(out, damaged=[problem for store in stores for problem in store.unreadable])
    tables = _tables(stores)
    for several in tables.values():
        done.conflicts += merge_tables.conflicts(several)
    losing = _compare(stores, done)
    if done.conflicts and not prefer:
        return done
    tell("plan", f"{len(tables)} tables of {len(stores)} folders into {out}", tables=len(tables), out=str(out))
    with locked(out):
        for store in stores:
            for name, content in _commits(store):
                _copy_commit(store, name, content, losing.get((store.out, name), {}), done)
        for store in stores:
            _copy_named(store, "sets", done)
            _copy_named(store, "plans", done)
        for key, several in tables.items():
            _write_table(key, several, done)
    return done


def _whole(place: Path) -> Path:
    """The same folder has one name, however it was written."""
    return place if is_remote(place) else place.resolve()


# -- finding out --------------------------------------------------------------------------------


def _compare(stores: Sequence[Store], done: Merged) -> dict[tuple[Path, str], Losing]:
    """Compare every commit with the stores before its own; return what loses in which commit.

    A commit that an earlier store holds as well has been compared already, and has lost what it lost there.
    """
    losing: dict[tuple[Path, str], Losing] = {}
    first: dict[str, Path] = {}
    for later, store in enumerate(stores):
        for name, content in _commits(store):
            if name in first:
                lost = losing.get((first[name], name), {})
            else:
                first[name] = store.out
                found, lost = _disagreements(stores[:later], store, content)
                done.conflicts += found
            if lost:
                losing[store.out, name] = lost
    return losing


def _commits(store: Store) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and content of every sound commit of a store."""
    for name in sorted(name.removesuffix(".json") for name, _ in entries(store.root / "commits")):
        path = store.root / "commits" / f"{name}.json"
        content = decode(name, path.read_bytes(), str(path))
        if content is not None:
            yield name, content


def _tables(stores: Sequence[Store]) -> dict[str, list[Placed]]:
    """The tables of each cell by its key, in the order of the stores."""
    found: dict[str, list[Placed]] = {}
    for store in stores:
        for table in results.load(store).tables:
            found.setdefault(table.cell.key, []).append(Placed(store.out, table))
    return dict(sorted(found.items()))


def _disagreements(others: Sequence[Store], store: Store, content: Mapping[str, Any]) -> tuple[list[Conflict], Losing]:
    """Compare the records of one commit with what the stores before say about the same keys."""
    found: list[Conflict] = []
    losing: Losing = {}
    for kind in _COMPARED:
        for key, record in content[kind].items():
            for other in others:
                known = other.record(kind, key)
                if known is not None and _said(kind, known) != _said(kind, record):
                    found += _described(kind, key, known, record, (other.out, store.out))
                    losing.setdefault(kind, set()).add(key)
    for file, keys in content["features"].items():
        for other in others:
            here = other.find_features(keys).present
            if not here.any():
                continue
            mine = store.feature_file(file)[np.flatnonzero(here)]
            shared = [key for key, there in zip(keys, here, strict=True) if there]
            theirs = np.concatenate([*other.features(shared).blocks()])
            for key, one, two in zip(shared, theirs, mine, strict=True):
                if not np.array_equal(one, two):
                    found.append(_feature_conflict(key, one, two, (other.out, store.out)))
                    losing.setdefault("features", set()).add(key)
    return found, losing


def _said(kind: str, record: Any) -> Any:
    """What of a record must be the same everywhere: of a restored image its pixels, not how long it took."""
    if kind == "restored":
        return record["image"]
    if kind == "scores":
        return {name: str(float(value)) for name, value in record.items()}
    return json.dumps(record, sort_keys=True)


def _described(kind: str, key: str, one: Any, other: Any, where: tuple[Path, Path]) -> Iterator[Conflict]:
    if kind != "scores":
        yield Conflict(f"{kind} {key}", str(_said(kind, one)), str(_said(kind, other)), where)
        return
    first, second = _said(kind, one), _said(kind, other)
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield Conflict(f"scores {key}: {name}", first.get(name, "no value"), second.get(name, "no value"), where)


def _feature_conflict(key: str, one: Any, other: Any, where: tuple[Path, Path]) -> Conflict:
    if one.shape != other.shape:
        return Conflict(f"features {key}", f"{one.shape[0]} numbers", f"{other.shape[0]} numbers", where)
    most = int(np.argmax(np.abs(one.astype(np.float64) - other.astype(np.float64))))
    return Conflict(f"features {key}: number {most}", repr(float(one[most])), repr(float(other[most])), where)


# -- writing ------------------------------------------------------------------------------------


def _copy_commit(store: Store, name: str, content: Mapping[str, Any], losing: Losing, done: Merged) -> None:
    """Copy what a commit names, then the commit; records that lost against another store's are left out."""
    root = done.out / "store"
    if losing:
        _copy_without(store, name, content, losing, done)
        return
    if (root / "commits" / f"{name}.json").exists():
        _copy_images(store, content, done)
        return
    for file in content["features"]:
        store.feature_file(file)  # checks its digest
        _place(store.root / "features" / f"{file}.npz", root / "features" / f"{file}.npz", done, "features")
    _copy_images(store, content, done)
    write_atomic(root / "commits" / f"{name}.json", (store.root / "commits" / f"{name}.json").read_bytes())
    done.added["commits"] += 1


def _copy_without(store: Store, name: str, content: Mapping[str, Any], losing: Losing, done: Merged) -> None:
    root = done.out / "store"
    kept = {
        kind: {key: record for key, record in content[kind].items() if key not in losing.get(kind, ())}
        for kind in (*_COMPARED, "images")
    }
    rows = {
        key: row
        for file, keys in content["features"].items()
        for key, row in zip(keys, store.feature_file(file), strict=True)
        if key not in losing.get("features", ())
    }
    _copy_images(store, content, done)
    commits = root / "commits"
    known = {file for file, _ in entries(commits)}
    Store(done.out).commit(Commit(**kept, features=rows))
    done.added["commits"] += len({file for file, _ in entries(commits)} - known)
    if _whole(store.out) == _whole(done.out):
        (commits / f"{name}.json").unlink()


def _copy_images(store: Store, content: Mapping[str, Any], done: Merged) -> None:
    root = done.out / "store"
    for sha256 in content["images"]:
        if store.has_image(sha256):
            _place(store.image_path(sha256), root / "images" / sha256[:2] / f"{sha256}.png", done, "images")


def _copy_named(store: Store, kind: str, done: Merged) -> None:
    """Copy files that are the same wherever they have the same name, or of which the first one will do."""
    for name, _ in entries(store.root / kind):
        _place(store.root / kind / name, done.out / "store" / kind / name, done, kind)


def _place(source: Path, target: Path, done: Merged, kind: str) -> None:
    """Link or copy a file, unless one of its length is there."""
    if is_remote(target):
        if not target.exists():
            write_atomic(target, source.read_bytes())
            done.added[kind] += 1
        return
    data = source.read_bytes() if is_remote(source) else None
    with contextlib.suppress(FileNotFoundError):
        length = source.stat().st_size if data is None else len(data)
        if kind == "plans" or target.stat().st_size == length:
            target.stat()
            return
        target.unlink()
    done.added[kind] += 1
    if data is None:
        with contextlib.suppress(OSError):  # another file system, or one without links
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            return
    write_atomic(target, source.read_bytes() if data is None else data, durable=kind != "images")


def _write_table(key: str, several: Sequence[Placed], done: Merged) -> None:
    target = done.out / "store" / "cells" / f"{key}.parquet"
    with tempfile.TemporaryDirectory(prefix="restorebench-") as folder:
        file = Path(folder) / target.name
        if len(several) == 1 or not any(len(placed.table) for placed in several):
            file.write_bytes((several[0].out / "store" / "cells" / target.name).read_bytes())
        else:
            merge_tables.join([placed for placed in several if len(placed.table)], file)
        data = file.read_bytes()
    if not target.exists() or hashlib.sha256(target.read_bytes()).digest() != hashlib.sha256(data).digest():
        write_atomic(target, data)
        done.added["cells"] += 1
