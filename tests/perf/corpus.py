"""Pictures to measure on: crops and flips of the built-in faces, and the same degraded, as PNG files of equal names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from restorebench.bench.images import Pixels, encode_png, read

FACES = Path(__file__).parents[2] / "datasets" / "builtin"


@dataclass(frozen=True)
class Corpus:
    """Folders of files that pair by name.

    Attributes:
        reference: the undamaged pictures.
        restored: one folder per split and restorer, `<split>/<restorer>`.
        lq: one folder per split.
        names: file names, in order.
    """

    reference: Path
    restored: dict[str, dict[str, Path]]
    lq: dict[str, Path]
    names: tuple[str, ...]


def make(root: Path, count: int, side: int = 512, restorers: int = 1, splits: int = 1) -> Corpus:
    """Write `count` pictures of `side` x `side`, and `restorers` damaged versions of each in each of `splits`."""
    sources = [read(path) for path in sorted(FACES.glob("*.png"))]
    generator = np.random.default_rng(0)
    reference = root / "reference"
    restored = {f"s{s}": {f"r{r}": root / f"s{s}" / f"r{r}" for r in range(restorers)} for s in range(splits)}
    lq = {split: root / split / "lq" for split in restored}
    for folder in (reference, *lq.values(), *(path for row in restored.values() for path in row.values())):
        folder.mkdir(parents=True)
    names = tuple(f"{number:05}.png" for number in range(count))
    for number, name in enumerate(names):
        image = _variant(sources[number % len(sources)], number // len(sources), side)
        (reference / name).write_bytes(encode_png(image))
        for s, (split, row) in enumerate(restored.items()):
            for r, folder in enumerate(row.values()):
                damaged = _damaged(image, 0.8 + 0.7 * r + 0.5 * s, 4 + 2 * r, generator)
                (folder / name).write_bytes(encode_png(damaged))
            (lq[split] / name).write_bytes(encode_png(_damaged(image, 3 + s, 10, generator)))
    return Corpus(reference, restored, lq, names)


def _variant(image: Pixels, number: int, side: int) -> Pixels:
    """Flip every other one and cut ever closer, so that no two pictures are equal."""
    margin = 3 * (number // 2) % 200
    cut = image[margin : image.shape[0] - margin, margin : image.shape[1] - margin]
    cut = cut[:, ::-1] if number % 2 else cut
    how = cv2.INTER_AREA if side < cut.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(cut), (side, side), interpolation=how), dtype=np.uint8)


def _damaged(image: Pixels, sigma: float, noise: int, generator: np.random.Generator) -> Pixels:
    blurred = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.int16)
    return np.clip(blurred + generator.integers(-noise, noise + 1, image.shape), 0, 255).astype(np.uint8)
