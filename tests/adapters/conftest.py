"""Small real inputs for restorers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from restorebench.bench.api import Batch
from restorebench.bench.images import Pixels, read, to_tensor

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
"""Published weights and pictures beside the clone; where they are not, the weights manager fetches them."""

FACES = Path(__file__).resolve().parents[2] / "datasets" / "builtin"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def face() -> Pixels:
    """A built-in face, `(512, 512, 3)`."""
    return read(FACES / "collins.png")


@pytest.fixture(scope="session")
def degraded() -> Callable[[Pixels], Pixels]:
    """Blur of sigma 3, down by 4, noise of sigma 8, JPEG of quality 50; the same every time."""

    def degrade(image: Pixels) -> Pixels:
        small = cv2.resize(cv2.GaussianBlur(image, (0, 0), 3), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_LINEAR)
        noise = np.random.default_rng(0).normal(0, 8, small.shape)
        noisy = np.clip(small + noise, 0, 255).round().astype(np.uint8)
        coded = cv2.imencode(".jpg", noisy[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
        return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1])

    return degrade


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    """Make a batch of images of one size."""

    def make(*images: Pixels) -> Batch:
        count = len(images)
        return Batch(tuple(map(str, range(count))), to_tensor(images), tuple(range(count)), ({},) * count)

    return make


@pytest.fixture(scope="session")
def psnr() -> Callable[[Pixels, Pixels], float]:
    def compare(a: Pixels, b: Pixels) -> float:
        return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))

    return compare


@pytest.fixture(scope="session")
def published_files() -> Iterator[None]:
    """Find published weights and pictures in a local folder first, by name and sha256.

    Tests that ask for this need either that folder or the network; without both, they fail with the weights
    manager's message, which names the file, its address and the command that fetches it.
    """
    folders = [os.environ.get("RESTOREBENCH_WEIGHTS", ""), str(SHARED / "weights"), str(SHARED)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTOREBENCH_WEIGHTS", os.pathsep.join(filter(None, folders)))
        yield
