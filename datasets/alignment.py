"""Cutting faces out of photos as the field does, and pasting restored ones back.

Two crops are called FFHQ-aligned.  The five-point warp of facexlib (GFP-GAN, CodeFormer, DiffBIR) brings five points
onto a template by a similarity; the quad of FFHQ itself is laid around eyes and mouth of dlib's 68 points.  A `matrix`
is `(2, 3)` and takes pixel centres x, y of the photo to pixel centres of the face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..bench.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from ..bench.images import Pixels

    Points = NDArray[np.float64]
    Matrix = NDArray[np.float64]

BORDER = (132, 133, 135)
"""RGB beyond the photo's edge; facexlib@260620a writes it as BGR (135, 133, 132)."""

FEATHER = 0.08
"""Share of the face's side over which a pasted face fades in; hair and neck are there, not features."""


def five_point_matrix(points: Points, template: Points) -> Matrix:
    """Return the similarity that brings five points onto the template, by least median of squares.

    Args:
        points: `(5, 2)` in the photo: eye, eye, nose, mouth corner, mouth corner, left of the picture first.
        template: `(5, 2)` where they should be in the face.

    Raises:
        ImageError: the points lie on one spot.
    """
    import cv2

    matrix, _ = cv2.estimateAffinePartial2D(points, template, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all():
        raise ImageError("the five points of the face lie on one spot")
    return np.asarray(matrix, dtype=np.float64)


def warp(photo: Pixels, matrix: Matrix, size: int) -> Pixels:
    """Cut out a face `(size, size, 3)`, bilinear, gray beyond the edge, as facexlib does."""
    import cv2

    return np.asarray(
        cv2.warpAffine(photo, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT, borderValue=BORDER), dtype=np.uint8
    )


class Quad(NamedTuple):
    """A square around a face: `centre`, and half its sides as vectors `across` (to the right) and `down`, pixels."""

    centre: Points
    across: Points
    down: Points

    @property
    def side(self) -> float:
        """Length of a side in pixels."""
        return 2 * float(np.hypot(*self.across))

    @property
    def corners(self) -> Points:
        """Corners `(4, 2)`: upper left, lower left, lower right, upper right."""
        c, x, y = self
        return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])

    def matrix(self, size: int) -> Matrix:
        """Return the similarity from the photo to a face of `size` pixels."""
        axes = np.stack([self.across, self.down]) * (2 * size / self.side**2)
        origin = self.centre - self.across - self.down
        return np.column_stack([axes, -axes @ origin - 0.5])


def ffhq_quad(landmarks: Points) -> Quad:
    """Lay the square of FFHQ around a face (download_ffhq.py of NVlabs/ffhq-dataset@4826aa6).

    Args:
        landmarks: `(68, 2)` in iBUG order.
    """
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    eyes, mouth = (left + right) / 2, (landmarks[48] + landmarks[54]) / 2
    eye_to_eye, eye_to_mouth = right - left, mouth - eyes
    across = eye_to_eye - _turned(eye_to_mouth)
    across = across / np.hypot(*across) * max(2.0 * np.hypot(*eye_to_eye), 1.8 * np.hypot(*eye_to_mouth))
    return Quad(eyes + 0.1 * eye_to_mouth, across, _turned(across))


def _turned(vector: Points) -> Points:
    """Turn a vector by a quarter, clockwise as seen in the picture."""
    return np.array([-vector[1], vector[0]])


def cut_quad(photo: Pixels, quad: Quad, size: int) -> Pixels:
    """Cut out a face `(size, size, 3)` as FFHQ was: shrink, mirror and fade beyond the edge, sample at 4 x, reduce."""
    from PIL import Image

    shrink = int(quad.side / size / 2)
    image: Picture = Image.fromarray(photo)
    corners, side = quad.corners + 0.5, quad.side  # edges instead of centres of pixels
    if shrink > 1:
        small = (round(image.width / shrink), round(image.height / shrink))
        corners, side = corners * (small[0] / image.width, small[1] / image.height), side / shrink
        image = image.resize(small, Image.Resampling.LANCZOS)
    margin = max(round(side * 0.1), 3)
    low, high = np.floor(corners.min(0)).astype(int) - margin, np.ceil(corners.max(0)).astype(int) + margin
    beyond = max(0, *(-low), *(high - image.size))
    if beyond > margin - 4:
        image, offset = _mirrored(image, low, high, side)
    else:
        low, high = low.clip(0), np.minimum(high, image.size)
        image, offset = image.crop((int(low[0]), int(low[1]), int(high[0]), int(high[1]))), low
    data = tuple(float(value) for value in (corners - offset).ravel())
    large = image.transform((4 * size, 4 * size), Image.Transform.QUAD, data, Image.Resampling.BILINEAR)
    return np.asarray(large.resize((size, size), Image.Resampling.LANCZOS), dtype=np.uint8)


def _mirrored(image: Picture, low: NDArray[np.int64], high: NDArray[np.int64], side: float) -> tuple[Picture, Points]:
    """Cut out a region that leaves the picture: mirrored beyond the edge, blurred and faded to the median colour."""
    import cv2
    from PIL import Image

    inner_low, inner_high = low.clip(0), np.minimum(high, image.size)
    if (inner_high <= inner_low).any():
        raise ImageError("the face lies outside the picture")
    region = np.asarray(image)[inner_low[1] : inner_high[1], inner_low[0] : inner_high[0]]
    least = round(side * 0.3)
    before, after = np.maximum(inner_low - low, least), np.maximum(high - inner_high, least)
    padded = np.pad(region.astype(np.float32), ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="reflect")
    height, width = padded.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    across = np.minimum(x / before[0], (width - 1 - x) / after[0])
    down = np.minimum(y / before[1], (height - 1 - y) / after[1])
    outside = np.maximum(1 - across, 1 - down)[..., None]
    blurred = cv2.GaussianBlur(padded, (0, 0), side * 0.02)
    padded += (blurred - padded) * np.clip(outside * 3 + 1, 0, 1)
    padded += (np.median(padded, axis=(0, 1)) - padded) * np.clip(outside, 0, 1)
    return Image.fromarray(np.rint(padded).clip(0, 255).astype(np.uint8)), inner_low - before


def paste(photo: Pixels, face: Pixels, matrix: Matrix, size: int) -> Pixels:
    """Return the photo with a restored face in its place, faded in over a soft border.

    Args:
        photo: `(H, W, 3)`.
        face: restored, `(S, S, 3)`; `S` may differ from `size`, as when the restorer enlarges.
        matrix: that the face was cut with.
        size: side of the face when it was cut.

    Raises:
        ImageError: the face is not square.
    """
    import cv2

    if face.shape[0] != face.shape[1]:
        raise ImageError(
            f"a face cut out by restorebench align is square, this one is {face.shape[1]} x {face.shape[0]}"
        )
    scale = 1 / np.sqrt(abs(np.linalg.det(matrix[:, :2]))) * size / face.shape[0]  # pixels of the photo in one of ours
    if scale < 1:  # shrunk by area first: bilinear sampling alone would alias
        side = max(2, round(face.shape[0] * scale))
        face = np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    side = face.shape[0]
    to_photo = cv2.invertAffineTransform(_resized(matrix, side / size))
    corners = np.array([(-1, -1), (side, -1), (side, side), (-1, side)]) @ to_photo[:, :2].T + to_photo[:, 2]
    low = np.floor(corners.min(0)).astype(int).clip(0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (photo.shape[1], photo.shape[0]))
    if (high <= low).any():
        return photo
    to_photo[:, 2] -= low
    box = (int(high[0] - low[0]), int(high[1] - low[1]))
    mask = cv2.warpAffine(_soft(side), to_photo, box)[..., None]
    warped = cv2.warpAffine(face, to_photo, box, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    result = photo.copy()
    part = result[low[1] : high[1], low[0] : high[0]]
    part[...] = np.rint(mask * warped + (1 - mask) * part).astype(np.uint8)
    return result


def _resized(matrix: Matrix, factor: float) -> Matrix:
    """Return the matrix to a face that is `factor` times as large; edges of pixels stay together, not centres."""
    moved = matrix * factor
    moved[:, 2] += (factor - 1) / 2
    return moved


def _soft(side: int) -> NDArray[np.float32]:
    """Return a mask `(side, side)`: 1 inside, falling smoothly to 0 at the border."""
    place = np.arange(side, dtype=np.float32)
    ramp = np.clip((np.minimum(place, side - 1 - place) + 0.5) / (FEATHER * side), 0, 1)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.minimum(smooth, smooth[:, None]), dtype=np.float32)
