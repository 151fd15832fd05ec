"""Learned perceptual image patch similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..api import Column, Meta, Weights
from ..spec import Location
from .precision import Precision, computing_in, stated
from .sizes import require_side

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from .lpips_network import Net, Trunk

_EPSILON = 1e-10  # added to the norm, as in the library's normalize_tensor
_BACKBONE = {"alex": "AlexNet_0", "vgg": "VGG16_0"}
_LAYERS = 5
_SMALLEST = {"alex": 31, "vgg": 16}


class References(NamedTuple):
    """The reference's side.

    Attributes:
        images: `(B, 3, H, W)` in `[0, 1]`.
        layers: unit activations of the five layers, `(B, H', W', C)` each.
    """

    images: torch.Tensor
    layers: tuple[torch.Tensor, ...]


class Lpips:
    """LPIPS v0.1 of Zhang et al. (CVPR 2018), networks as in the library `lpips`, RGB in `[-1, 1]`, whole image.

    Equals `lpips.LPIPS(net=net, version="0.1")`.  The reference's side, its normalised activations, is computed
    once.
    """

    version = 1
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, net: Net = "alex", checkpoint: Location | None = None, precision: Precision = "float32") -> None:
        """Choose the network.

        Args:
            net: `alex` or `vgg`.
            checkpoint: replaces the registry's file of backbone and heads.
            precision: `bfloat16` is faster where the device has it, and is another metric: its identity says so.
        """
        self.net: Net = net
        self.precision: Precision = precision
        self.identity = f"lpips(net={net},version=0.1,range=[-1,1]{stated(precision)})"
        self.columns = (
            Column(f"lpips_{net}", f"LPIPS-{net}", "1", higher_is_better=False, low=0.0, high=float("inf"), digits=4),
        )
        self.weights: Weights = {f"lpips-{net}-backbone": checkpoint}

    def load(self, device: torch.device) -> None:
        """Build the library's network and fill it from the verified file."""
        from ..weights import resolve

        (weight,) = resolve(self.weights).values()
        self._network, self._heads = _build(self.net, weight.path, device)

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> References:
        """Return the normalised activations of the five layers, channels last.

        Raises:
            ImageError: a side is so small that the last layer has no output.
        """
        require_side(reference, _SMALLEST[self.net], "LPIPS")
        return References(reference, tuple(_unit(activations) for activations in self._activations(reference)))

    def score(
        self, restored: torch.Tensor, state: References, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `lpips_alex` or `lpips_vgg` `(B,)`."""
        import torch

        references, layers = state
        total = torch.zeros(len(restored), dtype=torch.float64)
        if not torch.equal(restored, references):  # else 0 to the last bit, as for the reference row of every table
            for activations, reference, head in zip(self._activations(restored), layers, self._heads, strict=True):
                total += _distance(activations, reference, head).cpu()
        return {self.columns[0].name: total}

    def _activations(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Activations `(B, H', W', C)` of images in `[0, 1]`."""
        with computing_in(self.precision, images.device):
            layers = self._network((2 * images).sub_(1))
        return [layer.float().permute(0, 2, 3, 1) for layer in layers]


def _unit(activations: torch.Tensor) -> torch.Tensor:
    """Divide by the length over the channels, in place."""
    import torch

    return activations.div_(torch.linalg.vector_norm(activations, dim=-1, keepdim=True).add_(_EPSILON))


def _distance(activations: torch.Tensor, reference: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    """Weighted squared distance of unit activations, mean over places: `(B,)` `float64`."""
    import torch

    distance: torch.Tensor = _unit(activations).sub_(reference).square_() @ head
    return distance.flatten(1).mean(1, dtype=torch.float64)


def _build(net: Net, file: Path, device: torch.device) -> tuple[Trunk, list[torch.Tensor]]:
    """Return the network and the five heads `(C,)`."""
    import torch

    from ..weights.unpickle import load_numpy_pickle
    from .lpips_network import Trunk

    content = load_numpy_pickle(file)
    network = Trunk(net)
    state = {}
    for index, name in enumerate(network.convolutions()):
        convolution = content[_BACKBONE[net]][f"Conv_{index}"]
        state[f"{name}.weight"] = torch.from_numpy(convolution["kernel"].transpose(3, 2, 0, 1).copy())  # from HWIO
        state[f"{name}.bias"] = torch.from_numpy(convolution["bias"].copy())
    network.load_state_dict(state, assign=True)
    heads = [content[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].reshape(-1) for layer in range(_LAYERS)]
    network.to(device).to(memory_format=torch.channels_last).requires_grad_(requires_grad=False)
    return network, [torch.from_numpy(head.copy()).to(device) for head in heads]
