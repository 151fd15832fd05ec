"""Five-point templates and the similarity transform between them.

Points are `(5, 2)` arrays of x, y in pixels: eye, eye, nose, mouth corner, mouth corner, those to the left of the
picture first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..images import Pixels

    Points = NDArray[np.float64]

# facexlib@260620a (also CodeFormer, DiffBIR): where FFHQ-aligned 512 x 512 images have their five points
FFHQ_512 = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
# insightface/utils/face_align.py: where recognisers want them, 112 x 112
ARCFACE_112 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
CROP = 112

# An image whose points are this near the template counts as aligned.  Three-quarter views and soft landmarks stay
# well inside; a face that was cropped in another way does not.
_SCALE = (0.8, 1.25)
_DEGREES = 8.0
_SHIFT = 0.06  # of the side


class Similarity(NamedTuple):
    """`w = turn * z + move` on points as complex numbers x + iy."""

    turn: complex
    move: complex

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The `(2, 3)` matrix OpenCV wants."""
        a, b = self.turn.real, self.turn.imag
        return np.array([[a, -b, self.move.real], [b, a, self.move.imag]])


def similarity(source: Points, target: Points) -> Similarity:
    """Return the least-squares rotation, scale and shift that take `source` to `target` (Umeyama 1991)."""
    z, w = source @ (1, 1j), target @ (1, 1j)
    centred = z - z.mean()
    turn = complex(np.vdot(centred, w - w.mean()) / np.vdot(centred, centred).real)
    return Similarity(turn, complex(w.mean() - turn * z.mean()))


def template(side: int) -> Points:
    """Return the FFHQ points of an aligned square image."""
    return FFHQ_512 * (side / 512)


def is_aligned(points: Points, height: int, width: int) -> bool:
    """Say whether detected points show an image on the FFHQ template."""
    if height != width:
        return False
    target = template(width)
    turn = similarity(points, target).turn
    shift = np.linalg.norm(points.mean(0) - target.mean(0))
    return bool(
        _SCALE[0] <= abs(turn) <= _SCALE[1] and abs(np.degrees(np.angle(turn))) < _DEGREES and shift < _SHIFT * width
    )


def crop(image: Pixels, points: Points) -> Pixels:
    """Cut the face out on the 112 x 112 template, as `insightface.utils.face_align.norm_crop` does."""
    import cv2

    matrix = similarity(points, ARCFACE_112).matrix
    return np.asarray(cv2.warpAffine(image, matrix, (CROP, CROP), borderValue=0.0), dtype=np.uint8)
