"""Faces and their five points, by YuNet.

Wu et al., YuNet: a tiny millisecond-level face detector (2023); MIT licence, runs in OpenCV.  Chosen over SCRFD-500M:
on five faces, sharp and degraded x16, it missed none where SCRFD missed five at its usual size, and its weights may
be used freely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from ..images import Pixels
    from .face_alignment import Points

# Longest sides the image is brought down to, in turn, until a face is found: YuNet was trained for faces of 10 to 300
# pixels, and places points on large soft faces badly.
_SIDES = (320, 1024)
# Of a photo that may hold several, near and far, all of these are looked at.
_PHOTO_SIDES = (320, 1024, 2048)
_LARGEST = 300
_CONFIDENCE = 0.6
_OVERLAP = 0.3
IDENTITY = "yunet-2023mar@320,1024"


class Face(NamedTuple):
    """A detected face in pixels of the image: `points` `(5, 2)`, `centre` and `area` of its box."""

    points: Points
    centre: Points
    area: float


class FaceDetector:
    """YuNet through OpenCV, on the CPU."""

    def __init__(self, file: Path) -> None:
        """Build the detector from its ONNX file."""
        import cv2

        logging = cv2.utils.logging
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns about a backend choice nobody made
        try:
            self._net = cv2.FaceDetectorYN.create(str(file), "", (_SIDES[0], _SIDES[0]), _CONFIDENCE, _OVERLAP)
        finally:
            logging.setLogLevel(level)

    def __call__(self, image: Pixels) -> list[Face]:
        """Return the faces of a `uint8` RGB image, largest first; empty when there is none."""
        longest = max(image.shape[:2])
        for side in sorted({min(side, longest) for side in _SIDES}):
            faces = self._detect(image, side / longest)
            if faces:
                return sorted(faces, key=lambda face: -face.area)
        return []

    def every(self, image: Pixels) -> list[Face]:
        """Return all faces of a photo, largest first; each at the largest size at which it is one YuNet was made for."""
        found: list[Face] = []
        longest = max(image.shape[:2])
        sides = sorted({min(side, longest) for side in _PHOTO_SIDES})
        for side in reversed(sides):
            most = np.inf if side == sides[0] else _LARGEST * longest / side
            for face in self._detect(image, side / longest):
                if face.area <= most**2 and not any(_same(face, known) for known in found):
                    found.append(face)
        return sorted(found, key=lambda face: -face.area)

    def _detect(self, image: Pixels, scale: float) -> list[Face]:
        import cv2

        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else image
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(np.ascontiguousarray(small[:, :, ::-1]))
        back = np.array([image.shape[1] / width, image.shape[0] / height])
        return [_face(row.astype(np.float64), back) for row in (rows if rows is not None else ())]


def _face(row: Points, back: Points) -> Face:
    corner, size = row[0:2] * back, row[2:4] * back
    return Face(row[4:14].reshape(5, 2) * back, corner + size / 2, float(size.prod()))


def _same(one: Face, other: Face) -> bool:
    return bool(np.linalg.norm(one.centre - other.centre) < max(one.area, other.area) ** 0.5 / 2)


def nearest(faces: list[Face], points: Points) -> Face | None:
    """Return the face whose points lie nearest to the given ones, or None when there is none."""
    return min(faces, key=lambda face: float(np.linalg.norm(face.points - points)), default=None)
