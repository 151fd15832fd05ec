"""What every metric promises, whatever it measures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from restorebench.bench.api import FeatureExtractor, PairMetric, SetMetric
from restorebench.bench.spec import Spec

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "metric").glob("*.yaml"))
# without lpips_vgg: lpips_alex with a slower network, whose numbers test_lpips.py checks
PER_IMAGE = ("psnr", "ssim", "ms_ssim", "lpips_alex", "niqe", "identity", "fsim", "gmsd")
BEST = {
    "psnr": float("inf"),
    "ssim": 1.0,
    "ms_ssim": 1.0,
    "lpips_alex": 0.0,
    "identity_cos": 1.0,
    "identity_deg": 0.0,
    "gmsd": 0.0,
}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_config_builds_a_metric_that_keeps_its_contract(config: Path) -> None:
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    if config.stem == "pyiqa":
        settings["name"] = "vif"
    if "reference" in settings:
        settings["reference"] = None  # statistics by the registry's name may not be here
    metric = Spec.of(settings, f"metric.{config.stem}").build()
    assert isinstance(metric, PairMetric) != isinstance(metric, SetMetric)
    assert metric.version >= 1
    assert metric.identity
    for column in metric.columns:
        assert column.low < column.high
    if isinstance(metric, SetMetric):
        assert isinstance(metric.extractor, FeatureExtractor)
        assert metric.reliable_from > 1


def test_building_every_metric_imports_no_network_library() -> None:
    program = f"""
import sys, yaml, pathlib
from restorebench.bench.spec import Spec
for path in pathlib.Path({str(CONFIGS[0].parent)!r}).glob("*.yaml"):
    settings = yaml.safe_load(path.read_text())
    settings.pop("reference", None)
    if "???" not in settings.values():
        Spec.of(settings, path.stem).build()
heavy = {{"torch", "pyiqa", "lpips", "insightface", "onnx", "onnxruntime", "torchvision", "scipy.linalg"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", PER_IMAGE)
def test_a_batch_of_four_scores_as_four_of_one(name: str, score: Callable[..., Any], crops: Any) -> None:
    together = score(name, crops)
    for column, values in together.items():
        alone = torch.cat([score(name, type(crops)(r[None], h[None]))[column] for r, h in zip(*crops, strict=True)])
        torch.testing.assert_close(values, alone, rtol=1e-5, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", PER_IMAGE)
def test_scores_are_cpu_doubles_one_per_image_and_the_images_stay_as_they_are(
    name: str, score: Callable[..., Any], metric: Callable[[str], Any], crops: Any
) -> None:
    before = [images.clone() for images in crops]
    values = score(name, crops)
    assert set(values) == {column.name for column in metric(name).columns}
    for column in values.values():
        assert (column.dtype, column.shape, column.device.type) == (torch.float64, (4,), "cpu")
    assert all(torch.equal(now, then) for now, then in zip(crops, before, strict=True))


@pytest.mark.parametrize("name", PER_IMAGE)
def test_the_references_state_serves_many_restorers(
    name: str, metric: Callable[[str], Any], score: Callable[..., Any], crops: Any
) -> None:
    built, metas = metric(name), [{}] * 4
    state = built.prepare(crops.reference, metas) if "reference" in built.needs else None
    first = built.score(crops.restored, state, None, metas)
    built.score(crops.reference.flip(-1), state, None, metas)
    again = built.score(crops.restored, state, None, metas)
    for column, values in first.items():
        assert torch.equal(values.nan_to_num(), again[column].nan_to_num())
        assert torch.equal(values.nan_to_num(), score(name, crops)[column].nan_to_num())


@pytest.mark.parametrize("name", [name for name in PER_IMAGE if name not in {"niqe", "fsim"}])
def test_identical_images_get_the_best_value_exactly(name: str, score: Callable[..., Any], face_pairs: Any) -> None:
    reference = face_pairs.reference[:2, :, 64:448, 64:448] if name != "identity" else face_pairs.reference[:2]
    for column, values in score(name, type(face_pairs)(reference, reference)).items():
        torch.testing.assert_close(values, torch.full((2,), BEST[column], dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PER_IMAGE)
def test_worse_images_get_worse_values(name: str, score: Callable[..., Any], metric: Any, face_pairs: Any) -> None:
    reference, near_images = (
        images if name == "identity" else images[:2, :, :192, :192] for images in face_pairs[::-1]
    )
    far_images = near_images.roll(1, 0)  # somebody else, blurred and noisy
    if name == "niqe":
        far_images = torch.rand(near_images.shape, generator=torch.Generator().manual_seed(0))
    near, far = (score(name, type(face_pairs)(images, reference)) for images in (near_images, far_images))
    for column in metric(name).columns:
        better = near[column.name].mean() > far[column.name].mean()
        assert bool(better) == column.higher_is_better


@pytest.mark.parametrize("value", [0.0, 128 / 255, 1.0])
@pytest.mark.parametrize("name", ["psnr", "ssim", "ms_ssim", "lpips_alex"])
def test_a_constant_image_gets_a_finite_value(name: str, value: float, score: Callable[..., Any], crops: Any) -> None:
    flat = torch.full_like(crops.reference, value)
    for values in score(name, type(crops)(flat, crops.reference)).values():
        assert values.isfinite().all()
