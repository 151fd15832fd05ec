"""Identity distances of the field's scripts, against those scripts' steps on files, with random but valid weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from restorebench.bench import weights
from restorebench.bench.errors import WeightsError
from restorebench.bench.images import encode_png, to_pixels
from restorebench.bench.metrics.arcface_resnet import ArcFaceResNet18
from restorebench.bench.metrics.recipe_identity import RestoreFormerRadians, VqfrDegrees

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """A state dict with the released files' names; statistics of its own, so that every tensor counts."""
    generator = torch.Generator().manual_seed(3)
    found = {}
    for name, value in ArcFaceResNet18().state_dict().items():
        if name.endswith("num_batches_tracked"):
            found[name] = value
        elif value.dim() > 1:
            found[name] = torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
        else:
            found[name] = 0.5 + torch.rand(value.shape, generator=generator)
    return found


@pytest.fixture(scope="module")
def file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("arcface") / "resnet18_110.pth"
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    return path


@pytest.fixture(autouse=True)
def _own_registry_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """First uses are recorded in the cache; not in the user's."""
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path))
    return


def peer(state: State, faces: torch.Tensor) -> np.ndarray:
    """The network from its description, layer by layer."""

    def normal(name: str, x: torch.Tensor) -> torch.Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{key}"] for key in keys))

    def convolved(name: str, x: torch.Tensor, **settings: int) -> torch.Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], **settings)

    x = functional.prelu(normal("bn1", convolved("conv1", faces, padding=1)), state["prelu.weight"])
    x = functional.max_pool2d(x, 2)
    for layer in range(1, 5):
        for block in range(2):
            at, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            slope = state[f"{at}.prelu.weight"]
            y = convolved(f"{at}.conv1", normal(f"{at}.bn0", x), padding=1)
            y = functional.prelu(normal(f"{at}.bn1", y), slope)
            y = normal(f"{at}.bn2", convolved(f"{at}.conv2", y, padding=1, stride=stride))
            if f"{at}.downsample.0.weight" in state:
                x = normal(f"{at}.downsample.1", convolved(f"{at}.downsample.0", x, stride=stride))
            x = functional.prelu(x + y, slope)
    x = normal("bn4", x).flatten(1)
    return normal("bn5", functional.linear(x, state["fc5.weight"], state["fc5.bias"])).numpy()


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    cosines = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return np.arccos(cosines)


def score(metric: Any, pairs: Any) -> torch.Tensor:
    metric.load(torch.device("cpu"))
    (values,) = metric.score(pairs.restored, metric.prepare(pairs.reference, [{}]), None, [{}]).values()
    return values


def test_vqfrs_degrees_are_those_of_its_steps_on_png_files(file: Path, state: State, face_pairs: Any) -> None:
    def embed(images: torch.Tensor) -> np.ndarray:
        files = [np.frombuffer(encode_png(image), np.uint8) for image in to_pixels(images)]
        gray = [cv2.resize(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), (128, 128)) for data in files]
        return peer(state, (torch.from_numpy(np.stack(gray))[:, None].float() - 127.5) / 127.5)

    pairs = type(face_pairs)(face_pairs.restored[:3], face_pairs.reference[:3].roll(1, 0))
    expected = np.degrees(angles(embed(pairs.restored), embed(pairs.reference)))
    assert expected.min() > 1
    np.testing.assert_allclose(score(VqfrDegrees(str(file)), pairs), expected, atol=0.01)


def test_almost_equal_pairs_are_misses(file: Path, faces: torch.Tensor) -> None:
    nudged = faces[:2].clone()
    nudged[0, 0, 0, 0] = 0.5
    nudged[1] = faces[2]
    values = score(VqfrDegrees(str(file)), type("Pairs", (), {"restored": nudged, "reference": faces[:2]}))
    assert values.isnan().tolist() == [True, False]


def test_restoreformers_radians_are_those_of_its_steps(file: Path, state: State, face_pairs: Any) -> None:
    def embed(images: torch.Tensor) -> np.ndarray:
        blue_first = images.flip(1)  # as cv2.imread gives them
        gray = 0.2989 * blue_first[:, 0] + 0.5870 * blue_first[:, 1] + 0.1140 * blue_first[:, 2]
        small = functional.interpolate(gray[:, None], (128, 128), mode="bilinear", align_corners=False)
        return peer(state, small)

    pairs = type(face_pairs)(face_pairs.restored[:2], face_pairs.reference[:2].roll(1, 0))
    expected = angles(embed(pairs.restored), embed(pairs.reference))
    np.testing.assert_allclose(score(RestoreFormerRadians(str(file)), pairs), expected, atol=2e-4)


def test_another_networks_file_is_refused_by_its_names(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"module.conv1.weight": torch.zeros(64, 3, 7, 7), "module.fc.bias": torch.zeros(5)}, path)
    with pytest.raises(WeightsError, match=r"unknown keys \(1\): fc.bias; missing keys .*conv1.weight is"):
        VqfrDegrees(str(path)).load(torch.device("cpu"))


def test_the_registry_knows_where_the_official_files_are() -> None:
    for metric in (VqfrDegrees(), RestoreFormerRadians()):
        (name,) = metric.weights
        assert weights.entry(name).sources
