"""Identity distances of the field's scripts: whole gray images through ArcFace ResNet18."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api import Column, Meta, Weights
from ..images import to_pixels
from ..spec import Location

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..images import Pixels

# How OpenCV reads a colour PNG as gray: libpng's weights of 0.299 and 0.587, in 1/32768, and the fraction dropped.
# cv2.cvtColor rounds; half of all pixels differ by 1.
_RED, _GREEN, _BLUE = 9797, 19234, 3737
_ALMOST_EQUAL = 1.0  # degrees; VQFR leaves such pairs out of its mean


class _WholeImage:
    """Embeddings of whole images; what is scored is the angle between them."""

    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    version = 1

    def __init__(self, weight: str, checkpoint: str | None, shrink: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.weights: Weights = {weight: checkpoint}
        self._shrink = shrink

    def load(self, device: torch.device) -> None:
        """Read the network."""
        from ..weights import resolve
        from .arcface_resnet import load_network

        (weight,) = resolve(self.weights).values()
        self._network: Any = load_network(weight.path).to(device)

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> torch.Tensor:
        """Return the references' unit embeddings `(B, 512)`, `float64`."""
        return self._embed(reference)

    def _embed(self, images: torch.Tensor) -> torch.Tensor:
        import torch

        features: torch.Tensor = self._network(self._shrink(images)).double().cpu()
        lengths: torch.Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
        return features / lengths

    def _angle(self, restored: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """Angles `(B,)` in radians; through the chord, which is exactly 0 for equal embeddings."""
        chord = (self._embed(restored) - state).square().sum(1).clamp_(max=4).sqrt()
        return (chord / 2).asin() * 2


class VqfrDegrees(_WholeImage):
    """Deg of VQFR's `calculate_cos_dist.py`: whole image, gray as OpenCV reads it, 128 x 128, degrees.

    Pairs below 1 degree are no value but a miss, so that they are left out of the mean, as there, and counted.
    PMRF's, BFRffusion's and DifFace's Deg or IDS come from copies of this script.
    """

    columns = (Column("deg_vqfr", "Deg (vqfr)", "degrees", higher_is_better=False, low=0.0, high=180.0, digits=2),)
    identity = (
        "deg(recipe=vqfr,net=arcface-resnet18,gray=libpng,resize=opencv-bilinear128,range=[-1,1],crop=none,"
        "below_1_degree=left out)"
    )

    def __init__(self, checkpoint: Location | None = None) -> None:
        """`checkpoint` replaces the registry's `resnet18_110.pth`."""
        super().__init__("arcface-resnet18-110", checkpoint, _vqfr_input)

    def score(
        self, restored: torch.Tensor, state: torch.Tensor, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `deg_vqfr` `(B,)`; NaN for almost equal pairs."""
        degrees = self._angle(restored, state).rad2deg()
        return {"deg_vqfr": degrees.where(degrees >= _ALMOST_EQUAL, float("nan"))}


def _vqfr_input(images: torch.Tensor) -> torch.Tensor:
    import torch

    small = np.stack([_small(image) for image in to_pixels(images)])
    return torch.from_numpy(small).to(images.device)[:, None].float().sub_(127.5).div_(127.5)


def _small(image: Pixels) -> NDArray[np.uint8]:
    import cv2

    wide = image.astype(np.int32)
    gray = (_RED * wide[..., 0] + _GREEN * wide[..., 1] + _BLUE * wide[..., 2]) >> 15
    return np.asarray(cv2.resize(gray.astype(np.uint8), (128, 128), interpolation=cv2.INTER_LINEAR))


class RestoreFormerRadians(_WholeImage):
    """Identity distance of RestoreFormer's `cal_identity_distance.py`, in radians.

    Its quirks: the images are in [0, 1] where the network was trained on [-1, 1], and they are blue first while the
    gray weights are for red first.  That it divides the sum by the number of references, missing results or not, is
    in `reports.restoreformer`.
    """

    columns = (
        Column(
            "identity_restoreformer",
            "ID (restoreformer)",
            "radians",
            higher_is_better=False,
            low=0.0,
            high=np.pi,
            digits=4,
        ),
    )
    identity = (
        "identity(recipe=restoreformer,net=arcface-resnet18,gray=0.2989B+0.587G+0.114R,resize=torch-bilinear128,"
        "range=[0,1],crop=none,unit=radians)"
    )

    def __init__(self, checkpoint: Location | None = None) -> None:
        """`checkpoint` replaces the registry's `arcface_resnet18.pth`."""
        super().__init__("arcface-resnet18", checkpoint, _restoreformer_input)

    def score(
        self, restored: torch.Tensor, state: torch.Tensor, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `identity_restoreformer` `(B,)` in radians."""
        return {"identity_restoreformer": self._angle(restored, state)}


def _restoreformer_input(images: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    red, green, blue = images.unbind(1)
    gray = (0.2989 * blue + 0.5870 * green + 0.1140 * red)[:, None]
    return functional.interpolate(gray, (128, 128), mode="bilinear", align_corners=False)
