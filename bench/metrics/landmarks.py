"""Landmark distance: did the eyes, the nose, the mouth and the outline stay where they were?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..api import Column, Meta, Weights
from ..errors import WeightsError
from ..images import to_pixels
from ..spec import Location
from . import face_detection
from .face_alignment import FFHQ_512, similarity
from .face_places import FacePlaces

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from ..images import Pixels
    from .face_alignment import Points

Scheme = Literal["insightface106", "dlib68"]

# The face's box on the FFHQ template, 512 x 512: mean over the built-in faces of what the detector that a predictor was
# trained behind finds there (SCRFD; dlib's).  x, y of the centre and the longer side.
_BOX: Mapping[Scheme, tuple[float, float, float]] = {"insightface106": (240, 288, 364), "dlib68": (250, 302, 310)}
_WEIGHT: Mapping[Scheme, str] = {"insightface106": "landmarks-2d106", "dlib68": "dlib-68-landmarks"}
_COUNT: Mapping[Scheme, int] = {"insightface106": 106, "dlib68": 68}
_SIDE = 192
_MARGIN = 1.5  # side of what the network sees / side of the box


class _Predictor(Protocol):
    """Images and the centre and side of a face's box in each, to landmarks `(count, 2)`."""

    def __call__(self, images: Sequence[Pixels], boxes: Sequence[tuple[float, float, float]]) -> list[Points]: ...


class LandmarkDistance:
    """Mean distance between the landmarks of the restored face and of the reference, in pixels of the image.

    `insightface106`: InsightFace's 2d106det, whose points equal those of insightface's `Landmark.get` for the same
    box.  `dlib68`: dlib's predictor of the iBUG points.  The box comes from five points of the face (`FacePlaces`), so
    that both images of an aligned pair are looked at in one place and nothing is lost where a detector fails.  The
    field's own LMD has 98 points of another network: its numbers are not these.
    """

    version = 1
    needs = frozenset({"reference"})
    uses_meta = ("alignment",)

    def __init__(
        self, scheme: Scheme = "insightface106", predictor: Location | None = None, detector: Location | None = None
    ) -> None:
        """Choose the landmarks; `predictor` and `detector` replace the registry's files."""
        self._scheme = scheme
        self.weights: Weights = {_WEIGHT[scheme]: predictor, "yunet": detector}
        name = f"lmd_{scheme}"
        self.columns = (
            Column(name, f"LMD ({scheme})", "px", higher_is_better=False, low=0.0, high=float("inf"), digits=2),
        )
        box = "x".join(f"{number:g}" for number in _BOX[scheme])
        self.identity = (
            f"lmd(points={scheme},box=ffhq512@{box},faces={face_detection.IDENTITY},distance=mean euclidean,unit=px)"
        )

    def load(self, device: torch.device) -> None:
        """Build the predictor, and the detector on the CPU.

        Raises:
            WeightsError: dlib is not installed.
        """
        from ..weights import resolve

        files = resolve(self.weights)
        file = files[_WEIGHT[self._scheme]].path
        self._predict: _Predictor = _Dlib(file) if self._scheme == "dlib68" else _InsightFace(file, device)
        self._places = FacePlaces(face_detection.FaceDetector(files["yunet"].path), "landmark distance")

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> tuple[torch.Tensor, ...]:
        """Return landmarks `(B, count, 2)`, the five points `(B, 5, 2)` and whether they are the template's `(B,)`.

        Raises:
            ImageError: an image said to be FFHQ-aligned is not square.
        """
        import torch

        images = to_pixels(reference)
        located = [self._places.locate(image, one) for image, one in zip(images, meta, strict=True)]
        points = np.stack([place for place, _ in located])
        landmarks = torch.from_numpy(self._landmarks(images, points))
        return landmarks, torch.from_numpy(points), torch.tensor([on_template for _, on_template in located])

    def score(
        self, restored: torch.Tensor, state: tuple[torch.Tensor, ...], lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `lmd_<scheme>` `(B,)`; NaN where a face was not found."""
        import torch

        landmarks, points, on_template = state
        images = to_pixels(restored)
        triples = zip(images, points.numpy(), on_template, strict=True)
        places = np.stack([self._places.find(image, place, bool(aligned)) for image, place, aligned in triples])
        shifts = torch.from_numpy(self._landmarks(images, places)) - landmarks
        return {self.columns[0].name: torch.linalg.vector_norm(shifts, dim=2).mean(1)}

    def _landmarks(self, images: Sequence[Pixels], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `(B, count, 2)`; NaN where the five points are."""
        found = [index for index, place in enumerate(points) if not np.isnan(place).any()]
        landmarks = np.full((len(images), _COUNT[self._scheme], 2), np.nan)
        if found:
            boxes = [_box(points[index], self._scheme) for index in found]
            landmarks[found] = self._predict([images[index] for index in found], boxes)
        return landmarks


def _box(points: Points, scheme: Scheme) -> tuple[float, float, float]:
    """Return centre and side of the upright box of a face with these five points."""
    x, y, side = _BOX[scheme]
    turn, move = similarity(FFHQ_512, points)
    centre = turn * complex(x, y) + move
    return centre.real, centre.imag, side * abs(turn)


class _InsightFace:
    """2d106det: RGB 192 x 192 around the box; the output is in [-1, 1] over that square."""

    def __init__(self, file: Path, device: torch.device) -> None:
        from .onnx_network import OnnxNetwork

        self._network = OnnxNetwork(file).to(device)
        self._device = device

    def __call__(self, images: Sequence[Pixels], boxes: Sequence[tuple[float, float, float]]) -> list[Points]:
        import cv2
        import torch

        crops, scales = [], []
        for image, (x, y, side) in zip(images, boxes, strict=True):
            scale = _SIDE / (side * _MARGIN)
            matrix = np.array([[scale, 0, _SIDE / 2 - scale * x], [0, scale, _SIDE / 2 - scale * y]])
            crops.append(cv2.warpAffine(image, matrix, (_SIDE, _SIDE), borderValue=0.0))
            scales.append(scale)
        inputs = torch.from_numpy(np.stack(crops)).to(self._device).permute(0, 3, 1, 2).float()
        output = self._network(inputs).double().cpu().numpy().reshape(len(images), -1, 2)
        # (output + 1) * 96 in the square, whose middle is the box's
        return [
            points * (_SIDE / 2) / scale + np.array([x, y])
            for points, scale, (x, y, _) in zip(output, scales, boxes, strict=True)
        ]


class _Dlib:
    """dlib's 68-point predictor (Kazemi and Sullivan, CVPR 2014), on the CPU."""

    def __init__(self, file: Path) -> None:
        try:
            import dlib
        except ImportError:
            raise WeightsError("lmd_dlib68 needs dlib: pip install 'restorebench[landmarks]'") from None
        self._dlib: Any = dlib
        self._predict = dlib.shape_predictor(str(file))

    def __call__(self, images: Sequence[Pixels], boxes: Sequence[tuple[float, float, float]]) -> list[Points]:
        return [self._of(image, *box) for image, box in zip(images, boxes, strict=True)]

    def _of(self, image: Pixels, x: float, y: float, side: float) -> Points:
        edges = (round(edge) for edge in (x - side / 2, y - side / 2, x + side / 2, y + side / 2))
        shape = self._predict(image, self._dlib.rectangle(*edges))
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)
