"""Find one file of a project in the package indexes that pip uses, and fetch it without running anything.

Indexes may be `https:` or `file:` addresses or folders; `find-links` may be folders or pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .download import SourceError, download, file_digest, get, shown
from .pip_settings import PipSettings, pip_settings

if TYPE_CHECKING:
    from pypi_simple import ProjectPage
    from rich.progress import Progress

    from .catalogue import Artifact


@dataclass(frozen=True)
class Found:
    """Where an artifact lies.

    Attributes:
        place: address, or path on this machine.
        sha256: what the index promises, if it does.
    """

    place: str | Path
    sha256: str | None


@contextmanager
def opened(artifact: Artifact, folder: Path, progress: Progress) -> Iterator[Path]:
    """Give the verified file of an artifact; a downloaded copy is deleted afterwards.

    Args:
        artifact: what to find.
        folder: where a download is put, and continued after an interruption.
        progress: bar to show.

    Raises:
        SourceError: no index has it, or what they have is another file; the message lists each index.
        WeightsError: the download cannot be written.
    """
    settings = pip_settings()
    reasons: list[str] = []
    for found in _candidates(artifact, settings, reasons):
        expected = artifact.sha256 or found.sha256
        if found.sha256 and artifact.sha256 and found.sha256 != artifact.sha256:
            reasons.append(f"{_name(found.place)}: the index says sha256 {found.sha256}, expected {artifact.sha256}")
            continue
        if isinstance(found.place, Path):
            try:
                digest = file_digest(found.place)
            except OSError as error:
                reasons.append(f"{found.place}: cannot be read ({error.strerror or error})")
                continue
            if expected and digest != expected:
                reasons.append(f"{found.place}: sha256 is {digest}, expected {expected}")
                continue
            yield found.place
            return
        copy = folder / artifact.file
        try:
            download(found.place, copy, expected, settings, progress)
        except SourceError as error:
            reasons.append(str(error))
            continue
        try:
            yield copy
        finally:
            copy.unlink(missing_ok=True)
        return
    raise SourceError(
        f"{artifact.file} of {artifact.project} {artifact.version}: " + "; ".join(reasons or ["no index is configured"])
    )


def _candidates(artifact: Artifact, settings: PipSettings, reasons: list[str]) -> Iterator[Found]:
    """Yield places lazily, so that a later index is asked only when the earlier ones cannot help."""
    for kind, places in (("find-links", settings.find_links), ("index", settings.indexes)):
        for place in places:
            try:
                found = (
                    _in_links(artifact, place, settings)
                    if kind == "find-links"
                    else _in_index(artifact, place, settings)
                )
            except (SourceError, OSError) as error:
                reasons.append(f"{kind} {_name(place)}: {error}")
                continue
            if found is None:
                reasons.append(f"{kind} {_name(place)}: does not have it")
            else:
                yield found


def _in_links(artifact: Artifact, place: str, settings: PipSettings) -> Found | None:
    folder = _local(place)
    if folder is not None and folder.is_dir():
        return _in_folder(artifact, folder)
    return _on_page(artifact, _page(place, artifact, settings), trusted=folder is not None)


def _in_index(artifact: Artifact, place: str, settings: PipSettings) -> Found | None:
    project = re.sub(r"[-_.]+", "-", artifact.project).lower()  # PEP 503
    root = _local(place)
    if root is None:
        return _on_page(artifact, _page(f"{place.rstrip('/')}/{project}/", artifact, settings), trusted=False)
    folder = root / project
    if (folder / "index.html").is_file():
        return _on_page(artifact, _page(str(folder / "index.html"), artifact, settings), trusted=True)
    return _in_folder(artifact, folder)


def _page(place: str, artifact: Artifact, settings: PipSettings) -> ProjectPage:
    from pypi_simple import ACCEPT_ANY, ProjectPage, UnsupportedContentTypeError

    local = _local(place)
    if local is not None:
        return ProjectPage.from_html(artifact.project, local.read_bytes(), base_url=local.resolve().as_uri())
    with get(place, settings, {"Accept": ACCEPT_ANY}) as answer:
        try:
            return ProjectPage.from_response(answer, artifact.project)
        except (UnsupportedContentTypeError, ValueError) as error:
            raise SourceError(f"not a package index ({type(error).__name__})") from None


def _on_page(artifact: Artifact, page: ProjectPage, *, trusted: bool) -> Found | None:
    for package in page.packages:
        if package.filename != artifact.file:
            continue
        local = _local(package.url)
        if local is not None and not trusted:
            raise SourceError("a page from the network points into this machine's files; refused")
        return Found(local or package.url, package.digests.get("sha256"))
    return None


def _in_folder(artifact: Artifact, folder: Path) -> Found | None:
    file = folder / artifact.file
    return Found(file, None) if file.is_file() else None


def _local(place: str) -> Path | None:
    """Return the path of a folder or `file:` address, or None for one on the network."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    if parts.scheme in {"http", "https"}:
        return None
    return Path(place).expanduser()


def _name(place: str | Path) -> str:
    return str(place) if isinstance(place, Path) else shown(place)
