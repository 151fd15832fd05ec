"""Read a pickle that holds nothing but containers and numpy arrays, without running anything else."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from ..errors import WeightsError

_ALLOWED = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        # rebuilders of arrays and scalars: numpy 1 called the module `core`, numpy 2 `_core`
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),  # how protocol 2 writes the bytes of an array
    }
)


class _NumpyOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_numpy_pickle(path: Path) -> Any:
    """Return the dicts, lists, numbers, strings and numpy arrays of a pickle file.

    Raises:
        WeightsError: the file names anything else; nothing of it has run.
    """
    try:
        content = _NumpyOnly(io.BytesIO(path.read_bytes())).load()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # damaged pickles raise nearly anything
        raise WeightsError(f"{path}: not a pickle of plain numpy arrays ({error}); it was not loaded") from None
    _refuse_objects(content, path)
    return content


def _refuse_objects(content: Any, path: Path) -> None:
    """An object array is a second way to smuggle surprises into the caller; weights never have one."""
    if isinstance(content, dict):
        for value in content.values():
            _refuse_objects(value, path)
    elif isinstance(content, list | tuple):
        for value in content:
            _refuse_objects(value, path)
    elif getattr(getattr(content, "dtype", None), "hasobject", False):
        raise WeightsError(f"{path}: holds an array of Python objects instead of numbers")
