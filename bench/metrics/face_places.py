"""Where the face that counts is, in a reference and in its restored image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..api import Meta
from ..errors import ImageError
from . import face_detection
from .face_alignment import is_aligned, template

if TYPE_CHECKING:
    from ..images import Pixels
    from .face_alignment import Points

UNFOUND = np.full((5, 2), np.nan)


class FacePlaces:
    """Five points of the largest face of a reference, and of the same face in a restored image.

    By `meta["alignment"]`: `ffhq_512` - on the FFHQ five-point template scaled to the image, in both images; `none` -
    detected in each image; `auto` (also when it is not said) - detected in the reference, and if it sits on the
    template there, the template is used for both.
    """

    def __init__(self, detect: face_detection.FaceDetector, metric: str) -> None:
        """`metric` is whose name messages begin with."""
        self._detect = detect
        self._metric = metric

    def locate(self, image: Pixels, meta: Meta) -> tuple[Points, bool]:
        """Return the five points of the reference's face, NaN if there is none, and whether it sits on the template.

        Raises:
            ImageError: an image said to be FFHQ-aligned is not square.
        """
        alignment = meta.get("alignment", "auto")
        height, width = image.shape[:2]
        if alignment == "ffhq_512":
            if height != width:
                raise ImageError(
                    f"{self._metric}: an FFHQ-aligned image is square, this one is {width} x {height}; alignment=auto"
                )
            return template(width), True
        faces = self._detect(image)
        if not faces:
            return UNFOUND, False
        if alignment == "auto" and is_aligned(faces[0].points, height, width):
            return template(width), True
        return faces[0].points, False

    def find(self, image: Pixels, reference: Points, on_template: bool) -> Points:
        """Return the five points of the same face in a restored image; NaN if it is not found."""
        if on_template or np.isnan(reference).any():
            return reference
        face = face_detection.nearest(self._detect(image), reference)
        return UNFOUND if face is None else face.points
