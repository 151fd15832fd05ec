"""The presets of `conf/degradation` draw what their sources say, and depend on nothing but seed, key, id and image."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from restorebench.bench.images import Pixels, read
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec
from restorebench.datasets.degradation import Pipeline

CONF = Path(__file__).resolve().parents[2] / "conf" / "degradation"
DRAWS = 2000
ALPHA = 1e-4  # about 120 tests with fixed seeds


@dataclass(frozen=True)
class Uniform:
    """Uniform between two ends."""

    low: float
    high: float

    def pvalue(self, values: list[Any]) -> float:
        assert self.low <= min(values)
        assert max(values) <= self.high
        return float(stats.kstest(values, stats.uniform(self.low, self.high - self.low).cdf).pvalue)


@dataclass(frozen=True)
class Levels:
    """Some values with relative frequencies; none given: all alike."""

    weights: Mapping[Any, float]

    def pvalue(self, values: list[Any]) -> float:
        counts = Counter(values)
        assert set(counts) == set(self.weights), "a value is missing or does not belong"
        total = sum(self.weights.values())
        expected = [weight / total * len(values) for weight in self.weights.values()]
        return float(stats.chisquare([counts[value] for value in self.weights], expected).pvalue)


@dataclass(frozen=True)
class Halves:
    """With equal chance from one of two laws that do not overlap."""

    below: Uniform
    above: Uniform

    def pvalue(self, values: list[Any]) -> float:
        low = [value for value in values if value <= self.below.high]
        high = [value for value in values if value > self.below.high]
        fair = stats.binomtest(len(low), len(values), 0.5).pvalue
        return float(min(fair, self.below.pvalue(low), self.above.pvalue(high)))


def levels(*values: Any) -> Levels:
    return Levels(dict.fromkeys(values, 1))


def whole(low: int, high: int) -> Levels:
    return levels(*range(low, high + 1))


def chance(probability: float) -> Levels:
    return Levels({True: probability, False: 1 - probability})


def kinds(isotropic: float) -> Levels:
    return Levels({"isotropic": isotropic, "anisotropic": 1 - isotropic})


def classic(sigma: Any, r: Any, delta: Any, quality: Any) -> dict[str, Any]:
    """x = [(y * k_sigma) down_r + n_delta]_JPEG_q, kernels isotropic or not with equal chance."""
    return {
        "blur_sigma_x": Uniform(*sigma),
        "blur_kind": kinds(0.5),
        "down_scale": Uniform(*r),
        "noise_delta": Uniform(*delta),
        "noise_seed": Uniform(0, 2**53),
        "jpeg_quality": whole(*quality),
    }


# JPEG quality: training code draws a real number and cuts it off, so that the upper end is never reached.
GFPGAN = classic((0.1, 10), (0.8, 8), (0, 20), (60, 99))

PSFRGAN = {
    "blur_applied": chance(0.5),
    "blur_choice": levels("blur", "average", "median", "motion"),
    "blur_sigma_x": Uniform(3, 15),
    "blur_angle": Uniform(0, 360),
    "blur_direction": Uniform(-1, 1),
    "blur_size average": whole(3, 15),
    "blur_size median": Levels({3: 1, **dict.fromkeys((5, 7, 9, 11, 13, 15), 2)}),
    "blur_size motion": Levels({5: 1, **dict.fromkeys(range(7, 26, 2), 2)}),
    "side_filter": levels("nearest", "bilinear", "area", "bicubic"),
    "noise_applied": chance(0.2),
    "noise_delta": Uniform(0, 25.5),
    "noise_gray": chance(0.5),
    "jpeg_applied": chance(0.7),
    "jpeg_quality": whole(37, 90),
}

EXPECTED: dict[str, dict[str, Any]] = {
    "gfpgan": {
        **GFPGAN,
        "shift_applied": chance(0.3),
        "shift_red": Uniform(-20, 20),
        "shift_green": Uniform(-20, 20),
        "shift_blue": Uniform(-20, 20),
        "gray_applied": chance(0.01),
        "jitter_applied": chance(0.3),
        "jitter_brightness": Uniform(0.5, 1.5),
        "jitter_contrast": Uniform(0.5, 1.5),
        "jitter_saturation": Uniform(0, 1.5),
        "jitter_hue": Uniform(-0.1, 0.1),
    },
    "vqfr_v1": GFPGAN,
    "gpen": GFPGAN,
    "restoreformer": {**GFPGAN, "blur_size": levels(39, 41)},
    "vqfr_v2": classic((1, 15), (1, 30), (0, 20), (30, 89)),
    "codeformer_small": classic((0.1, 10), (1, 12), (0, 15), (60, 99)),
    "codeformer_large": classic((1, 15), (4, 30), (0, 20), (30, 79)),
    "difface": {
        "blur_sigma_x": levels(4.0, 8.0, 12.0, 16.0),
        "blur_sigma_y": levels(4.0, 8.0, 12.0, 16.0),
        "blur_theta": levels(0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4),
        "blur_kind": levels("anisotropic"),
        "blur_size": levels(41),
        "down_scale": levels(*(4.0 * i for i in range(1, 11))),
        "noise_delta": levels(1.0, 5.0, 10.0, 15.0, 20.0),
        "jpeg_quality": levels(30, 40, 50, 60, 70),
    },
    "dfdnet": {
        "blur_applied": chance(0.9),
        "blur_choice": Levels({"blur": 0.65, "shake": 0.35}),
        "blur_sigma_x": levels(*(i / 10 for i in range(3, 21))),
        "blur_size blur": levels(*range(3, 36, 2)),
        "blur_size shake": levels(*range(7, 36, 2)),
        "resize_applied": chance(0.95),
        "resize_scale": levels(*(i / 10 for i in range(20, 101))),
        "noise_applied": chance(0.9),
        "noise_delta": levels(*map(float, range(1, 11))),
        "jpeg_applied": chance(0.6),
        "jpeg_quality": whole(40, 80),
    },
    "hifacegan_style": {
        "any_blur_choice": levels("blur", "motion"),
        "any_blur_sigma_x": Uniform(3, 8),
        "any_resize_factor": Uniform(0.125, 0.25),
        "any_noise_choice": levels("noise", "noise2"),
        "any_noise_delta": Uniform(20, 40),
        "any_jpeg_quality": whole(18, 51),
    },
    "psfrgan": {**PSFRGAN, "side_pixels": whole(32, 255)},
    "sparnethd": {**PSFRGAN, "side_pixels": whole(32, 127)},
    "dpe_photo": {
        "exposure_stops": Uniform(-1.5, 0.5),
        "balance_warmth": Uniform(-0.6, 0.6),
        "balance_tint": Uniform(-0.15, 0.15),
        "contrast_factor": Uniform(0.5, 1),
    },
    "realesrgan": {
        "blur_choice": Levels({"blur": 0.63, "blur2": 0.135, "blur3": 0.135, "sinc": 0.0375, "sinc2": 0.0625}),
        "blur_sigma_x": Uniform(0.2, 3),
        "blur_kind blur": Levels({"isotropic": 0.45, "anisotropic": 0.25}),
        "blur_kind blur2": Levels({"isotropic": 0.12, "anisotropic": 0.03}),
        "blur_beta blur2": Halves(Uniform(0.5, 1), Uniform(1, 4)),
        "blur_size blur": levels(*range(7, 22, 2)),
        "blur_cutoff sinc": Uniform(math.pi / 3, math.pi),
        "blur_cutoff sinc2": Uniform(math.pi / 5, math.pi),
        "resize_filter": levels("area", "bilinear", "bicubic"),
        "noise_choice": levels("noise", "poisson"),
        "noise_delta": Uniform(1, 30),
        "noise_scale": Uniform(0.05, 3),
        "noise_gray": chance(0.4),
        "jpeg_quality": whole(30, 94),
        "blur2_applied": chance(0.8),
        "blur2_sigma_x": Uniform(0.2, 1.5),
        "resize2_filter": levels("area", "bilinear", "bicubic"),
        "noise2_choice": levels("noise", "poisson"),
        "noise2_delta": Uniform(1, 25),
        "noise2_scale": Uniform(0.05, 2.5),
        "noise2_gray": chance(0.4),
        "last_choice": levels("resizefirst", "jpegfirst"),
        "last_resize_filter": levels("area", "bilinear", "bicubic"),
        "last_sinc_applied": chance(0.8),
        "last_sinc_cutoff": Uniform(math.pi / 3, math.pi),
        "last_sinc_size": levels(*range(7, 22, 2)),
        "last_jpeg_quality": whole(30, 94),
    },
}
"""Preset -> column -> law, from the sources named in the configurations.

`blur_size median` is the column `blur_size` where `blur_choice` is `median`."""


@cache
def preset(name: str) -> Pipeline:
    content = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    pipeline = Spec.of(content, name).build()
    assert isinstance(pipeline, Pipeline)
    return pipeline


@cache
def draws(name: str) -> list[dict[str, Any]]:
    key = preset(name).key
    return [preset(name).draw(numpy_generator(0, "degradation", key, f"{i:05}")) for i in range(DRAWS)]


def column(name: str, where: str) -> list[Any]:
    key, _, choice = where.partition(" ")
    prefix = key.partition("_")[0]
    return [row[key] for row in draws(name) if key in row and (not choice or row[f"{prefix}_choice"] == choice)]


def test_every_preset_is_held_to_its_source() -> None:
    split = {"given", "mild", "medium", "severe", *(path.stem for path in CONF.glob("x*_*.yaml"))}
    files = {path.stem for path in CONF.glob("*.yaml") if not path.stem.startswith("sweep")}
    elsewhere = {"dfdnet_measured", "difface_grid"}  # test_measured.py, test_difface.py
    assert files - split - elsewhere == set(EXPECTED)
    assert all(preset(name).key == name for name in EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_draws_lie_in_their_ranges_and_cover_them(name: str) -> None:
    """Kolmogorov-Smirnov or chi-square on 2,000 sample ids; seeds are fixed, so this fails always or never."""
    pvalues = {where: law.pvalue(column(name, where)) for where, law in EXPECTED[name].items()}
    assert {where: p for where, p in pvalues.items() if p < ALPHA} == {}


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name].get("blur_kind") == kinds(0.5)])
def test_kernels_that_are_not_round_are_turned_by_any_angle(name: str) -> None:
    turned = [row for row in draws(name) if row["blur_kind"] == "anisotropic"]
    assert Uniform(-math.pi, math.pi).pvalue([row["blur_theta"] for row in turned]) > ALPHA
    assert EXPECTED[name]["blur_sigma_x"].pvalue([row["blur_sigma_y"] for row in turned]) > ALPHA
    assert abs(np.corrcoef(*zip(*((r["blur_sigma_x"], r["blur_sigma_y"]) for r in turned), strict=True))[0, 1]) < 0.15


def test_real_esrgan_resizes_up_down_or_not_at_all() -> None:
    for key, low, high, weights in (("resize", 0.15, 1.5, (0.2, 0.7, 0.1)), ("resize2", 0.3, 1.2, (0.3, 0.4, 0.3))):
        factors = np.array(column("realesrgan", f"{key}_factor"))
        up, down = factors[factors > 1], factors[factors < 1]
        for count, weight in zip((len(up), len(down), (factors == 1).sum()), weights, strict=True):
            assert stats.binomtest(int(count), DRAWS, weight).pvalue > ALPHA
        assert Uniform(1, high).pvalue(list(up)) > ALPHA
        assert Uniform(low, 1).pvalue(list(down)) > ALPHA


def test_the_grid_of_difface_has_4000_cells_all_alike() -> None:
    laws = EXPECTED["difface"]
    axes = ("jpeg_quality", "down_scale", "noise_delta", "blur_sigma_x", "blur_theta")
    cells = list(product(*(laws[axis].weights for axis in axes)))
    assert len(cells) == 4000
    found = Counter(tuple(row[axis] for axis in axes) for row in draws("difface"))
    assert set(found) <= set(cells)
    # 2,000 draws from 4,000 cells alike: 1,574 different ones are expected, with a deviation of 17
    assert abs(len(found) - 4000 * (1 - (1 - 1 / 4000) ** 2000)) < 60


def test_an_image_of_difface_s_grid_equals_its_script_s_recipe(faces: dict[str, Path]) -> None:
    """On [0, 1] floats in OpenCV's own words, as in DifFace's `face_degradation`; the kernel by SciPy."""
    image = read(faces["henner"])
    made = preset("difface")(image, numpy_generator(0, "degradation", "difface", "henner"))
    drawn = made.parameters
    cos, sin = math.cos(drawn["blur_theta"]), math.sin(drawn["blur_theta"])
    rotation = np.array([[cos, -sin], [sin, cos]])
    spread = rotation @ np.diag([drawn["blur_sigma_x"] ** 2, drawn["blur_sigma_y"] ** 2]) @ rotation.T
    y, x = np.mgrid[-20:21, -20:21]
    kernel = stats.multivariate_normal([0, 0], spread).pdf(np.stack([x, y], axis=-1))
    small = cv2.filter2D(image[:, :, ::-1].astype(np.float32) / 255, -1, kernel / kernel.sum())
    side = int(512 // drawn["down_scale"])
    small = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    field = np.random.Generator(np.random.PCG64(drawn["noise_seed"])).standard_normal(small.shape, dtype=np.float32)
    small = np.clip(small + field[:, :, ::-1] * drawn["noise_delta"] / 255, 0, 1)
    coded = cv2.imencode(
        ".jpg", np.rint(small * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, drawn["jpeg_quality"]]
    )[1]
    small = cv2.imdecode(coded, cv2.IMREAD_COLOR).astype(np.float32) / 255
    lq = np.rint(cv2.resize(small, (512, 512), interpolation=cv2.INTER_LINEAR) * 255)[:, :, ::-1]
    off = np.abs(made.lq - lq)
    assert (off <= 1).mean() > 0.99  # `lq` is resized in whole numbers here, in floats there
    assert off.mean() < 0.4


@pytest.mark.parametrize("name", EXPECTED)
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    ids=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=3, unique=True),
)
def test_an_output_depends_on_seed_key_id_and_image_only(name: str, seed: int, ids: list[str]) -> None:
    """Other images, their order and what the degradation made before change nothing."""
    image = np.random.default_rng(seed).integers(0, 256, (48, 56, 3), dtype=np.uint8)

    def make(pipeline: Pipeline, sample_id: str) -> Pixels:
        return pipeline(image, numpy_generator(seed, "degradation", pipeline.key, sample_id)).lq

    first = {sample_id: make(preset(name), sample_id) for sample_id in ids}
    fresh = Pipeline(preset(name).key, preset(name).steps)
    for sample_id in reversed(ids):
        np.testing.assert_array_equal(make(fresh, sample_id), first[sample_id])


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_recorded_repeats_it_and_the_lq_has_the_reference_s_size(
    name: str, texture: Pixels, split: Callable[[str], Pipeline]
) -> None:
    pipeline = split(name)
    for sample_id in "abc":
        made = pipeline(texture, numpy_generator(1, "degradation", pipeline.key, sample_id))
        assert made.lq.shape == texture.shape
        np.testing.assert_array_equal(pipeline.apply(texture, made.parameters).lq, made.lq)
        if made.native is not None:
            assert made.native.size < texture.size
