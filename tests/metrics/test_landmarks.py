"""Landmark distance against insightface's and dlib's own points."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench import weights
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics import face_alignment, landmarks

SCHEMES = ("insightface106", "dlib68")


def _insightface(images: torch.Tensor) -> np.ndarray:
    from insightface.app.common import Face
    from insightface.model_zoo.landmark import Landmark

    peer = Landmark(str(weights.path("landmarks-2d106")))
    box = np.array([240 - 182, 288 - 182, 240 + 182, 288 + 182], dtype=np.float32)
    return np.stack([peer.get(image[:, :, ::-1], Face(bbox=box)) for image in to_pixels(images)])


def _dlib(images: torch.Tensor) -> np.ndarray:
    import dlib

    peer = dlib.shape_predictor(str(weights.path("dlib-68-landmarks")))
    box = dlib.rectangle(250 - 155, 302 - 155, 250 + 155, 302 + 155)
    return np.array([[(p.x, p.y) for p in peer(image, box).parts()] for image in to_pixels(images)])


@pytest.mark.parametrize(("scheme", "peer"), [("insightface106", _insightface), ("dlib68", _dlib)])
def test_the_distance_is_that_of_the_librarys_points(
    scheme: str, peer: Callable[..., np.ndarray], score: Callable[..., Any], face_pairs: Any
) -> None:
    expected = np.linalg.norm(peer(face_pairs.restored) - peer(face_pairs.reference), axis=2).mean(1)
    found = score(f"lmd_{scheme}", face_pairs, alignment="ffhq_512")[f"lmd_{scheme}"]
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert 0.2 < expected.mean() < 8


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_shifted_face_is_as_far_as_it_was_shifted_and_an_equal_one_not_at_all(
    scheme: str, score: Callable[..., Any], faces: torch.Tensor
) -> None:
    same = score(f"lmd_{scheme}", SimpleNamespace(restored=faces, reference=faces), alignment="ffhq_512")
    assert same[f"lmd_{scheme}"].tolist() == [0] * 5
    shifted = SimpleNamespace(restored=faces.roll(6, 3), reference=faces)
    distance = score(f"lmd_{scheme}", shifted, alignment="ffhq_512")[f"lmd_{scheme}"]
    assert 4 < distance.mean() < 8


def test_boxes_follow_the_face() -> None:
    points = face_alignment.FFHQ_512 * 0.5 + (100, 30)
    assert landmarks._box(points, "insightface106") == pytest.approx((240 / 2 + 100, 288 / 2 + 30, 364 / 2))


def test_a_face_that_is_not_found_is_a_miss(score: Callable[..., Any], faces: torch.Tensor) -> None:
    pairs = SimpleNamespace(restored=faces[:2], reference=torch.cat([torch.full_like(faces[:1], 0.5), faces[1:2]]))
    values = score("lmd_insightface106", pairs, alignment="none")["lmd_insightface106"]
    assert values.isnan().tolist() == [True, False]
