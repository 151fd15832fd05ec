"""Motion kernels from files, and steps in random order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from restorebench.bench.configuration import compose_config, splits
from restorebench.bench.errors import ConfigError
from restorebench.bench.identity import split_id
from restorebench.datasets.combine import Shuffled
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.measured import MeasuredMotion
from restorebench.datasets.steps import GaussianBlur, Jpeg, Quantise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "kernels").mkdir()
    for i, side in enumerate((7, 9, 35), 1):
        savemat(tmp_path / "kernels" / f"m_{i:02}.mat", {"kernel": rng.random((side, side)) * 3, "other": [1]})
    return tmp_path / "kernels"


def test_it_is_the_loaders_blur(folder: Path) -> None:
    from scipy.io import loadmat

    step, image = MeasuredMotion(str(folder)), np.random.default_rng(1).uniform(0, 255, (64, 64, 3)).astype(np.float32)
    for name in ("m_01", "m_02", "m_03"):
        kernel = loadmat(folder / f"{name}.mat")["kernel"]
        expected = cv2.filter2D(image, -1, kernel / kernel.sum())
        np.testing.assert_array_equal(step.apply(image, {"kernel": name}, (64, 64)), expected)


def test_kernels_are_drawn_all_alike(folder: Path) -> None:
    generator = np.random.default_rng(2)
    counts = Counter(MeasuredMotion(str(folder)).draw(generator)["kernel"] for _ in range(3000))
    assert set(counts) == {"m_01", "m_02", "m_03"}
    assert max(counts.values()) - min(counts.values()) < 200


def test_an_archive_of_arrays_is_read_too(folder: Path, tmp_path: Path) -> None:
    from scipy.io import loadmat

    arrays = {file.stem: loadmat(file)["kernel"] for file in folder.glob("*.mat")}
    np.savez(tmp_path / "all.npz", **arrays)
    assert MeasuredMotion(str(tmp_path / "all.npz")).content == MeasuredMotion(str(folder)).content


def test_what_the_files_hold_is_the_identity_and_where_they_lie_is_not(folder: Path, tmp_path: Path) -> None:
    def identity(place: Path) -> str:
        chosen = ["degradation=[dfdnet_measured]", f"degradation.kernels={place}"]
        (spec,) = splits(compose_config("run", chosen)["degradation"]).values()
        assert spec is not None
        return split_id(spec, spec.build(), 0)

    moved, other = tmp_path / "moved", tmp_path / "other"
    for target in (moved, other):
        target.mkdir()
        for file in folder.glob("*.mat"):
            (target / file.name).write_bytes(file.read_bytes())
    savemat(other / "m_02.mat", {"kernel": np.ones((5, 5))})
    assert identity(moved) == identity(folder)
    assert identity(other) != identity(folder)


def test_the_preset_runs(folder: Path, command: Callable, small_faces: Path, tmp_path: Path) -> None:
    data = ["dataset=folder", f"dataset.folder.root={small_faces}", "degradation=[dfdnet_measured]"]
    assert command("synthesize", *data, f"degradation.kernels={folder}", f"out={tmp_path / 'lq'}").status == 0
    outcome = command("synthesize", *data, "degradation.kernels=nowhere", f"out={tmp_path / 'lq'}")
    assert outcome.status == 2
    assert "no kernels in nowhere" in outcome.stderr


@pytest.mark.parametrize("kernel", [np.ones((4, 4)), np.ones((5, 7)), np.zeros((5, 5)), np.full((5, 5), np.nan)])
def test_what_is_no_kernel_is_refused(tmp_path: Path, kernel: np.ndarray) -> None:
    savemat(tmp_path / "m_01.mat", {"kernel": kernel})
    with pytest.raises(ConfigError, match="m_01"):
        _ = MeasuredMotion(str(tmp_path)).content


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "m_01.mat").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"m_01\.mat: no MATLAB file"):
        MeasuredMotion(str(tmp_path)).draw(np.random.default_rng(0))


# -- random order -------------------------------------------------------------------------------


def test_steps_come_in_every_order_and_the_record_repeats_it() -> None:
    steps = [GaussianBlur(2), Jpeg(20), Quantise("truncate")]
    pipeline = Pipeline("k", [Shuffled("any", steps)])
    image = np.random.default_rng(3).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    generator, orders = np.random.default_rng(4), Counter()
    for _ in range(600):
        orders[tuple(pipeline.draw(generator)["any_order"])] += 1
    assert len(orders) == 6
    assert min(orders.values()) > 60
    made = pipeline(image, np.random.default_rng(5))
    np.testing.assert_array_equal(pipeline.apply(image, made.parameters).lq, made.lq)
    order, state = made.parameters["any_order"], image.astype(np.float32)
    for place in order:  # by hand
        drawn = {"sigma_x": 2, "sigma_y": 2, "theta": 0.0, "quality": 20}
        state = steps[place].apply(state, drawn, (48, 48))
    np.testing.assert_array_equal(made.lq, np.rint(np.clip(state, 0, 255)).astype(np.uint8))


def test_the_order_matters() -> None:
    steps, image = [GaussianBlur(2), Jpeg(20)], np.random.default_rng(6).uniform(0, 255, (48, 48, 3)).astype(np.float32)
    shuffled = Shuffled("any", steps)
    drawn = {**shuffled.draw(np.random.default_rng(7))}
    results = [shuffled.apply(image, {**drawn, "order": order}, (48, 48)) for order in ([0, 1], [1, 0])]
    assert not np.array_equal(*results)
