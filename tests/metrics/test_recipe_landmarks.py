"""VQFR's LMD against facexlib's own reading of its network; random weights of the released names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench.errors import WeightsError
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics.recipe_landmarks import VqfrLandmarks, load_network, peaks


@pytest.fixture(scope="module")
def network() -> Any:
    from facexlib.alignment.awing_arch import FAN

    generator = torch.Generator().manual_seed(5)
    made = FAN(num_modules=4, num_landmarks=98, device="cpu").eval()
    for value in made.state_dict().values():
        if value.is_floating_point() and value.dim() > 1:
            value.copy_(torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5)
    return made


@pytest.fixture(scope="module")
def file(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wflw") / "alignment_WFLW_4HG.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.fixture(autouse=True)
def _own_registry_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """First uses are recorded in the cache; not in the user's."""
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path))
    return


@pytest.fixture
def _old_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """facexlib still asks for `np.float`, which NumPy 1.24 removed."""
    monkeypatch.setattr(np, "float", float, raising=False)


@pytest.fixture
def metric(file: Path) -> VqfrLandmarks:
    made = VqfrLandmarks(str(file))
    made.load(torch.device("cpu"))
    return made


@pytest.mark.usefixtures("_old_numpy")
def test_it_is_the_scripts_distance(network: Any, metric: VqfrLandmarks, face_pairs: Any) -> None:
    """Image by image, as the script: in maps of random weights the last bit may decide between two peaks."""
    expected, found = [], []
    with torch.inference_mode():
        for restored, reference in zip(face_pairs.restored[:2], face_pairs.reference[:2], strict=True):
            pair = [to_pixels(image[None])[0] for image in (restored, reference)]
            points = [network.get_landmarks(image[:, :, ::-1]) for image in pair]  # it takes BGR
            expected.append(np.linalg.norm(points[0] - points[1], axis=1).mean())
            state = metric.prepare(reference[None], [{}])
            found.append(metric.score(restored[None], state, None, [{}])["lmd_vqfr"].item())
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert min(expected) > 0.1  # of the script itself, whose points depend on the number of threads here


@pytest.mark.usefixtures("_old_numpy")
@pytest.mark.parametrize("where", ["inside", "first row", "last row", "corner"])
def test_peaks_are_read_as_facexlib_reads_them(where: str) -> None:
    from facexlib.alignment.awing_arch import calculate_points

    maps = np.random.default_rng(0).random((98, 64, 64), dtype=np.float32)
    maps[:, [0, -1]] *= 0.5  # no peak in the outer rows
    maps[:, :, [0, -1]] *= 0.5
    row, column = {"inside": (30, 30), "first row": (0, 5), "last row": (63, 5), "corner": (0, 0)}[where]
    maps[7, row, column] = 2
    np.testing.assert_array_equal(peaks(maps), calculate_points(maps[None])[0])


def test_a_peak_in_the_very_last_place_is_read_too() -> None:
    maps = np.zeros((1, 64, 64), dtype=np.float32)
    maps[0, 63, 63] = 1
    assert np.abs(peaks(maps)[0] - 63.5).max() <= 0.25


def test_equal_images_are_at_no_distance(file: Path, faces: torch.Tensor) -> None:
    metric = VqfrLandmarks(str(file))
    metric.load(torch.device("cpu"))
    with torch.inference_mode():
        found = metric.score(faces[:1], metric.prepare(faces[:1], [{}]), None, [{}])["lmd_vqfr"]
    assert math.isclose(float(found[0]), 0)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="Adaptive Wing"):
        load_network(tmp_path / "other.pth")
