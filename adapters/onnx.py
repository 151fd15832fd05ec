"""An ONNX file through ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench.errors import RestorerError, WeightsError, listing
from .own_network import OwnNetwork

if TYPE_CHECKING:
    import torch

_KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Onnx(OwnNetwork):
    """A network in an ONNX file with one image as input; its first output is the image.

    An ONNX file is data: a graph of known operators, no program.  On a GPU it runs there when the installed ONNX
    Runtime can (package `onnxruntime-gpu`), else on the CPU.

    Args: see `OwnNetwork`.
    """

    _session: Any = None

    def load(self, device: torch.device) -> None:
        """Open the file for `device`, with as many threads as torch uses.

        Raises:
            WeightsError: the file is no ONNX model, or takes something else than one image.
        """
        import onnxruntime
        import torch

        from ..bench.weights import resolve

        path = resolve(self.weights)["checkpoint"].path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors only; what matters is raised
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=_providers(device))
        except Exception as error:  # the runtime has no common exception class
            raise WeightsError(f"{path}: cannot be read as an ONNX model ({str(error).splitlines()[0]})") from None
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _KINDS:
            found = listing(f"{one.name}: {one.type}{one.shape}" for one in inputs)
            raise WeightsError(f"{path}: takes {found}; expected one image of floats (1, 3, H, W)")
        self._session, self._input = session, inputs[0]

    def call(self, image: torch.Tensor) -> torch.Tensor:
        """Run the graph.

        Raises:
            RestorerError: `load` was not called, or the runtime refuses the image, as when the file was exported
                for another size.
        """
        import torch

        if self._session is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        values = image.cpu().numpy().astype(_KINDS[self._input.type])
        try:
            output = self._session.run(None, {self._input.name: values})[0]
        except Exception as error:
            shape, reason = list(values.shape), str(error).splitlines()[0]
            raise RestorerError(f"{self.checkpoint} takes {self._input.shape}, got {shape} ({reason})") from None
        return torch.from_numpy(np.asarray(output, dtype=np.float32)).to(image.device)


def _providers(device: torch.device) -> list[Any]:
    """Return the execution providers to try, best first."""
    import onnxruntime

    wanted = {"cuda": ("CUDAExecutionProvider", {"device_id": device.index or 0})}.get(device.type)
    there = wanted is not None and wanted[0] in onnxruntime.get_available_providers()
    return [*([wanted] if there else []), "CPUExecutionProvider"]
