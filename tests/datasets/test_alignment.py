"""Cutting faces out and pasting them back, with the real detectors on the built-in faces in a larger picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from restorebench.bench.align_command import align
from restorebench.bench.errors import DatasetError, ImageError
from restorebench.bench.images import Pixels, encode_png, read
from restorebench.bench.metrics.face_alignment import FFHQ_512, template
from restorebench.bench.weights import path as weights_path
from restorebench.datasets.alignment import BORDER, cut_quad, ffhq_quad, five_point_matrix, paste, warp

# name -> side in the photo, angle in degrees, centre x, y
PLACES = {"henner": (420, 8, 300, 330), "huard": (300, -12, 800, 330), "hopper": (200, 0, 1150, 250), "collins": (110, 15, 1150, 560)}  # fmt: skip


def placed(side: float, degrees: float, x: float, y: float) -> np.ndarray:
    """The matrix from the photo to the face, 512 pixels, that lies there."""
    turn = cv2.getRotationMatrix2D((x, y), degrees, 512 / side)
    turn[:, 2] += (255.5 - x, 255.5 - y)
    return turn


def composed(
    faces: dict[str, Path], places: dict[str, tuple[float, ...]], size: tuple[int, int] = (1400, 720)
) -> Pixels:
    """A photo with several faces in it."""
    photo = np.full((size[1], size[0], 3), (96, 128, 112), np.uint8)
    for name, (side, *place) in places.items():
        small = max(2, round(side))
        face = cv2.resize(read(faces[name]), (small, small), interpolation=cv2.INTER_AREA)
        matrix = placed(side, *place)
        matrix *= small / 512
        matrix[:, 2] += (small / 512 - 1) / 2
        back = cv2.invertAffineTransform(matrix)
        warped = cv2.warpAffine(face, back, size, flags=cv2.INTER_LINEAR)
        inside = cv2.warpAffine(np.ones((small, small), np.float32), back, size)[..., None] > 0.999
        photo = np.where(inside, warped, photo)
    return photo


@pytest.fixture(scope="module")
def group(faces: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a group photo, a portrait below a subfolder and a picture of nobody."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "album").mkdir()
    (folder / "group.png").write_bytes(encode_png(composed(faces, PLACES)))
    portrait = composed(faces, {"giunchedi": (380, 5, 330, 280)}, (640, 560))
    (folder / "album" / "portrait.png").write_bytes(encode_png(portrait))
    (folder / "nobody.png").write_bytes(encode_png(np.full((300, 400, 3), 90, np.uint8)))
    return folder


@pytest.fixture(scope="module")
def aligned(group: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("aligned")
    return out, align(str(group), out)


def detected(image: Pixels) -> np.ndarray:
    from restorebench.bench.metrics.face_detection import FaceDetector

    return FaceDetector(weights_path("yunet"))(image)[0].points


class TestFivePoints:
    def test_a_known_similarity_is_found_though_one_point_is_wrong(self) -> None:
        truth = placed(333, 11, 640, 410)
        points = (FFHQ_512 - truth[:, 2]) @ np.linalg.inv(truth[:, :2]).T
        np.testing.assert_allclose(five_point_matrix(points, FFHQ_512), truth, atol=1e-3)
        points[3] += (40, -25)
        np.testing.assert_allclose(five_point_matrix(points, FFHQ_512), truth, atol=1e-3)

    def test_points_on_one_spot_are_no_face(self) -> None:
        with pytest.raises(ImageError, match="one spot"):
            five_point_matrix(np.ones((5, 2)), FFHQ_512)

    def test_it_equals_facexlibs_recipe_pixel_by_pixel(self, faces: dict[str, Path]) -> None:
        """OpenCV's own calls on BGR, as facexlib writes them."""
        photo = composed(faces, {"henner": (420, 8, 120, 160)}, (400, 380))  # reaches over the edge
        points = detected(photo)
        matrix = cv2.estimateAffinePartial2D(points, FFHQ_512, method=cv2.LMEDS)[0]
        border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (135, 133, 132)}
        expected = cv2.warpAffine(photo[:, :, ::-1].copy(), matrix, (512, 512), **border)[:, :, ::-1]
        np.testing.assert_array_equal(warp(photo, five_point_matrix(points, template(512)), 512), expected)
        assert (expected == BORDER).all(axis=2).any()

    def test_every_face_of_a_photo_is_cut_largest_first(self, aligned: tuple[Path, dict[str, Any]]) -> None:
        out, record = aligned
        names = {id_: [face["id"] for face in photo["faces"]] for id_, photo in record["photos"].items()}
        assert names == {"album/portrait": ["album/portrait_00"], "group": [f"group_0{i}" for i in range(4)]}
        assert record["without"] == {"nobody": "none was found"}
        assert {str(f.relative_to(out)) for f in out.rglob("*.png")} == {
            f"{n}.png" for ns in names.values() for n in ns
        }
        assert json.loads((out / "faces.json").read_text()) == record

    def test_each_cut_face_is_where_it_was_put(
        self, aligned: tuple[Path, dict[str, Any]], faces: dict[str, Path]
    ) -> None:
        _, record = aligned
        for (name, place), face in zip(PLACES.items(), record["photos"]["group"]["faces"], strict=True):
            truth, found = placed(*place), np.array(face["matrix"])
            original = five_point_matrix(detected(read(faces[name])), FFHQ_512)  # the face is nearly on the template
            expected = original[:, :2] @ truth[:, :2]
            turn = np.linalg.solve(expected, found[:, :2])
            assert np.sqrt(np.linalg.det(turn)) == pytest.approx(1, abs=0.1)
            assert abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))) < 4, name

    def test_cut_faces_are_on_the_template(self, aligned: tuple[Path, dict[str, Any]]) -> None:
        out, _ = aligned
        for file in out.rglob("*.png"):
            five = five_point_matrix(detected(read(file)), FFHQ_512)
            assert np.abs(five[:, :2] - np.eye(2)).max() < 0.1, file.name
            assert np.abs(five @ (256, 256, 1) - 256).max() < 20, file.name


class TestQuad:
    def landmarks(self, turn: np.ndarray) -> np.ndarray:
        """Sixty-eight points whose eyes and mouth are where the FFHQ template has them, moved by a matrix."""
        points = np.zeros((68, 2))
        points[36:42], points[42:48], points[48], points[54] = *FFHQ_512[:2], *FFHQ_512[3:]
        return (points - turn[:, 2]) @ np.linalg.inv(turn[:, :2]).T

    def test_it_is_the_square_of_ffhqs_script(self) -> None:
        """Stated as download_ffhq.py does, on numbers."""
        points = self.landmarks(placed(300, 20, 500, 400))
        left, right = points[36:42].mean(0), points[42:48].mean(0)
        eye_avg, eye_to_eye = (left + right) * 0.5, right - left
        eye_to_mouth = (points[48] + points[54]) * 0.5 - eye_avg
        x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
        x /= np.hypot(*x)
        x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
        y = np.flipud(x) * [-1, 1]
        c = eye_avg + eye_to_mouth * 0.1
        np.testing.assert_allclose(ffhq_quad(points).corners, [c - x - y, c - x + y, c + x + y, c + x - y])

    def test_its_matrix_takes_the_corners_to_those_of_the_face(self) -> None:
        quad = ffhq_quad(self.landmarks(placed(300, 20, 500, 400)))
        matrix = quad.matrix(512)
        moved = quad.corners @ matrix[:, :2].T + matrix[:, 2]
        np.testing.assert_allclose(moved, [(-0.5, -0.5), (-0.5, 511.5), (511.5, 511.5), (511.5, -0.5)], atol=1e-9)

    @pytest.mark.parametrize(("side", "tolerance"), [(300, 2), (1500, 2)])
    def test_the_picture_is_that_of_its_matrix(self, side: float, tolerance: float, faces: dict[str, Path]) -> None:
        size = (int(side * 1.8), int(side * 1.8))
        photo = composed(faces, {"henner": (side, 9, side * 0.9, side * 0.9)}, size)
        quad = ffhq_quad(self.landmarks(placed(side, 9, side * 0.9, side * 0.9)))
        smooth = cv2.GaussianBlur(photo, (0, 0), 3 * side / 512)
        expected = cv2.warpAffine(smooth, quad.matrix(512), (512, 512), borderMode=cv2.BORDER_REFLECT)
        found = cut_quad(smooth, quad, 512)[32:-32, 32:-32].astype(int)
        assert np.abs(found - expected[32:-32, 32:-32]).mean() < tolerance

    def test_beyond_the_edge_it_is_mirrored_and_fades(self, faces: dict[str, Path]) -> None:
        photo = read(faces["henner"])[:, 130:]
        quad = ffhq_quad(self.landmarks(np.array([[1.0, 0, 130], [0, 1, 0]])))
        cut = cut_quad(photo, quad, 256)
        assert cut.shape == (256, 256, 3)
        assert not (cut == 0).all(axis=2).any()
        assert cut[:, :20].std() < photo[:, :60].std()

    def test_dlib_finds_what_yunet_finds(self, group: Path, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        shutil.copy(group / "album" / "portrait.png", tmp_path / "photos")
        record = align(str(tmp_path / "photos"), tmp_path / "out", crop="ffhq_quad")
        (face,) = record["photos"]["portrait"]["faces"]
        assert np.linalg.norm(detected(read(tmp_path / "out" / "portrait_00.png")) - FFHQ_512, axis=1).mean() < 25
        assert np.sqrt(np.linalg.det(np.array(face["matrix"])[:, :2])) == pytest.approx(512 / 380, rel=0.12)


class TestPaste:
    def test_an_unchanged_face_leaves_the_photo_as_it_was(
        self, aligned: tuple[Path, dict[str, Any]], group: Path
    ) -> None:
        out, record = aligned
        photo = read(group / "group.png")
        pasted = photo
        for face in record["photos"]["group"]["faces"]:
            pasted = paste(pasted, read(out / f"{face['id']}.png"), np.array(face["matrix"]), 512)
        error = np.abs(pasted.astype(int) - photo).mean(axis=2)
        assert error.mean() < 1.0
        touched = pasted != photo
        assert touched.any()
        assert (error > 0).mean() < 0.6  # what no face covers stays to the last bit
        assert not touched[:, :20].any()

    def test_a_restored_face_replaces_the_middle_and_fades_out(self, faces: dict[str, Path]) -> None:
        photo = composed(faces, {"henner": (300, 0, 300, 300)}, (600, 600))
        red = np.zeros((512, 512, 3), np.uint8)
        red[..., 0] = 255
        pasted = paste(photo, red, placed(300, 0, 300, 300), 512)
        np.testing.assert_array_equal(pasted[200:400, 200:400], np.broadcast_to([255, 0, 0], (200, 200, 3)))
        outside = np.ones((600, 600), bool)
        outside[149:452, 149:452] = False
        np.testing.assert_array_equal(pasted[outside], photo[outside])
        fading = pasted[300, 150:176, 0].astype(int) - photo[300, 150:176, 0]
        assert 0 < fading[2] < fading[12] < fading[24]

    @pytest.mark.parametrize("side", [256, 512, 1024])
    def test_a_face_may_come_back_in_another_size(self, side: int, faces: dict[str, Path]) -> None:
        photo = composed(faces, {"henner": (300, 7, 300, 300)}, (600, 600))
        matrix = placed(300, 7, 300, 300)
        face = cv2.resize(
            warp(photo, matrix, 512), (side, side), interpolation=cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
        )
        error = np.abs(paste(photo, face, matrix, 512).astype(int) - photo)
        assert error.mean() < 1.0

    def test_a_face_over_the_edge_or_outside_is_no_trouble(self, faces: dict[str, Path]) -> None:
        photo = composed(faces, {}, (200, 150))
        white = np.full((512, 512, 3), 255, np.uint8)
        pasted = paste(photo, white, placed(120, 10, 0, 75), 512)
        assert (pasted[75, :40] == 255).all()
        np.testing.assert_array_equal(pasted[:, 90:], photo[:, 90:])
        np.testing.assert_array_equal(paste(photo, white, placed(50, 0, 900, 900), 512), photo)

    def test_a_face_that_is_not_square_is_refused(self) -> None:
        with pytest.raises(ImageError, match="square, this one is 20 x 30"):
            paste(np.zeros((50, 50, 3), np.uint8), np.zeros((30, 20, 3), np.uint8), placed(20, 0, 25, 25), 512)


class TestCommands:
    def test_photos_are_cut_restored_and_pasted_back(
        self, command: Callable[..., Any], group: Path, tmp_path: Path
    ) -> None:
        cut = command("align", group, "--out", tmp_path / "faces")
        assert cut.status == 3  # one photo has no face
        assert "no face: nobody: none was found\n5 faces of 2 photos" in cut.stdout
        ran = command(
            "run", "adapter=[nlmeans]", "dataset=photos", f"dataset.root={tmp_path / 'faces'}", "metric=[]",
            "dataset.alignment=ffhq_512", f"out={tmp_path / 'out'}", "mlflow.enabled=false",
        )  # fmt: skip
        assert ran.status == 0
        options = ["--faces", tmp_path / "faces" / "faces.json", "--photos", group]
        pasted = command("paste", tmp_path / "out", "--restorer", "nlmeans", *options, "--out", tmp_path / "pasted")
        assert (pasted.status, pasted.stdout) == (0, f"2 photos: {tmp_path / 'pasted'}\n")
        before, after = (read(folder / "group.png").astype(int) for folder in (group, tmp_path / "pasted"))
        assert 0 < np.abs(before - after).mean() < 3
        folder = command("paste", tmp_path / "faces", *options, "--out", tmp_path / "again")
        assert folder.status == 0
        (tmp_path / "faces" / "group_02.png").unlink()
        lacking = command("paste", tmp_path / "faces", *options, "--out", tmp_path / "again")
        assert (lacking.status, "1 of 5 faces have no result: group_02" in lacking.stderr) == (2, True)
        partly = command("paste", tmp_path / "faces", *options, "--out", tmp_path / "again", "--partial")
        assert (partly.status, "left as it was: group_02: no result" in partly.stdout) == (3, True)

    def test_another_photo_is_not_pasted_into(self, command: Callable[..., Any], group: Path, tmp_path: Path) -> None:
        photos = Path(shutil.copytree(group, tmp_path / "photos"))
        command("align", photos, "--out", tmp_path / "faces", "--largest")
        assert {f.name for f in (tmp_path / "faces").glob("*.png")} == {"group_00.png"}
        (photos / "group.png").write_bytes(encode_png(np.zeros((720, 1400, 3), np.uint8)))
        options = ["--faces", tmp_path / "faces" / "faces.json", "--photos", photos, "--out", tmp_path / "out"]
        ran = command("paste", tmp_path / "faces", *options)
        assert ran.status == 3
        assert "group: " in ran.stdout
        assert "is not the photo its faces were cut out of" in ran.stdout

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["align", "nowhere", "--out", "x"], "photos: no folder"),
            (["align", ".", "--out", "x", "--size", "4"], "--size: 4 is too small"),
            (["paste", ".", "--faces", "none.json", "--photos", ".", "--out", "x"], "none.json: cannot be read"),
        ],
    )
    def test_bad_input_is_one_line(self, command: Callable[..., Any], arguments: list[str], message: str) -> None:
        ran = command(*arguments)
        assert ran.status == 2
        assert message in ran.stderr

    def test_a_record_of_something_else_is_refused(self, tmp_path: Path) -> None:
        from restorebench.bench.align_command import _record

        (tmp_path / "faces.json").write_text("[]")
        with pytest.raises(DatasetError, match="not a record"):
            _record(tmp_path / "faces.json")
