"""Light plugins that write down what they compute, and whose work is a fault point (see `faults.py`).

A line of the file named in FRAGILE_LOG is one piece of work: what was computed, by whom, of which pixels.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import cv2
import faults
import numpy as np
import torch

from restorebench.bench import weights
from restorebench.bench.api import Batch, Card, Column, Degraded, SetValue


def _computed(what: str, who: str, images: torch.Tensor, *more: object) -> None:
    log = os.environ.get("FRAGILE_LOG")
    if log:
        keys = [hashlib.sha256(image.numpy().tobytes()).hexdigest()[:16] for image in images]
        lines = "".join(f"{what} {who} {key} {' '.join(map(str, more))}\n" for key in keys)
        with Path(log).open("ab") as file:
            file.write(lines.encode())


def work(log: Path) -> Counter[str]:
    """Return how often each piece of work was begun."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


class Darker:
    """Halves the size, darkens, and adds noise."""

    version = 1

    def __init__(self, key: str = "darker", by: float = 0.2) -> None:
        self.key, self.by = key, by

    def __call__(self, image, generator):
        with faults.passing("synthesis"):
            _computed("degrade", self.key, torch.tensor(image)[None])
            noise = generator.integers(0, 9, image.shape)
            lq = np.clip(image * (1 - self.by) + noise, 0, 255).astype(np.uint8)
            native = np.ascontiguousarray(lq[::2, ::2])
            height, width = image.shape[:2]
            return Degraded(cv2.resize(native, (width, height)), native, {"by": self.by})


class Brighter:
    """Brightens; `file` names weights it loads first."""

    version = 1

    def __init__(self, by: float = 0.1, file: str | None = None) -> None:
        self.by = by
        self.weights: dict[str, str | None] = {file: None} if file else {}
        self.card = Card("brighter", "none", "baseline")

    def load(self, device: torch.device) -> None:
        for weight in weights.resolve(self.weights).values():
            weight.path.read_bytes()

    def restore(self, batch: Batch) -> torch.Tensor:
        with faults.passing("restoring"):
            _computed("restore", f"{self.by}", batch.images)
            return batch.images * (1 + self.by)


class Distance:
    """Mean difference to a power."""

    columns = (Column("distance", "Distance", "1", False, 0, 1, 4),)
    version = 1
    weights: dict[str, str | None] = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, power: int = 1) -> None:
        self.power, self.identity = power, f"distance to the power of {power}"

    def load(self, device: torch.device) -> None:
        """Nothing to load."""

    def prepare(self, reference: torch.Tensor, meta: object) -> torch.Tensor:
        return reference

    def score(self, restored: torch.Tensor, state: torch.Tensor, lq: object, meta: object) -> dict[str, torch.Tensor]:
        with faults.passing("scoring"):
            _computed("score", f"distance{self.power}", torch.cat([restored, state], dim=1))
            return {"distance": (restored - state).abs().pow(self.power).mean((1, 2, 3))}


class Colour:
    """Mean colour as three features."""

    identity = "mean colour"
    version = 1
    weights: dict[str, str | None] = {}

    def load(self, device: torch.device) -> None:
        """Nothing to load."""

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        with faults.passing("features"):
            _computed("extract", "colour", images)
            return images.mean((2, 3))


class ColourDistance:
    """Distance between the mean colours of two sets."""

    columns = (Column("colour", "Colour", "1", False, 0, 1, 4),)
    identity = "colour distance"
    version = 1
    reliable_from = 2

    def __init__(self) -> None:
        self.extractor = Colour()

    def compare(self, restored: object, reference: object) -> dict[str, SetValue]:
        means = [np.concatenate(list(side.blocks())).astype(float).mean(0) for side in (restored, reference)]
        return {"colour": SetValue(float(np.abs(means[0] - means[1]).sum()))}
