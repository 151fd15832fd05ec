"""Identity against InsightFace, and who is found where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from restorebench.bench import weights
from restorebench.bench.errors import ImageError, WeightsError
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics import face_alignment
from restorebench.bench.metrics.onnx_network import OnnxNetwork


def test_the_network_is_insightfaces(metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    crops = [face_alignment.crop(image, face_alignment.template(512)) for image in to_pixels(faces)]
    peer = ArcFaceONNX(str(weights.path("arcface-w600k-mbf")))
    expected = peer.get_feat([crop[:, :, ::-1] for crop in crops])
    inputs = (torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() - 127.5) / 127.5
    found = metric("identity")._recogniser(inputs).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*estimate.*:FutureWarning")
def test_crops_are_insightfaces(metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    from insightface.utils.face_align import norm_crop

    for image in to_pixels(faces):
        (face, *_) = metric("identity")._detect(image)
        difference = norm_crop(image, face.points.astype(np.float32)).astype(int) - face_alignment.crop(
            image, face.points
        )
        assert np.abs(difference).max() <= 1  # single against double precision of the landmarks
        assert (difference != 0).mean() < 0.01


def test_the_similarity_is_the_least_squares_one() -> None:
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(2, 5, 2))
    matrix = face_alignment.similarity(source, target).matrix

    def error(m: Any) -> float:
        return float(np.square(source @ m[:, :2].T + m[:, 2] - target).sum())

    for _ in range(100):
        turn, shift = generator.normal(scale=1e-3, size=2), generator.normal(scale=1e-3, size=2)
        moved = matrix + np.array([[turn[0], -turn[1], shift[0]], [turn[1], turn[0], shift[1]]])
        assert error(moved) >= error(matrix)


def test_aligned_faces_are_recognised_as_such_and_score_exactly_as_on_the_template(
    score: Callable[..., Any], face_pairs: Any
) -> None:
    declared = score("identity", face_pairs, alignment="ffhq_512")
    for meta in ({"alignment": "auto"}, {}):
        found = score("identity", face_pairs, **meta)
        assert all(torch.equal(declared[name], found[name]) for name in declared)


def test_degrees_are_the_angle_of_the_cosine(score: Callable[..., Any], face_pairs: Any) -> None:
    values = score("identity", face_pairs, alignment="ffhq_512")
    torch.testing.assert_close(values["identity_deg"], values["identity_cos"].acos().rad2deg())


def test_a_damaged_face_is_nearer_to_itself_than_to_others(score: Callable[..., Any], face_pairs: Any) -> None:
    others = type(face_pairs)(face_pairs.restored, face_pairs.reference.roll(1, 0))
    same, other = (score("identity", pairs, alignment="ffhq_512")["identity_cos"] for pairs in (face_pairs, others))
    assert same.min() > 0.5
    assert other.max() < 0.2


@pytest.mark.parametrize("size", [256, 1024])
def test_the_template_scales_with_the_image(size: int, score: Callable[..., Any], faces: torch.Tensor) -> None:
    # shrunk by 2, the crop is cut from a softer image: near, not equal
    resized = torch.nn.functional.interpolate(faces, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    pixels = face_alignment.crop(to_pixels(resized)[0], face_alignment.template(size)).astype(int)
    expected = face_alignment.crop(to_pixels(faces)[0], face_alignment.template(512)).astype(int)
    assert np.abs(pixels - expected).mean() < 3


def test_faces_elsewhere_are_detected_in_each_image(score: Callable[..., Any], metric: Any, face_pairs: Any) -> None:
    turned = type(face_pairs)(*(_off_template(images) for images in face_pairs))
    state = metric("identity").prepare(turned.reference, [{}] * 5)
    assert not state.on_template.any()
    found, told = score("identity", turned), score("identity", turned, alignment="none")
    assert torch.equal(found["identity_cos"], told["identity_cos"])
    assert found["identity_cos"].min() > 0.4


def _off_template(images: torch.Tensor) -> torch.Tensor:
    """Turn by 15 degrees and shrink, on gray."""
    turn = np.deg2rad(15)
    matrix = torch.tensor([[np.cos(turn), -np.sin(turn), 0.1], [np.sin(turn), np.cos(turn), -0.1]]).float() * 1.3
    grid = torch.nn.functional.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(images - 0.5, grid, align_corners=False) + 0.5


def test_a_face_that_is_not_found_is_a_miss_and_its_mates_are_not(
    score: Callable[..., Any], faces: torch.Tensor
) -> None:
    blank = torch.full_like(faces[:1], 0.5)
    pairs = SimpleNamespace(restored=torch.cat([blank, faces[1:3]]), reference=torch.cat([faces[:2], blank]))
    values = score("identity", pairs, alignment="none")
    for column in values.values():
        assert column.isnan().tolist() == [True, False, True]


def test_of_two_people_the_larger_counts_and_is_found_again(score: Callable[..., Any], faces: torch.Tensor) -> None:
    small = torch.nn.functional.interpolate(faces[1:2], (256, 256), mode="area")
    beside = torch.full((1, 3, 512, 256), 0.5)
    beside[..., 128:384, :] = small
    both = torch.cat([faces[:1], beside], -1)
    swapped = torch.cat([faces[:1], beside.flip(-1)], -1)
    same = score("identity", SimpleNamespace(restored=swapped, reference=both))["identity_cos"]
    assert same.item() > 0.99


def test_a_face_said_to_be_aligned_must_be_square(score: Callable[..., Any], face_pairs: Any) -> None:
    flat = type(face_pairs)(*(images[:1, :, :500] for images in face_pairs))
    with pytest.raises(ImageError, match="square, this one is 512 x 500"):
        score("identity", flat, alignment="ffhq_512")


def test_an_operator_the_loader_does_not_know_is_named(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(
        [helper.make_node("Sin", ["x"], ["y"])], "g", [value], [helper.make_empty_tensor_value_info("y")]
    )
    onnx.save(helper.make_model(graph), tmp_path / "odd.onnx")
    with pytest.raises(WeightsError, match=r"odd\.onnx: operator Sin is not covered"):
        OnnxNetwork(tmp_path / "odd.onnx")
    (tmp_path / "text.onnx").write_text("not a network", encoding="utf-8")
    with pytest.raises(WeightsError, match="not an ONNX file"):
        OnnxNetwork(tmp_path / "text.onnx")
