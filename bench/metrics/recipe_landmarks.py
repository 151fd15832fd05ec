"""Landmark distance of the field's scripts: 98 points by the Adaptive Wing network on the whole image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api import Column, Meta, Weights
from ..images import to_pixels
from ..spec import Location

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from ..images import Pixels

_SIDE = 256  # of what the network sees
_MAP = 64  # side of its heat maps
_POINTS = 98


class VqfrLandmarks:
    """LMD of VQFR's `calculate_landmark_distance.py`: mean distance of 98 WFLW points, in pixels of the image.

    The whole image is brought to 256 x 256; a point is the brightest place of its 64 x 64 map, a quarter pixel towards
    the brighter neighbour, half a pixel on.  No face is detected, so nothing is ever missed.  PMRF's LMD comes from a
    copy of this script.  The network is facexlib's, the released weights are Adaptive Wing's.

    Source:
        Wang et al., Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression, ICCV 2019.
    """

    version = 1
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()
    columns = (Column("lmd_vqfr", "LMD (vqfr)", "px", higher_is_better=False, low=0.0, high=float("inf"), digits=2),)
    identity = (
        "lmd(recipe=vqfr,net=awing-fan4,points=wflw98,resize=opencv-bilinear256,range=[0,1],crop=none,"
        "peak=argmax+quarter+half,distance=mean euclidean,unit=px)"
    )

    def __init__(self, checkpoint: Location | None = None) -> None:
        """`checkpoint` replaces the registry's `alignment_WFLW_4HG.pth`."""
        self.weights: Weights = {"wflw-98-landmarks": checkpoint}

    def load(self, device: torch.device) -> None:
        """Read the network."""
        from ..weights import resolve

        (weight,) = resolve(self.weights).values()
        self._network: Any = load_network(weight.path).to(device)
        self._device = device

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> torch.Tensor:
        """Return the references' points `(B, 98, 2)`, `float64`, x first."""
        return self._points(reference)

    def score(
        self, restored: torch.Tensor, state: torch.Tensor, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `lmd_vqfr` `(B,)` in pixels."""
        import torch

        return {"lmd_vqfr": torch.linalg.vector_norm(self._points(restored) - state, dim=2).mean(1)}

    def _points(self, images: torch.Tensor) -> torch.Tensor:
        import torch

        pixels = to_pixels(images)
        small = torch.from_numpy(np.stack([_small(image) for image in pixels])).to(self._device)
        planes = small.permute(0, 3, 1, 2).contiguous()  # as the script: in another layout the last bits differ
        maps, _ = self._network(planes.float().div_(255))
        heat = maps[-1][:, :_POINTS].float().cpu().numpy()
        scale = np.array([images.shape[3], images.shape[2]]) / _MAP
        return torch.from_numpy(np.stack([peaks(one) for one in heat]) * scale)


def _small(image: Pixels) -> Pixels:
    import cv2

    return np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def peaks(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where the maps `(N, H, W)` of one image are brightest, `(N, 2)`, x first, as facexlib reads them.

    Its quirks: the neighbours are those in memory, so that the first and the last column are neighbours; and if any
    point of the image lies in the first or last row, *all* points compare with the map's first or last value there.
    """
    count, height, width = maps.shape
    lines = maps.reshape(count, height * width)
    rows, last = np.arange(count), height * width - 1
    at = lines.argmax(axis=1)
    right = lines[rows, np.minimum(at + 1, last)]  # facexlib raises where that is beyond the map
    left = lines[rows, at - 1]
    below = lines[rows, last] if (at + width > last).any() else lines[rows, at + width]
    above = lines[rows, 0] if (at - width <= 0).any() else lines[rows, at - width]
    shift = 0.25 * np.sign(np.stack([right - left, below - above], axis=1)).astype(np.float64)
    return np.asarray(np.stack([at % width, at // width], axis=1) + shift + 0.5, dtype=np.float64)


def load_network(file: Path) -> torch.nn.Module:
    """Read the released file.

    Raises:
        WeightsError: it is damaged, or of another network; the message lists what differs.
    """
    from facexlib.alignment.awing_arch import FAN

    from ..checkpoint import load_strict, read

    network = FAN(num_modules=4, num_landmarks=_POINTS, device="cpu")
    return load_strict(network, read(file, holders=["state_dict"]), f"{file.name} as the Adaptive Wing network")
