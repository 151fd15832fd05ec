"""DifFace's grid: every cell once, in the script's order, with the script's random streams."""

import math
import random
from collections import Counter
from pathlib import Path
from shutil import copy

import cv2
import numpy as np
import pytest

from restorebench.bench.errors import ImageError
from restorebench.bench.images import read
from restorebench.bench.spec import Spec
from restorebench.datasets.difface import DifFaceFolder, DifFaceGrid, cells

ANY = np.random.default_rng(0)


def folder(root: Path, **settings: int) -> DifFaceFolder:
    return DifFaceFolder(str(root), holds="hq", name="set", count=4000, side=512, **settings)


def test_every_cell_occurs_once_and_the_angle_changes_fastest() -> None:
    found = cells()
    assert len(found) == len({cell[:5] for cell in found}) == 4000
    assert found[0][:5] == (30, 4, 1, 4, 0)
    assert found[1][:5] == (30, 4, 1, 4, math.pi / 4)
    assert found[80][:5] == (30, 8, 1, 4, 0)
    assert found[-1][:5] == (70, 40, 20, 16, 3 * math.pi / 4)
    for axis, values in enumerate((5, 10, 5, 4, 4)):
        assert set(Counter(cell[axis] for cell in found).values()) == {4000 // values}


def test_an_image_equals_the_script_run_up_to_it(faces: dict[str, Path]) -> None:
    """The script's recipe on [0, 1] floats, blue first, both generators running on; equal to the last bit."""
    image = read(faces["henner"])
    bgr = image[:, :, ::-1].astype(np.float32) / 255
    python, numpy = random.Random(10000), np.random.RandomState(10000)
    place = -1
    wanted = {0, 81, 165}
    for quality in (30,):
        for scale in (4, 8, 12):
            for delta in (1, 5, 10, 15, 20):
                for sigma_x in (4, 8, 12, 16):
                    for theta in (0, 0.25 * math.pi, 0.5 * math.pi, 0.75 * math.pi):
                        place += 1
                        sigma_y = python.choice([4, 8, 12, 16])
                        side = 512 // scale
                        noise = np.float32(numpy.randn(side, side, 3)) * delta / 255
                        if place not in wanted:
                            continue
                        turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
                        inverse = np.linalg.inv(turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T)
                        grid = np.stack(np.meshgrid(np.arange(-20, 21), np.arange(-20, 21)), axis=-1)
                        kernel = np.exp(-0.5 * np.einsum("yxi,ij,yxj->yx", grid, inverse, grid))
                        small = cv2.filter2D(bgr, -1, kernel / kernel.sum())
                        small = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
                        small = np.clip(small + noise, 0, 1)
                        coded = cv2.imencode(".jpg", small * 255, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
                        small = np.float32(cv2.imdecode(coded, 1)) / 255
                        lq = np.rint(cv2.resize(small, (512, 512), interpolation=cv2.INTER_LINEAR) * 255)
                        made = DifFaceGrid().of({"position": place})(image, ANY)
                        np.testing.assert_array_equal(made.lq, lq[:, :, ::-1])
                        assert made.parameters["blur_sigma_y"] == sigma_y


def test_a_record_repeats_the_image(faces: dict[str, Path]) -> None:
    image = read(faces["henner"])
    made = DifFaceGrid().of({"position": 3999})(image, ANY)
    np.testing.assert_array_equal(DifFaceGrid().apply(image, made.parameters).lq, made.lq)
    assert made.native is not None
    assert made.native.shape == (12, 12, 3)


def test_places_are_those_of_the_sorted_png_files(tmp_path: Path, faces: dict[str, Path]) -> None:
    for name in ("b.png", "a.png", "a-1.png", "0.jpg", "sub/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(faces["henner"], tmp_path / name)
    found = folder(tmp_path)
    assert {one.id: one.meta["position"] for one in found.samples()} == {"a-1": 0, "a": 1, "b": 2}  # "-" < "."
    assert "3 images, expected 4000" in found.card.differs
    assert folder(tmp_path, limit=3).samples()[0].meta["position"] == 1  # sorted by id, placed by file name


def test_an_image_without_a_place_or_of_another_size_is_refused(faces: dict[str, Path]) -> None:
    image = read(faces["henner"])
    for meta in ({}, {"position": 4000}, {"position": "1"}):
        with pytest.raises(ImageError, match=r"no place in DifFace's list.*celeba_test_difface_hq"):
            DifFaceGrid().of(meta)
    with pytest.raises(ImageError, match="256 x 256, the grid's are 512 x 512"):
        DifFaceGrid().of({"position": 0})(np.ascontiguousarray(image[:256, :256]), ANY)


def test_it_is_built_from_its_file() -> None:
    assert isinstance(Spec.of({"_target_": "restorebench.datasets.difface.DifFaceGrid"}, "x").build(), DifFaceGrid)
