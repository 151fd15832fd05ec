"""A network exported by torch: TorchScript (`torch.jit.save`) or an exported program (`torch.export.save`).

Both are programs.  Neither runs Python code of its author when it is loaded here, but both run what they contain:
load only files whose origin is known, as any other program.  They are never downloaded.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bench.errors import RestorerError, WeightsError
from .own_network import OwnNetwork

if TYPE_CHECKING:
    import torch


class Exported(OwnNetwork):
    """A TorchScript file (usually `.pt`) or an exported program (usually `.pt2`); the file says which it is.

    Args: see `OwnNetwork`.
    """

    _module: Callable[[torch.Tensor], Any] | None = None

    def load(self, device: torch.device) -> None:
        """Load the program on `device`.

        Raises:
            WeightsError: the file is neither kind, cannot be loaded by this release of torch, or holds a pickle
                that is more than tensors.
        """
        from ..bench.weights import resolve

        path = resolve(self.weights)["checkpoint"].path
        names = _members(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch announces that TorchScript will go
                if any(name.endswith("/constants.pkl") for name in names):
                    self._module = _script(path, device)
                elif any(name.endswith("archive_format") for name in names):
                    _refuse_pickles(path)
                    self._module = _program(path, device)
        except WeightsError:
            raise
        except Exception as error:  # damaged files raise nearly anything
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            raise WeightsError(f"{path}: cannot be loaded ({type(error).__name__}: {reason})") from None
        if self._module is None:
            raise WeightsError(
                f"{path}: neither TorchScript (torch.jit.save) nor an exported program (torch.export.save); "
                "a state dict needs its network: try the adapter spandrel"
            )

    def call(self, image: torch.Tensor) -> torch.Tensor:
        """Run the program; of several outputs the first is the image.

        Raises:
            RestorerError: `load` was not called, or the program gives no image.
        """
        if self._module is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        output = self._module(image)
        image = output[0] if isinstance(output, tuple | list) else output
        if not hasattr(image, "shape"):
            raise RestorerError(f"{self.checkpoint} gave a {type(image).__name__}, expected an image (1, 3, H, W)")
        return image


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: cannot be read as an exported network ({error})") from None


def _script(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    import torch

    load: Any = torch.jit.load
    module: torch.nn.Module = load(str(path), map_location=device)
    return module.eval()


def _program(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    import torch
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(torch.export.load(path), device).module()


def _refuse_pickles(path: Path) -> None:
    """Refuse pickles that are more than tensors, which `torch.export.load` would unpickle without restriction."""
    import torch

    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name) if name.endswith((".pt", ".pth", ".json")) else b""
            if "custom_obj" in name or (name.endswith("config.json") and b'"use_pickle": true' in data):
                raise WeightsError(f"{path}: holds pickled objects ({name}); export it again without them")
            if name.endswith((".pt", ".pth")) and data:
                try:
                    torch.load(io.BytesIO(data), weights_only=True)
                except pickle.UnpicklingError:
                    raise WeightsError(f"{path}: {name} holds more than tensors, so it was not loaded") from None
