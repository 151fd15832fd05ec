"""Sixty-eight facial landmarks (iBUG order), from dlib or from files, and the boxes of the face parts DFDNet exchanges.

Points are `(68, 2)` arrays of x, y in pixels of the 512 x 512 face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..bench.errors import ConfigError, RestorerError
from ..bench.images import SUFFIXES, Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .networks.dfdnet import Box

    Points = NDArray[np.float64]

COUNT = 68
SIDE = 512

# left is the left of the picture; DFDNet's get_part_location, brows belong to the eyes
_POINTS = {
    "left_eye": (*range(17, 22), *range(36, 42)),
    "right_eye": (*range(22, 27), *range(42, 48)),
    "nose": tuple(range(29, 36)),
    "mouth": tuple(range(48, 68)),
}
_LEAST = 16  # half a side, pixels

# Where dlib finds the face of an FFHQ-aligned image: the mean over the built-in faces, x0, y0, x1, y1.
_ALIGNED_FACE = (95, 147, 405, 457)


def part_boxes(points: Points) -> Mapping[str, Box]:
    """Return the square box of every part, x0, y0, x1, y1, cut off at the border.

    Raises:
        RestorerError: a part lies outside the picture.
    """
    boxes = {}
    for part, indices in _POINTS.items():
        own = points[list(indices)]
        centre = own.mean(0)
        half = max(float(np.ptp(own, 0).max()) / 2, _LEAST)
        x0, y0, x1, y1 = (int(edge) for edge in (*(centre - half + 1), *(centre + half)))
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, SIDE), min(y1, SIDE)
        if min(x1 - x0, y1 - y0) < _LEAST:
            raise RestorerError(f"the {part.replace('_', ' ')} lies outside the picture; is the face aligned?")
        boxes[part] = (x0, y0, x1, y1)
    return boxes


def as_points(values: Sequence[Sequence[float]], source: str) -> Points:
    """Check landmarks that come from outside.

    Raises:
        RestorerError: they are not 68 pairs of finite numbers.
    """
    points = np.array(values, dtype=np.float64)
    if points.shape != (COUNT, 2) or not np.isfinite(points).all():
        raise RestorerError(f"{source}: landmarks of shape {points.shape}, expected 68 pairs x, y")
    return points


def read_landmarks(folder: Path, sample_id: str) -> Points:
    """Read a landmark file as the official script does: `<image file name>.txt`, 68 lines `x y`.

    Args:
        folder: where the files lie; ids with `/` lie in its subfolders.
        sample_id: of the image; its file may have had any image suffix, or none.

    Raises:
        RestorerError: there is no such file, or it holds something else.
    """
    candidates = [folder / f"{sample_id}{suffix}.txt" for suffix in ("", *sorted(SUFFIXES))]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        raise RestorerError(f"no landmarks: {folder / sample_id}.png.txt or the like is not there")
    try:
        rows = [[float(number) for number in line.split()] for line in file.read_text().splitlines() if line.strip()]
        return as_points(rows, str(file))
    except ValueError as error:
        raise RestorerError(f"{file}: not 68 lines 'x y' ({error})") from None


def landmarks_digest(folder: Path) -> str:
    """Return a digest of the names and contents of the landmark files of a folder.

    Raises:
        ConfigError: it is not there, or holds none.
    """
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise ConfigError(f"adapter.dfdnet.landmarks: no landmark files (<image file name>.txt) in {folder}")
    whole = hashlib.sha256()
    for file in files:
        name = file.relative_to(folder).as_posix().encode("utf-8", "surrogatepass")
        whole.update(hashlib.sha256(name).digest() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:32]


class Dlib68:
    """dlib's face detector and 68-point predictor (Kazemi and Sullivan, CVPR 2014), on the CPU.

    Args:
        file: the trained predictor.

    Raises:
        RestorerError: dlib is not installed.
    """

    def __init__(self, file: Path) -> None:
        try:
            import dlib
        except ImportError:
            raise RestorerError(
                "DFDNet finds landmarks with dlib, which is not installed: pip install 'restorebench[landmarks]', "
                "or give landmark files with adapter.dfdnet.landmarks=FOLDER"
            ) from None
        self._dlib = dlib
        self._detect = dlib.get_frontal_face_detector()
        self._predict = dlib.shape_predictor(str(file))

    def __call__(self, face: Pixels, aligned: bool) -> Points:
        """Return the landmarks of the largest face of a `uint8` RGB image `(512, 512, 3)`.

        Args:
            face: the image.
            aligned: where no face is found, because too little is left of it, take the place where aligned ones are.

        Raises:
            RestorerError: no face is found in an image that is not aligned.
        """
        found = max(self._detect(face, 1), key=lambda box: box.area(), default=None)
        if found is None:
            if not aligned:
                raise RestorerError("no face found; give aligned faces, or landmark files")
            found = self._dlib.rectangle(*_ALIGNED_FACE)
        shape = self._predict(face, found)
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)
