"""Learned perceptual image patch similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..api import Column, Meta, Weights
from ..spec import Location
from .sizes import require_side

if TYPE_CHECKING:
    from pathlib import Path

    import torch

_EPSILON = 1e-10  # added to the norm, as in the library's normalize_tensor
_CONVOLUTIONS = {  # library layer name of each convolution, in order
    "alex": ("slice1.0", "slice2.3", "slice3.6", "slice4.8", "slice5.10"),
    "vgg": (
        *("slice1.0", "slice1.2", "slice2.5", "slice2.7", "slice3.10", "slice3.12", "slice3.14"),
        *("slice4.17", "slice4.19", "slice4.21", "slice5.24", "slice5.26", "slice5.28"),
    ),
}
_BACKBONE = {"alex": "AlexNet_0", "vgg": "VGG16_0"}
_LAYERS = 5
_SMALLEST = {"alex": 31, "vgg": 16}


class Lpips:
    """LPIPS v0.1 of Zhang et al. (CVPR 2018), networks of the library `lpips`, RGB in `[-1, 1]`, whole image.

    Equals `lpips.LPIPS(net=net, version="0.1")`.  The reference's side, its normalised activations, is computed
    once.
    """

    version = 1
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, net: Literal["alex", "vgg"] = "alex", checkpoint: Location | None = None) -> None:
        """Choose the network; `checkpoint` replaces the registry's file of backbone and heads."""
        self.net = net
        self.identity = f"lpips(net={net},version=0.1,range=[-1,1])"
        self.columns = (
            Column(f"lpips_{net}", f"LPIPS-{net}", "1", higher_is_better=False, low=0.0, high=float("inf"), digits=4),
        )
        self.weights: Weights = {f"lpips-{net}-backbone": checkpoint}

    def load(self, device: torch.device) -> None:
        """Build the library's network and fill it from the verified file."""
        from ..weights import resolve

        (weight,) = resolve(self.weights).values()
        self._network, self._heads = _build(self.net, weight.path, device)

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> tuple[torch.Tensor, ...]:
        """Return the normalised activations of the five layers, channels last.

        Raises:
            ImageError: a side is so small that the last layer has no output.
        """
        import torch

        require_side(reference, _SMALLEST[self.net], "LPIPS")
        layers = []
        for activations in self._activations(reference):
            norms = torch.linalg.vector_norm(activations, dim=-1, keepdim=True)
            layers.append(activations.div_(norms + _EPSILON))
        return tuple(layers)

    def score(
        self, restored: torch.Tensor, state: tuple[torch.Tensor, ...], lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `lpips_alex` or `lpips_vgg` `(B,)`."""
        import torch

        total = torch.zeros(len(restored), dtype=torch.float64)
        for activations, reference, head in zip(self._activations(restored), state, self._heads, strict=True):
            total += _distance(activations, reference, head).cpu()
        return {self.columns[0].name: total}

    def _activations(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Activations `(B, H', W', C)` of images in `[0, 1]`."""
        import torch

        images = self._network.scaling_layer(2 * images - 1).contiguous(memory_format=torch.channels_last)
        return [layer.permute(0, 2, 3, 1) for layer in self._network.net(images)]


def _distance(activations: torch.Tensor, reference: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
    """Weighted squared distance of unit activations, mean over places: `(B,)` `float64`."""
    import torch

    norms = torch.linalg.vector_norm(activations, dim=-1, keepdim=True)
    difference = (activations / (norms + _EPSILON)).sub_(reference)
    distance: torch.Tensor = difference.square_() @ head
    return distance.flatten(1).mean(1, dtype=torch.float64)


def _build(net: str, file: Path, device: torch.device) -> tuple[Any, list[torch.Tensor]]:
    """Return the library's network and the five heads `(C,)`."""
    import warnings

    import lpips
    import torch

    from ..weights.unpickle import load_numpy_pickle

    content = load_numpy_pickle(file)
    with warnings.catch_warnings(), torch.device("meta"):  # the classifier would be drawn at random only to be dropped
        warnings.simplefilter("ignore", UserWarning)  # the library still says pretrained= to torchvision
        network = lpips.LPIPS(net=net, version="0.1", pretrained=False, pnet_rand=True, verbose=False)
    state = {}
    for index, name in enumerate(_CONVOLUTIONS[net]):
        convolution = content[_BACKBONE[net]][f"Conv_{index}"]
        state[f"{name}.weight"] = torch.from_numpy(convolution["kernel"].transpose(3, 2, 0, 1).copy())  # from HWIO
        state[f"{name}.bias"] = torch.from_numpy(convolution["bias"].copy())
    network.net.load_state_dict(state, assign=True)
    network.scaling_layer = lpips.ScalingLayer()  # its constants were lost on the meta device
    heads = [content[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].reshape(-1) for layer in range(_LAYERS)]
    network.net.to(device, memory_format=torch.channels_last).eval()
    network.scaling_layer.to(device)
    return network, [torch.from_numpy(head.copy()).to(device) for head in heads]
