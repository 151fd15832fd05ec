"""Identity: does a face recogniser see the same person?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..api import Column, Meta, Weights
from ..images import to_pixels
from ..spec import Location
from . import face_detection
from .face_alignment import crop
from .face_places import FacePlaces

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..images import Pixels


class Faces(NamedTuple):
    """The reference's side.

    Attributes:
        pixels: the images, `(B, H, W, 3)` `uint8`.
        embeddings: `(B, 512)` unit vectors `float64`, NaN where no face was found.
        points: `(B, 5, 2)` where the face is, NaN where none was found.
        on_template: `(B,)` the image is FFHQ-aligned, so that restored images need no detection.
    """

    pixels: NDArray[np.uint8]
    embeddings: torch.Tensor
    points: torch.Tensor
    on_template: torch.Tensor


class Identity:
    """Cosine and angle between the embeddings of the restored face and the reference.

    Recogniser: InsightFace w600k_mbf (ArcFace MobileFaceNet, WebFace600K), 112 x 112 RGB, `(x - 127.5) / 127.5`.
    Crops and embeddings equal insightface's `norm_crop` and `ArcFaceONNX.get_feat`.

    Where the face is: see `FacePlaces`.  The largest face of the reference counts, and in the restored image the one
    nearest to it.  A face that is not found gives NaN, a miss.
    """

    columns = (
        Column("identity_cos", "ID-cos", "1", higher_is_better=True, low=-1.0, high=1.0, digits=4),
        Column("identity_deg", "Deg", "degrees", higher_is_better=False, low=0.0, high=180.0, digits=2),
    )
    identity = f"identity(net=arcface-w600k-mbf,crop=arcface112,range=[-1,1],faces={face_detection.IDENTITY},flip=no)"
    version = 1
    needs = frozenset({"reference"})
    uses_meta = ("alignment",)

    def __init__(self, recogniser: Location | None = None, detector: Location | None = None) -> None:
        """`recogniser` and `detector` replace the registry's ONNX files."""
        self.weights: Weights = {"arcface-w600k-mbf": recogniser, "yunet": detector}

    def load(self, device: torch.device) -> None:
        """Build the recogniser on `device` and the detector on the CPU."""
        import torch

        from ..weights import resolve
        from .onnx_network import OnnxNetwork

        files = resolve(self.weights)
        self._device = device
        self._recogniser = OnnxNetwork(files["arcface-w600k-mbf"].path).to(device).to(memory_format=torch.channels_last)
        self._detect = face_detection.FaceDetector(files["yunet"].path)
        self._places = FacePlaces(self._detect, "identity")

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> Faces:
        """Find and embed the reference faces.

        Raises:
            ImageError: an image said to be FFHQ-aligned is not square.
        """
        import torch

        images = to_pixels(reference)
        located = [self._places.locate(image, one) for image, one in zip(images, meta, strict=True)]
        points = [place for place, _ in located]
        return Faces(
            np.stack(images),
            self._embed(images, points),
            torch.from_numpy(np.stack(points)),
            torch.tensor([on_template for _, on_template in located]),
        )

    def score(
        self, restored: torch.Tensor, state: Faces, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `identity_cos` and `identity_deg`, `(B,)` each; NaN where a face was not found."""
        references, embeddings, points, on_template = state
        images = to_pixels(restored)
        own = embeddings
        if not np.array_equal(images, references):
            places = [
                self._places.find(image, place, bool(aligned))
                for image, place, aligned in zip(images, points.cpu().numpy(), on_template, strict=True)
            ]
            own = self._embed(images, places)
        # through the chord, which is exactly 0 for equal embeddings, unlike 1 - cos and arccos
        chord = (own - embeddings).square().sum(1).clamp_(max=4).sqrt()
        return {"identity_cos": 1 - chord.square() / 2, "identity_deg": (chord / 2).asin().mul(2).rad2deg()}

    def _embed(self, images: Sequence[Pixels], points: Sequence[NDArray[np.float64]]) -> torch.Tensor:
        """Return unit embeddings `(B, 512)` on the CPU; rows without a face are NaN."""
        import torch

        found = [index for index, place in enumerate(points) if not np.isnan(place).any()]
        embeddings = torch.full((len(images), 512), float("nan"), dtype=torch.float64)
        if found:
            crops = np.stack([crop(images[index], points[index]) for index in found])
            inputs = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
            features = self._recogniser(inputs).double().cpu()
            embeddings[found] = features / torch.linalg.vector_norm(features, dim=1, keepdim=True)
        return embeddings
