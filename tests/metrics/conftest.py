"""Metrics built from their configuration files, and pictures to try them on: faces, calibration pairs, noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import yaml

from restorebench.bench import weights
from restorebench.bench.api import PairMetric
from restorebench.bench.images import Pixels, read, to_pixels, to_tensor
from restorebench.bench.spec import Spec

ROOT = Path(__file__).parents[2]
NAMES = ("I03", "I04", "I06", "I08", "I19")


class Pairs(NamedTuple):
    """Restored images and their references, `(B, 3, H, W)` in `[0, 1]`."""

    restored: torch.Tensor
    reference: torch.Tensor


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)


@cache
def _metric(name: str) -> Any:
    config = yaml.safe_load((ROOT / "conf" / "metric" / f"{name}.yaml").read_text(encoding="utf-8"))
    built = Spec.of(config, f"metric.{name}").build()
    (built if isinstance(built, PairMetric) else built.extractor).load(torch.device("cpu"))
    return built


@pytest.fixture
def metric() -> Callable[[str], Any]:
    """Return the loaded metric of a configuration file."""
    return _metric


@pytest.fixture
def score() -> Callable[..., dict[str, torch.Tensor]]:
    """Score pairs as the engine does: `score("ssim", pairs, alignment="none")`."""

    def run(name: str, pairs: Pairs, **meta: str) -> dict[str, torch.Tensor]:
        built, metas = _metric(name), [meta] * len(pairs.restored)
        state = built.prepare(pairs.reference, metas) if "reference" in built.needs else None
        return dict(built.score(pairs.restored, state, None, metas))

    return run


@pytest.fixture(scope="session")
def calibration() -> Pairs:
    """The five calibration pairs, 384 x 512, whose official values are published."""
    sides = ("distorted", "reference")
    return Pairs(*(to_tensor([read(weights.path(f"calibration/{side}/{name}")) for name in NAMES]) for side in sides))


@pytest.fixture(scope="session")
def faces() -> torch.Tensor:
    """The five built-in faces, 512 x 512, on the FFHQ template."""
    return to_tensor([read(path) for path in sorted((ROOT / "datasets" / "builtin").glob("*.png"))])


@pytest.fixture(scope="session")
def face_pairs(faces: torch.Tensor) -> Pairs:
    """The faces, and the same blurred, noisy and rounded to 8 bits."""
    return Pairs(_damaged(faces), faces)


@pytest.fixture(scope="session")
def crops(face_pairs: Pairs) -> Pairs:
    """Four 192 x 200 cuts of the face pairs."""
    return Pairs(*(images[:4, :, 100:292, 150:350].contiguous() for images in face_pairs))


@pytest.fixture(scope="session")
def noise() -> Pairs:
    """Two pairs of independent 8-bit noise, 201 x 187."""
    generator = np.random.default_rng(7)
    return Pairs(*(to_tensor(list(generator.integers(0, 256, (2, 201, 187, 3), dtype=np.uint8))) for _ in range(2)))


def _damaged(images: torch.Tensor) -> torch.Tensor:
    import cv2

    generator = np.random.default_rng(1)
    damaged: list[Pixels] = []
    for image in to_pixels(images):
        blurred = cv2.GaussianBlur(image, (0, 0), 2.0).astype(np.int16)
        damaged.append(np.clip(blurred + generator.integers(-12, 13, image.shape), 0, 255).astype(np.uint8))
    return to_tensor(damaged)
