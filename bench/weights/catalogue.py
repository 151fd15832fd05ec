"""The list of trained files restorebench knows: `catalogue.yaml`, read into frozen entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import WeightsError, suggest

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Url:
    """An official address; `member` names the file when the address holds a zip or tar."""

    url: str
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.url} ({self.member})" if self.member else self.url


@dataclass(frozen=True)
class Artifact:
    """One file of a project in a Python package index.

    Attributes:
        sha256: of the artifact, or None when only the index can tell.
    """

    project: str
    version: str
    file: str
    sha256: str | None = None


@dataclass(frozen=True)
class Member:
    """One file inside an artifact; `name` is its full name in the archive."""

    artifact: Artifact
    name: str

    def __str__(self) -> str:
        return (
            f"{PurePosixPath(self.name).name} of {self.artifact.file} ({self.artifact.project} {self.artifact.version})"
        )


@dataclass(frozen=True)
class Manual:
    """Where a person finds the file when no program can fetch it."""

    text: str

    def __str__(self) -> str:
        return self.text


Source = Url | Member | Manual


@dataclass(frozen=True)
class Entry:
    """One trained file.

    Attributes:
        name: what plugins ask for.
        what: one line for people.
        file: name in the cache, may have folders.
        sha256: of the file; None: recorded on first use.
        size: bytes, None where unknown.
        licence: of the weights.
        sources: tried in order.
    """

    name: str
    what: str
    file: str
    sha256: str | None
    size: int | None
    licence: str
    sources: tuple[Source, ...]


def read() -> Mapping[str, Entry]:
    """Return the entries by name, in the order of the file.

    Raises:
        WeightsError: a key is missing or unknown, or a cached name would leave the cache.
    """
    return _read(CATALOGUE)


@lru_cache(maxsize=4)
def _read(path: Path) -> Mapping[str, Entry]:
    import yaml

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        artifacts = {key: _artifact(value) for key, value in data.get("artifacts", {}).items()}
        single = [_entry(name, value, artifacts) for name, value in data["weights"].items()]
        many = [item for name, value in data.get("collections", {}).items() for item in _collection(name, value)]
        return {item.name: item for item in (*single, *many)}
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path.name}: cannot be read ({type(error).__name__}: {error})") from None


def entry(name: str) -> Entry:
    """Return one entry.

    Raises:
        WeightsError: no entry has this name.
    """
    known = read()
    if name not in known:
        raise WeightsError(
            f"no weights are called '{name}'; `restorebench weights list` shows all.{suggest(name, known)}"
        )
    return known[name]


def siblings(artifact: Artifact) -> tuple[tuple[Entry, Member], ...]:
    """Return every entry that the same artifact can supply, so that one download serves them all."""
    return tuple(
        (item, source)
        for item in read().values()
        for source in item.sources
        if isinstance(source, Member) and source.artifact == artifact
    )


def _artifact(value: Mapping[str, Any]) -> Artifact:
    return Artifact(**{key: str(item) for key, item in value.items()})


def _entry(name: str, value: Mapping[str, Any], artifacts: Mapping[str, Artifact]) -> Entry:
    fields = dict(value)
    file = str(fields.pop("file"))
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or "\\" in file:
        raise ValueError(f"{name}: file {file!r} must stay below the cache")
    sha256 = str(fields.pop("sha256"))
    sources = tuple(_source(item, artifacts) for item in fields.pop("sources"))
    return Entry(
        name=name,
        file=file,
        sha256=None if sha256 == UNKNOWN else sha256,
        size=fields.pop("size", None),
        sources=sources,
        **fields,
    )


def _collection(name: str, value: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield an entry for each file of a folder at one address, named by its path without suffix."""
    for path, (size, sha256) in value["files"].items():
        fields = {
            "what": f"{value['what']}: {path}",
            "file": f"{value['folder']}/{path}",
            "size": size,
            "sha256": sha256,
            "licence": value["licence"],
            "sources": [{"url": value["url"] + path}],
        }
        yield _entry(f"{name}/{PurePosixPath(path).with_suffix('')}", fields, {})


def _source(value: Mapping[str, str], artifacts: Mapping[str, Artifact]) -> Source:
    if "url" in value:
        return Url(**value)
    if "artifact" in value:
        return Member(artifacts[value["artifact"]], value["member"])
    return Manual(value["manual"])
