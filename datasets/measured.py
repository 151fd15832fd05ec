"""Motion blur by kernels that were measured, such as the 32 that DFDNet's repository has."""

# ruff: noqa: ARG002 - a step takes what the protocol hands it, and most need only a part

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..bench.errors import ConfigError
from ..bench.spec import Location
from .blurs import correlate
from .kernels import Kernel
from .ranges import pick
from .steps import Floats


@dataclass(frozen=True)
class MeasuredMotion:
    """Blur with one of several kernels from files, all alike.

    What the files hold is part of the split's identity, where they lie is not.

    Attributes:
        kernels: folder of `.mat` files with an array `kernel` each, as `data/MotionBlurKernel` of
            csxmli2016/DFDNet @ df94970 (`m_01.mat` to `m_32.mat`, sides 7 to 35), or one `.npz` of such arrays.
    """

    kernels: Location
    name = "measured"

    @property
    def content(self) -> str:
        """Digest of the kernels.

        Raises:
            ConfigError: there are none, or a file holds something else.
        """
        whole = hashlib.sha256()
        for name, kernel in _read(self.kernels):
            whole.update(f"{name} {kernel.shape}".encode() + kernel.tobytes())
        return whole.hexdigest()[:32]

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw which kernel."""
        found = _read(self.kernels)
        return {"kernel": found[pick(generator, len(found))][0]}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Convolve each channel with the kernel, as `cv2.filter2D` does."""
        return correlate(image, self.kernel(drawn))

    def kernel(self, drawn: Mapping[str, Any]) -> Kernel:
        """Return the kernel that was drawn."""
        return dict(_read(self.kernels))[drawn["kernel"]]


@lru_cache(maxsize=4)
def _read(place: str) -> tuple[tuple[str, Kernel], ...]:
    """Return name and kernel of each file, by name."""
    path = Path(place).expanduser()
    if path.suffix == ".npz" and path.is_file():
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in sorted(archive.files)}
    else:
        found = {file.stem: _matlab(file) for file in sorted(path.glob("*.mat"))}
    if not found:
        raise ConfigError(
            f"measured motion: no kernels in {place}; a folder of .mat files is expected, such as data/MotionBlurKernel of "
            "github.com/csxmli2016/DFDNet, or one .npz"
        )
    return tuple((name, _checked(f"{place}: {name}", kernel)) for name, kernel in found.items())


def _matlab(file: Path) -> Any:
    from scipy.io import loadmat

    try:
        return loadmat(file, variable_names=["kernel"])["kernel"]
    except Exception as error:  # damaged files raise nearly anything
        raise ConfigError(f"{file}: no MATLAB file with an array 'kernel' ({type(error).__name__}: {error})") from None


def _checked(what: str, kernel: Any) -> Kernel:
    """Return a kernel with sum 1."""
    values = np.asarray(kernel)
    odd = values.ndim == 2 and values.shape[0] == values.shape[1] and values.shape[0] % 2 == 1
    if not odd or values.dtype.kind not in "fiu" or not np.isfinite(values).all() or values.sum() <= 0:
        raise ConfigError(
            f"{what}: an array of shape {values.shape}; a square of odd side with a sum above 0 is expected"
        )
    return np.asarray(values / values.sum(), dtype=np.float64)
