"""`restorebench reference`: statistics of a reference set, over any number of images in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .api import Dataset, FeatureExtractor, Sample
from .configuration import specs
from .errors import ConfigError, DatasetError, ImageError
from .evaluate import device_of, set_arithmetic
from .identity import extractor_id
from .images import Pixels, pixel_digest, read, to_tensor
from .metrics.gathering import Gathered
from .metrics.reference import Facts, folder, load, save
from .provenance import cores
from .restoring import batches
from .runlog import tell
from .weights import resolve

if TYPE_CHECKING:
    import torch
    from rich.console import Console

_AHEAD = 4
"""Chunks of one batch that are decoded ahead of the network."""


@dataclass(frozen=True)
class Referenced:
    """What the command left behind: the file, the number of images in it, and those that could not be read."""

    path: Path
    count: int
    failed: Mapping[str, str]


def reference_config(config: Mapping[str, Any], console: Console | None) -> Referenced:
    """Gather statistics of a data set, or merge files, as a configuration says.

    Raises:
        ConfigError: a setting does not fit.
        DatasetError: the set or a file cannot be used.
        WeightsError: the network's weights cannot be had.
    """
    if config["merge"]:
        return _merge([Path(file).expanduser() for file in config["merge"]], str(config["out"]))
    metric, extractor = _extractor(config)
    dataset: Dataset = _only(specs(config["dataset"], "dataset"), "dataset").build()
    first, step = _part(str(config["part"]))
    samples = dataset.samples()[: int(config["limit"]) or None][first::step]
    if not samples:
        raise DatasetError(f"data set {dataset.card.name}: part={config['part']} holds no image")
    if dataset.card.differs and console:
        console.print(f"dataset {dataset.card.name}: {dataset.card.differs}", style="yellow", markup=False)
    resolve(extractor.weights, fetch=bool(config["fetch"]))
    device = _prepare(config, extractor)
    tell(
        "plan", f"{len(samples)} images of {dataset.card.name} for {metric}: {extractor.identity}", images=len(samples)
    )
    with _bar(len(samples), console) as advance:
        gathered, failed = gather(
            samples, extractor, device, batch=int(config["batch"]), keep=int(config["rows"]), advance=advance
        )
    name = dataset.card.name
    path = _target(str(config["out"]), f"{name}_{metric}")
    facts = Facts(name, extractor_id=extractor_id(extractor), parts=(f"{gathered.digest:064x}",), failed=tuple(failed))
    save(path, gathered, facts)
    return Referenced(path, gathered.moments.n if gathered.moments else 0, failed)


def gather(
    samples: Sequence[Sample],
    extractor: FeatureExtractor,
    device: torch.device,
    batch: int,
    keep: int,
    advance: Callable[[int], None] | None = None,
) -> tuple[Gathered, dict[str, str]]:
    """Stream images through a network; memory holds a few batches and the statistics, however many images there are.

    Args:
        samples: their references are taken, or their LQ images where they have none.
        extractor: loaded.
        device: where it runs.
        batch: images per forward pass.
        keep: feature rows to keep.
        advance: told the number of images done.

    Returns:
        The statistics, and why images could not be read, by id.
    """
    import torch

    gathered, failed = Gathered(keep), {}
    for chunk in _chunks(samples, batch):
        images: list[Pixels] = []
        for sample, image in chunk:
            if isinstance(image, ImageError):
                failed[sample.id] = str(image)
            else:
                images.append(image)
        for positions in batches([(image.shape[0], image.shape[1]) for image in images], batch):
            part = [images[position] for position in positions]
            with torch.inference_mode():
                rows = extractor.extract(to_tensor(part, device)).float().cpu().numpy()
            gathered.add(np.ascontiguousarray(rows), [pixel_digest(image) for image in part])
        if advance:
            advance(len(chunk))
    return gathered, failed


def _chunks(samples: Sequence[Sample], size: int) -> Iterator[list[tuple[Sample, Pixels | ImageError]]]:
    """Yield decoded images in chunks, a few of them ahead."""
    with ThreadPoolExecutor() as pool:
        waiting: deque[list[tuple[Sample, Future[Pixels | ImageError]]]] = deque()
        for start in range(0, len(samples), size):
            waiting.append([(sample, pool.submit(_read, sample)) for sample in samples[start : start + size]])
            if len(waiting) > _AHEAD:
                yield [(sample, image.result()) for sample, image in waiting.popleft()]
        while waiting:
            yield [(sample, image.result()) for sample, image in waiting.popleft()]


def _read(sample: Sample) -> Pixels | ImageError:
    file = sample.hq or sample.lq
    try:
        return read(file) if file else ImageError(f"{sample.id}: no image")
    except ImageError as error:
        return error


def _merge(files: Sequence[Path], out: str) -> Referenced:
    if out == "auto":
        raise ConfigError("out: a file or name is needed for merged statistics, such as out=ffhq_512_fid")
    opened = [load(file) for file in files]
    names = {one.facts.name for one in opened}
    extractors = {one.facts.extractor_id for one in opened}
    parts = [part for one in opened for part in one.facts.parts]
    if len(extractors) > 1:
        raise ConfigError(f"merge: the files are of different features: {'; '.join(sorted(extractors))}")
    if len(set(parts)) < len(parts):
        twin = next(one for one in opened if any(parts.count(part) > 1 for part in one.facts.parts))
        raise ConfigError(f"merge: the images of {twin.path} occur twice; give each part once")
    gathered = Gathered()
    for one in opened:
        gathered.merge(one.gathered())
    failed = tuple(sample for one in opened for sample in one.facts.failed)
    path = _target(out, "")
    save(
        path, gathered, Facts("+".join(sorted(names)), extractor_id=extractors.pop(), parts=tuple(parts), failed=failed)
    )
    return Referenced(
        path, gathered.moments.n if gathered.moments else 0, dict.fromkeys(failed, "left out of its part")
    )


def _extractor(config: Mapping[str, Any]) -> tuple[str, FeatureExtractor]:
    """Return the name of the metric and the network whose features it compares."""
    built = {key: value.build() for key, value in specs(config["metric"], "metric").items()}
    found: dict[str, tuple[str, FeatureExtractor]] = {}
    for key, metric in built.items():
        extractor = getattr(metric, "extractor", None)
        if extractor is None:
            raise ConfigError(
                f"metric.{key}: scores image by image; a reference set is for metrics such as fid and kid"
            )
        found.setdefault(extractor.identity, (key, extractor))
    if len(found) != 1:
        raise ConfigError(f"metric: {', '.join(built) or 'nothing'}: choose metrics of one network and resize")
    return next(iter(found.values()))


def _only(chosen: Mapping[str, Any], group: str) -> Any:
    if len(chosen) != 1:
        raise ConfigError(f"{group}: choose one, not {', '.join(chosen) or 'none'}; merge=[...] puts files together")
    return next(iter(chosen.values()))


def _part(text: str) -> tuple[int, int]:
    """Read `K/N` as the first position and the step.

    >>> _part("2/4")
    (1, 4)
    """
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise ConfigError(f"part: '{text}' is not K/N with 1 <= K <= N, such as part=1/4")
    return int(number) - 1, int(of)


def _target(out: str, automatic: str) -> Path:
    if out == "auto":
        out = automatic
    return Path(out).expanduser() if out.endswith(".npz") else folder() / f"{out}.npz"


def _prepare(config: Mapping[str, Any], extractor: FeatureExtractor) -> torch.device:
    for key in ("batch", "rows"):
        if int(config[key]) < 1:
            raise ConfigError(f"{key}: {config[key]} is too small; use 1 or more")
    set_arithmetic(int(config["threads"]) or cores())
    device = device_of(str(config["device"]))
    extractor.load(device)
    return device


@contextmanager
def _bar(total: int, console: Console | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console as Quiet
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("images"), BarColumn(), MofNCompleteColumn(), TextColumn("remaining"), TimeRemainingColumn())
    with Progress(*columns, console=console or Quiet(quiet=True), disable=console is None) as bar:
        task = bar.add_task("images", total=total)
        yield lambda count: bar.advance(task, count)
