"""Results somebody already has: a folder of restored images."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..bench.api import Card
from ..bench.errors import ConfigError, DatasetError, PairingError, listing
from ..bench.files import as_object, as_path, is_remote
from ..bench.images import LOSSLESS_SUFFIXES, SUFFIXES
from ..bench.spec import Location


class Folder:
    """Files of one folder, paired with the samples by id, one to one.

    The id of a sample is its path below the data set's root without suffix, so the folder must be laid out
    like the data set.

    Args:
        path: the folder.
        name: heading in tables; None takes the folder's name.
        pattern: how a file is called, without suffix: `{id}` stands for the sample's id, as in `{id}_00` for
            the names GFPGAN writes.
        partial: samples without a file become failed rows instead of an error.
        allow_lossy: accept JPEG and WebP, whose losses are scored too.

    Raises:
        ConfigError: `pattern` does not hold `{id}` exactly once, or names a suffix.
    """

    version = 1

    def __init__(
        self,
        path: Location,
        name: str | None = None,
        pattern: str = "{id}",
        partial: bool = False,
        allow_lossy: bool = False,
    ) -> None:
        if pattern.count("{id}") != 1:
            raise ConfigError(f"folder: pattern is {pattern!r}; it must hold {{id}} once, such as '{{id}}_00'")
        if Path(pattern).suffix.lower() in SUFFIXES:
            raise ConfigError(f"folder: pattern is {pattern!r}; leave the suffix {Path(pattern).suffix} away")
        self.path, self.pattern, self.partial, self.allow_lossy = path, pattern, partial, allow_lossy
        self.card = Card(
            name=name or Path(path).name or "folder",
            paper="results given as files",
            task="face restoration",
            code_licence="unknown",
            weights_licence="unknown",
            knobs={"pattern": "how files are called", "partial": "missing files become failed rows"},
        )

    def locate(self, ids: Sequence[str]) -> Mapping[str, Path]:
        """Return the file of each sample id.

        Raises:
            DatasetError: the folder is missing, is no folder, or holds no images.
            PairingError: ids without a file (unless `partial`), files without an id, two files for one id, or
                lossy files; the message lists them.
        """
        root = as_path(self.path)
        files = self._images(root)
        found: dict[str, Path] = {}
        twice: list[str] = []
        before, after = self.pattern.split("{id}")
        shape = re.compile(re.escape(before) + "(.+)" + re.escape(after), re.DOTALL)
        strangers = []
        for stem, file in files:
            match = shape.fullmatch(stem)
            if match is None:
                strangers.append(stem)
            elif match[1] in found:
                twice.append(f"{match[1]} ({found[match[1]].name} and {file.name})")
            else:
                found[match[1]] = file
        if twice:
            raise PairingError(f"{self.path}: two files for one image: {listing(twice)}; keep one of each")
        self._compare(set(ids), found, strangers)
        lossy = [file.name for file in found.values() if file.suffix.lower() not in LOSSLESS_SUFFIXES]
        if lossy and not self.allow_lossy:
            raise PairingError(
                f"{self.path}: {len(lossy)} of {len(found)} results are in a lossy format ({listing(lossy, 3)}), "
                "whose losses would be scored too; save PNG, or set allow_lossy=true"
            )
        return found

    def _compare(self, ids: set[str], found: Mapping[str, Path], strangers: Sequence[str]) -> None:
        extra = sorted({*(found.keys() - ids), *strangers})
        missing = sorted(ids - found.keys())
        problems = []
        if missing and (not self.partial or len(missing) == len(ids)):
            problems.append(f"without a result ({len(missing)} of {len(ids)}): {listing(missing)}")
        if extra:
            problems.append(f"results of no image ({len(extra)}): {listing(extra)}")
        if problems:
            raise PairingError(
                f"{self.path}: results and images do not pair; {'; '.join(problems)}{_hint(missing, extra)}"
            )

    def _images(self, root: Path) -> list[tuple[str, Path]]:
        """Return `(path below the root without suffix, file)` of each image, in order; hidden ones are left out."""
        if is_remote(root):
            return self._objects(root)
        if not root.is_dir():
            problem = "is not a folder" if root.exists() else "does not exist"
            raise DatasetError(f"folder: {self.path} {problem}; give the folder that holds the restored images")
        files = []
        for folder, folders, names in os.walk(root, followlinks=False, onerror=_unreadable):
            folders[:] = [name for name in folders if not name.startswith(".")]
            files += [
                Path(folder, name)
                for name in names
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            ]
        if not files:
            raise DatasetError(f"folder: {self.path} holds no images ({', '.join(sorted(SUFFIXES))})")
        return sorted((file.relative_to(root).with_suffix("").as_posix(), file) for file in files)

    def _objects(self, root: Path) -> list[tuple[str, Path]]:
        """The same on object storage, by one recursive listing."""
        try:
            names = [name for name, _, _ in as_object(root).below() if PurePosixPath(name).suffix.lower() in SUFFIXES]
        except OSError as error:
            raise DatasetError(f"folder: {self.path} cannot be read: {error.strerror or error}") from None
        shown = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
        if not shown:
            raise DatasetError(f"folder: {self.path} holds no images ({', '.join(sorted(SUFFIXES))})")
        return sorted((PurePosixPath(name).with_suffix("").as_posix(), root / name) for name in shown)


def _unreadable(error: OSError) -> None:
    raise DatasetError(f"folder: {error.filename} cannot be read ({error.strerror})")


def _hint(missing: Sequence[str], extra: Sequence[str]) -> str:
    """Return advice when every unmatched file is an id with one and the same ending."""
    endings = {other[len(name) :] for name in missing for other in extra if other.startswith(name) and other != name}
    for ending in sorted(endings, key=len):
        if {f"{name}{ending}" for name in missing} >= set(extra):
            return f". Names end in '{ending}': set pattern='{{id}}{ending}'"
    return ""
