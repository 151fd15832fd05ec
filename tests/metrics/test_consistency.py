"""Data consistency through the whole engine, and against a statement of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import restorebench
from restorebench.bench.errors import ImageError
from restorebench.bench.images import read, to_tensor
from restorebench.bench.metrics.consistency import DataConsistency
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec

PACKAGE = Path(restorebench.__file__).parent


@pytest.fixture
def spec() -> Spec:
    config = yaml.safe_load((PACKAGE / "conf" / "degradation" / "medium.yaml").read_text(encoding="utf-8"))
    return Spec.of(config, "degradation.medium")


@pytest.fixture
def face() -> np.ndarray:
    return read(min((PACKAGE / "datasets" / "builtin").glob("*.png")))[:200, :224]


def test_the_restored_image_is_degraded_as_its_lq_was(face: np.ndarray, spec: Spec) -> None:
    import cv2

    degradation = spec.build()
    lq, _, drawn = degradation(face, numpy_generator(0, "degradation", degradation.key, "a"))
    restored = cv2.medianBlur(lq, 3)
    again = degradation.apply(restored, drawn).lq.astype(float)
    meta = [{"degradation": {"spec": spec.to_json(), "drawn": drawn}}] * 2
    values = DataConsistency().score(to_tensor([restored, face]), None, to_tensor([lq, lq]), meta)
    expected = 20 * np.log10(255 / np.sqrt(np.mean((again - lq) ** 2)))
    assert values["consistency_psnr"].tolist() == [pytest.approx(expected, abs=1e-9), math.inf]
    assert values["consistency_mae"].tolist() == [pytest.approx(np.abs(again - lq).mean(), abs=1e-12), 0]


def test_the_engine_hands_over_what_it_drew(tmp_path: Path) -> None:
    common = ["adapter=[input,lanczos]", "metric=[psnr,consistency]", "limit=2", "mlflow.enabled=false", "threads=1"]
    done = restorebench.run(*common, "degradation=[mild,severe]", f"out={tmp_path / 'out'}")
    board = done.leaderboard.pivot_table(index=["split", "restorer"], columns="metric", values="value")
    assert (board.xs("reference", level="restorer")["consistency_mae"] == 0).all()
    blurred_twice = board.drop("reference", level="restorer")
    assert (blurred_twice["consistency_mae"] > 0.5).all()
    # an LQ degraded again lies nearer to itself than to the sharp reference
    assert (blurred_twice["consistency_psnr"] > blurred_twice["psnr"]).all()
    assert done.status == 0


def test_lq_images_that_a_data_set_brings_have_no_value_and_that_is_no_failure(
    tmp_path: Path, face: np.ndarray
) -> None:
    from PIL import Image

    for side in ("hq", "lq"):
        (tmp_path / side).mkdir()
        Image.fromarray(face).save(tmp_path / side / "a.png")
    sides = [f"dataset.pairs.{side}={tmp_path / side}" for side in ("hq", "lq")]
    common = ["adapter=[input]", "metric=[psnr,consistency]", "mlflow.enabled=false", "threads=1"]
    done = restorebench.run("dataset=pairs", *sides, *common, f"out={tmp_path / 'out'}")
    rows = done.leaderboard[done.leaderboard.metric.str.startswith("consistency")]
    assert rows.value.isna().all()
    assert rows.note.str.contains("was not made here").all()


def test_a_degradation_that_cannot_repeat_itself_is_named() -> None:
    odd = {"target": "types.SimpleNamespace", "arguments": {}}
    meta = [{"degradation": {"spec": odd, "drawn": {}}}]
    with pytest.raises(ImageError, match="SimpleNamespace cannot repeat"):
        DataConsistency().score(torch.zeros(1, 3, 8, 8), None, torch.zeros(1, 3, 8, 8), meta)
