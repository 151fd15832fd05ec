"""Running a restorer on the images of a shard, so that one bad image costs its own row only."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2

from .api import Batch, Card, Meta, Restorer
from .costs import Cost
from .errors import ImageError, RestorerError
from .images import CV2_FILTER, Filter, Pixels, resize, to_pixels, to_tensor
from .memory import is_out_of_memory
from .pictures import Inputs, Picture

if TYPE_CHECKING:
    import torch

HALVED = "batch halved for lack of memory"
"""Note of a row whose forward pass held fewer images than planned: its last digits may differ."""


@dataclass(frozen=True)
class Work:
    """One image to restore: `size` is what the result must have."""

    sample_id: str
    source: Picture
    size: tuple[int, int]
    seed: int
    meta: Meta


@dataclass(frozen=True)
class Restored:
    """A result or the reason why there is none; `seconds` is this image's share of its batch."""

    image: Pixels | None
    error: str
    seconds: float
    note: str = ""
    cost: Cost = field(default_factory=Cost)


def source_of(card: Card, inputs: Inputs) -> Picture:
    """Choose what a restorer is fed, by its card.

    Raises:
        ImageError: the sample does not offer it.
    """
    if card.input == "reference":
        if inputs.hq is None:
            raise ImageError("no reference")
        return inputs.hq
    if inputs.lq is None:
        raise ImageError("the data set brings no LQ image")
    source = inputs.lq
    if card.input == "native":
        small = (max(1, source.size[0] // card.scale), max(1, source.size[1] // card.scale))
        source = inputs.native or _resized(inputs.lq, small, card.bring_down)
    return _resized(source, card.size, card.bring_down) if card.size else source


def _resized(picture: Picture, size: tuple[int, int], how: Filter) -> Picture:
    return picture if picture.size == size else Picture.of(resize(picture.pixels, size, how))


def batches(sizes: Sequence[tuple[int, int]], most: int) -> Iterator[list[int]]:
    """Cut positions into batches of equal size, at most `most` long, in an order that depends on sizes only."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for position, size in enumerate(sizes):
        by_size.setdefault(size, []).append(position)
    for positions in by_size.values():
        for start in range(0, len(positions), most):
            yield positions[start : start + most]


def restore(restorer: Restorer, work: Sequence[Work], batch: int, device: torch.device) -> list[Restored]:
    """Restore every image; a failing batch is tried again in halves, so that only the culprit fails."""
    results: list[Restored | None] = [None] * len(work)
    for positions in batches([item.source.size for item in work], batch):
        for position, result in zip(
            positions, _restore_batch(restorer, [work[p] for p in positions], device), strict=True
        ):
            results[position] = result
    return [result for result in results if result is not None]


def _restore_batch(restorer: Restorer, work: Sequence[Work], device: torch.device, note: str = "") -> list[Restored]:
    start = time.perf_counter()
    try:
        images = _forward(restorer, work, device)
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        if len(work) == 1:
            return [Restored(None, f"{type(error).__name__}: {_first_line(error)}", time.perf_counter() - start)]
        note = HALVED if is_out_of_memory(error) else note
        middle = len(work) // 2
        return [
            *_restore_batch(restorer, work[:middle], device, note),
            *_restore_batch(restorer, work[middle:], device, note),
        ]
    seconds = (time.perf_counter() - start) / len(work)
    return [Restored(image, "", seconds, note) for image in images]


def as_batch(work: Sequence[Work], device: torch.device) -> Batch:
    """Bring images of one size onto the device."""
    return Batch(
        tuple(item.sample_id for item in work),
        to_tensor([item.source.pixels for item in work], device),
        tuple(item.seed for item in work),
        tuple(item.meta for item in work),
    )


def _forward(restorer: Restorer, work: Sequence[Work], device: torch.device) -> list[Pixels]:
    """Run one batch.

    Raises:
        RestorerError: the output breaks the contract; in a batch of one, the image is the culprit.
    """
    import torch

    with torch.inference_mode():
        output = restorer.restore(as_batch(work, device))
    if not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[:2] != (len(work), 3):
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise RestorerError(f"returned {shape}, expected ({len(work)}, 3, H, W)")
    if not output.is_floating_point():
        raise RestorerError(f"returned {output.dtype}, expected floats in [0, 1]")
    if not torch.isfinite(output).all():
        raise RestorerError("returned NaN or infinite values")
    return [_finish(output[i : i + 1], restorer.card, item.size) for i, item in enumerate(work)]


def _finish(output: torch.Tensor, card: Card, size: tuple[int, int]) -> Pixels:
    """Bring one output `(1, 3, H, W)` to its size, as its card declares, and to 8 bits."""
    import torch

    height, width = output.shape[2:]
    if (height, width) != size:
        if card.final_resize is None:
            raise RestorerError(f"returned {height} x {width}, expected {size[0]} x {size[1]}")
        array = output[0].permute(1, 2, 0).float().cpu().numpy()
        array = cv2.resize(array, (size[1], size[0]), interpolation=CV2_FILTER[card.final_resize])
        output = torch.from_numpy(array).permute(2, 0, 1)[None]
    return to_pixels(output, card.quantise)[0]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:500]
