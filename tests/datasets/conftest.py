"""What the tests of data sets and degradations share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from restorebench.bench.images import Pixels
from restorebench.bench.spec import Spec
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.faces import BuiltinFaces

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def split_spec() -> Callable[[str], Spec]:
    """The Spec of a split's configuration file."""

    def read(name: str) -> Spec:
        content = yaml.safe_load((CONF / "degradation" / f"{name}.yaml").read_text(encoding="utf-8"))
        return Spec.of(content, f"degradation.{name}")

    return read


@pytest.fixture(scope="session")
def split(split_spec: Callable[[str], Spec]) -> Callable[[str], Pipeline]:
    """The degradation of a split's configuration file."""
    return lambda name: split_spec(name).build()


@pytest.fixture(scope="session")
def faces() -> dict[str, Path]:
    return {sample.id: sample.hq for sample in BuiltinFaces().samples() if sample.hq}


@pytest.fixture
def texture() -> Pixels:
    """A smooth random image, not square, whose sides no scale divides."""
    noise = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (173, 131), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a small PNG for each name below a folder and return the folder."""

    def write(folder: str, *names: str) -> Path:
        png = cv2.imencode(".png", np.zeros((2, 2, 3), np.uint8))[1].tobytes()
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)
        return tmp_path / folder

    return write
