"""`restorebench align` cuts the faces out of photos; `restorebench paste` puts restored ones back.

aligned/<photo>_00.png, <photo>_01.png, ...   the faces of a photo, largest first
aligned/faces.json                            where each was, for `paste` and for other tools
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.alignment import cut_quad, ffhq_quad, five_point_matrix, paste, warp
from ..datasets.folder import scan
from .errors import ConfigError, DatasetError, ImageError, PairingError, listing
from .files import write_atomic
from .images import Pixels, encode_png, pixel_digest, read
from .metrics import face_detection
from .metrics.face_alignment import template
from .runlog import tell
from .weights import path as weights_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cut = tuple[Pixels, NDArray[np.float64]]

RECORD = "faces.json"
FORMAT = 1
_UPRIGHT = 512
CROPS = {
    "ffhq_512": f"five points of {face_detection.IDENTITY} onto the FFHQ template, as facexlib",
    "ffhq_quad": "FFHQ's own square around eyes and mouth of dlib's 68 points",
}


def align_main(arguments: Sequence[str]) -> int:
    """Run `restorebench align`; 0 = every photo gave a face, 3 = some did not."""
    parser = argparse.ArgumentParser(
        prog="restorebench align",
        description="Cut the faces out of a folder of photos, aligned as restorers expect them.",
        epilog="Then: restorebench run dataset=photos dataset.root=OUT dataset.alignment=ffhq_512 ...; restorebench paste",
    )
    parser.add_argument("photos", help="folder of photos")
    parser.add_argument("--out", required=True, type=Path, help="folder for the faces and faces.json")
    crops = "; ".join(f"{name}: {what}" for name, what in CROPS.items())
    parser.add_argument("--crop", choices=list(CROPS), default="ffhq_512", help=f"{crops} (default: ffhq_512)")
    parser.add_argument("--size", type=int, default=512, help="side of a face in pixels (default: 512)")
    parser.add_argument("--largest", action="store_true", help="only the largest face of each photo")
    parser.add_argument("--least", type=float, default=32, help="leave out faces with a smaller side, in pixels of the photo (default: 32)")  # fmt: skip
    given = parser.parse_args(arguments)
    if given.size < 16:
        raise ConfigError(f"--size: {given.size} is too small for a face; use 16 or more")
    record = align(given.photos, given.out, given.crop, given.size, 1 if given.largest else None, given.least)
    faces = sum(len(photo["faces"]) for photo in record["photos"].values())
    for name, reason in record["without"].items():
        print(f"no face: {name}: {reason}")
    print(f"{faces} faces of {len(record['photos'])} photos: {given.out}")
    return 3 if record["without"] else 0


def align(
    photos: str, out: Path, crop: str = "ffhq_512", size: int = 512, most: int | None = None, least: float = 32
) -> dict[str, Any]:
    """Cut the faces out of photos and record where they were.

    Args:
        photos: folder; subfolders are kept.
        out: folder for `<photo>_00.png` and so on, and `faces.json`.
        crop: `ffhq_512` or `ffhq_quad`.
        size: side of a face.
        most: faces to take of each photo, largest first; None: all.
        least: smallest side of a face, in pixels of the photo.

    Returns:
        What `faces.json` holds: `photos` (id -> file, size, digest, faces with `id` and `matrix`) and `without`
        (id -> why a photo gave no face).

    Raises:
        ConfigError: dlib is needed and not installed.
        DatasetError: there are no photos.
        WeightsError: the detector's weights cannot be had.
    """
    files = scan(photos, "photos")
    cutter = _five_point(size, least) if crop == "ffhq_512" else _quad(size, least)
    found: dict[str, Any] = {}
    without: dict[str, str] = {}
    for id_, file in files.items():
        try:
            photo = read(file)
            cuts = cutter(photo)[:most]
        except ImageError as error:
            without[id_] = str(error)
            continue
        tell("photo", f"{file}: {len(cuts)} faces", file=str(file), faces=len(cuts))
        if not cuts:
            without[id_] = "none was found"
            continue
        names = [f"{id_}_{number:02}" for number in range(len(cuts))]
        for name, (face, _) in zip(names, cuts, strict=True):
            write_atomic(out / f"{name}.png", encode_png(face))
        found[id_] = {
            "file": file.name,
            "height": photo.shape[0],
            "width": photo.shape[1],
            "pixels": pixel_digest(photo),
            "faces": [{"id": name, "matrix": matrix.tolist()} for name, (_, matrix) in zip(names, cuts, strict=True)],
        }
    record = {"format": FORMAT, "crop": crop, "how": CROPS[crop], "size": size, "photos": found, "without": without}
    write_atomic(out / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    return record


def _five_point(size: int, least: float) -> Callable[[Pixels], list[Cut]]:
    detector = face_detection.FaceDetector(weights_path("yunet"))

    def cut(photo: Pixels) -> list[Cut]:
        faces = [face for face in detector.every(photo) if face.area >= least**2]
        points = [_looked_at_again(photo, face.points, detector) for face in faces]
        matrices = [five_point_matrix(five, template(size)) for five in points]
        return [(warp(photo, matrix, size), matrix) for matrix in matrices]

    return cut


def _looked_at_again(
    photo: Pixels, points: NDArray[np.float64], detector: face_detection.FaceDetector
) -> NDArray[np.float64]:
    """Return the points found in the upright face; on turned and small ones YuNet is off by twice as much."""
    matrix = five_point_matrix(points, template(_UPRIGHT))
    face = face_detection.nearest(detector(warp(photo, matrix, _UPRIGHT)), template(_UPRIGHT))
    if face is None:
        return points
    return np.asarray((face.points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T)


def _quad(size: int, least: float) -> Callable[[Pixels], list[Cut]]:
    try:
        import dlib
    except ImportError:
        raise ConfigError(
            "--crop ffhq_quad needs dlib: pip install 'restorebench[landmarks]'; or --crop ffhq_512"
        ) from None
    predict = dlib.shape_predictor(str(weights_path("dlib-68-landmarks")))
    detect = dlib.get_frontal_face_detector()

    def cut(photo: Pixels) -> list[Cut]:
        boxes = [box for box in detect(photo, 1) if min(box.width(), box.height()) >= least]
        cuts: list[Cut] = []
        for box in sorted(boxes, key=lambda box: -box.area()):
            shape = predict(photo, box)
            quad = ffhq_quad(np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64))
            cuts.append((cut_quad(photo, quad, size), quad.matrix(size)))
        return cuts

    return cut


def paste_main(arguments: Sequence[str]) -> int:
    """Run `restorebench paste`; 0 = every face was there, 3 = some were left as they were."""
    parser = argparse.ArgumentParser(
        prog="restorebench paste",
        description="Paste restored faces back into the photos that restorebench align cut them out of.",
    )
    parser.add_argument("restored", help="folder of restored faces; or the out folder of a run, with --restorer")
    parser.add_argument("--faces", required=True, type=Path, help="the faces.json of restorebench align")
    parser.add_argument("--photos", required=True, help="folder of the photos")
    parser.add_argument("--out", required=True, type=Path, help="folder for the photos with restored faces, PNG")
    parser.add_argument("--restorer", help="name of a restorer in the leaderboard, when RESTORED is a run's out folder")
    parser.add_argument("--partial", action="store_true", help="leave faces without a result as they are")
    given = parser.parse_args(arguments)
    record = _record(given.faces)
    faces = _of_run(Path(given.restored), given.restorer) if given.restorer else _of_folder(given.restored)
    wanted = [face["id"] for photo in record["photos"].values() for face in photo["faces"]]
    missing = [name for name in wanted if name not in faces]
    if missing and not given.partial:
        raise PairingError(
            f"{given.restored}: {len(missing)} of {len(wanted)} faces have no result: {listing(missing)}; --partial leaves "
            "them as they are"
        )
    failed = dict.fromkeys(missing, "no result")
    count = paste_back(record, faces, given.photos, given.out, failed)
    for name, reason in failed.items():
        print(f"left as it was: {name}: {reason}")
    print(f"{count} photos: {given.out}")
    return 3 if failed else 0


def paste_back(
    record: Mapping[str, Any], faces: Mapping[str, Callable[[], Pixels]], photos: str, out: Path, failed: dict[str, str]
) -> int:
    """Write every photo with its restored faces.

    Args:
        record: what `align` returned.
        faces: face id -> reads the restored face.
        photos: folder of the photos.
        out: where the photos go, under their own names.
        failed: receives what could not be done, by id.

    Returns:
        The number of photos written.
    """
    files = scan(photos, "photos")
    count = 0
    for id_, facts in record["photos"].items():
        try:
            photo = _photo(files, id_, facts)
        except ImageError as error:
            failed[id_] = str(error)
            continue
        for face in facts["faces"]:
            if face["id"] in faces:
                try:
                    photo = paste(photo, faces[face["id"]](), np.array(face["matrix"]), int(record["size"]))
                except ImageError as error:
                    failed[face["id"]] = str(error)
        write_atomic(out / f"{id_}.png", encode_png(photo))
        count += 1
    return count


def _photo(files: Mapping[str, Path], id_: str, facts: Mapping[str, Any]) -> Pixels:
    if id_ not in files:
        raise ImageError("the photo is not there")
    photo = read(files[id_])
    if pixel_digest(photo) != facts["pixels"]:
        raise ImageError(f"{files[id_]}: is not the photo its faces were cut out of; run restorebench align again")
    return photo


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); restorebench align writes it") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DatasetError(f"{path}: not a record of restorebench align")
    return record


def _of_folder(folder: str) -> dict[str, Callable[[], Pixels]]:
    return {id_: lambda file=file: read(file) for id_, file in scan(folder, "restored faces").items()}  # type: ignore[misc]


def _of_run(out: Path, restorer: str) -> dict[str, Callable[[], Pixels]]:
    """Return the restored images of a run, by sample."""
    from .storage.results import load
    from .storage.store import Store

    store = Store(out)
    tables = [table for table in load(store).tables if table.cell.restorer == restorer]
    if not tables:
        known = sorted({table.cell.restorer for table in load(store).tables})
        raise ConfigError(f"--restorer: no results of '{restorer}' in {out}; there are {', '.join(known)}")
    if len(tables) > 1:
        splits = ", ".join(f"{table.cell.dataset} {table.cell.split} seed {table.cell.seed}" for table in tables)
        raise ConfigError(f"--restorer: {restorer} has several results in {out} ({splits}); paste from an out with one")
    images = tables[0].images
    rows = images.loc[images["status"] == "ok", ["sample", "restored"]].itertuples(index=False)
    return {str(sample): lambda sha=str(sha): store.image(sha) for sample, sha in rows}  # type: ignore[misc]
