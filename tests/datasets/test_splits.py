"""The splits of `conf/degradation`: declared ranges, what is drawn from them, and what the faces become."""

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from restorebench.bench.images import Pixels, pixel_digest, read
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.steps import Down, GaussianBlur, GaussianNoise, Jpeg

CONF = Path(__file__).resolve().parents[2] / "conf" / "degradation"
LEVELS = ("mild", "medium", "severe")
SCALES = (4, 8, 16)
ALL = [f"x{scale}_{level}" for scale in SCALES for level in LEVELS]
DRAWS = 2000
DIGESTS = {
    "x4_mild": "22073de101b60ded2363a38af26d6315",
    "x4_medium": "9628c4be13a66465cd585478cd81b98d",
    "x4_severe": "4b0a2c96753ca2f73593e19e32703894",
    "x8_mild": "41eae321c774a9bca6eed53f4f2900be",
    "x8_medium": "334b9c05e61c2e49620cbb1aed5e3a9f",
    "x8_severe": "0f81738c4af1071a607651ddc700a830",
    "x16_mild": "4ccab60c12d0b2d94f7ccf196702cae0",
    "x16_medium": "a1562a775efb23eb99347c433e9ae975",
    "x16_severe": "665351fffc5c4110eb2928db5dd9f0db",
}
"""What the identity of each split began with when it was first released; stores hold results under it."""


def degrade(pipeline: Pipeline, image: Pixels, sample_id: str, seed: int = 0) -> Pixels:
    return pipeline(image, numpy_generator(seed, "degradation", pipeline.key, sample_id)).lq


@pytest.mark.parametrize("level", LEVELS)
def test_the_short_names_are_the_x8_splits(level: str, split_spec: Callable[[str], Spec]) -> None:
    assert split_spec(level).identity == split_spec(f"x8_{level}").identity


@pytest.mark.parametrize("name", ALL)
def test_a_split_keeps_its_identity(name: str, split_spec: Callable[[str], Spec]) -> None:
    """Whatever is added to the steps: a setting with a default would change it."""
    assert split_spec(name).digest == DIGESTS[name]


def test_given_degrades_nothing() -> None:
    assert yaml.safe_load((CONF / "given.yaml").read_text()) == {"given": None}


@pytest.mark.parametrize("scale", SCALES)
def test_ranges_rise_without_overlap_and_the_scale_is_fixed(scale: int, split: Callable[[str], Pipeline]) -> None:
    for milder, harder in pairwise(split(f"x{scale}_{level}") for level in LEVELS):
        for mild_step, hard_step in zip(milder.steps, harder.steps, strict=True):
            match mild_step, hard_step:
                case GaussianBlur(sigma=low), GaussianBlur(sigma=high):
                    assert low[1] <= high[0]
                case GaussianNoise(delta=low), GaussianNoise(delta=high):
                    assert low[1] <= high[0]
                case Jpeg(quality=high), Jpeg(quality=low):
                    assert low[1] <= high[0]
                case Down(scale=low), Down(scale=high):
                    assert low == high == scale
                case _:
                    assert mild_step == hard_step


@pytest.mark.parametrize("name", ALL)
def test_draws_lie_in_their_ranges_and_cover_them(name: str, split: Callable[[str], Pipeline]) -> None:
    """Kolmogorov-Smirnov against the uniform law on 2,000 sample ids, with fixed seeds."""
    pipeline = split(name)
    blur, down, noise, jpeg, _ = pipeline.steps
    drawn = [pipeline.draw(numpy_generator(0, "degradation", pipeline.key, f"{i:05}")) for i in range(DRAWS)]
    column = {key: np.array([row[key] for row in drawn]) for key in drawn[0]}
    turned = column["blur_kind"] == "anisotropic"

    def uniform(values: np.ndarray, low: float, high: float) -> None:
        assert low <= values.min()
        assert values.max() <= high
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3

    uniform(column["blur_sigma_x"], *blur.sigma)
    uniform(column["blur_sigma_y"][turned], *blur.sigma)
    uniform(column["blur_theta"][turned], -np.pi, np.pi)
    uniform(column["noise_delta"], *noise.delta)
    uniform(column["noise_seed"].astype(float), 0, 2**53)
    assert (column["down_scale"] == down.scale).all()
    low, high = map(int, jpeg.quality)
    counts = np.bincount(column["jpeg_quality"] - low, minlength=high + 1 - low)
    assert len(counts) == high + 1 - low
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.binomtest(int(turned.sum()), DRAWS, 1 - blur.isotropic).pvalue > 1e-3
    assert (column["blur_sigma_x"] == column["blur_sigma_y"])[~turned].all()
    names = ("blur_sigma_x", "noise_delta", "jpeg_quality")
    correlation = np.corrcoef([column[key] for key in names])
    assert np.abs(correlation - np.eye(3)).max() < 0.1  # 0.1 is 4.5 standard errors at 2,000


@pytest.mark.parametrize("level", LEVELS)
def test_an_alias_makes_the_same_bytes(level: str, split: Callable[[str], Pipeline], faces: dict[str, Path]) -> None:
    image = read(faces["hopper"])
    first, second = (degrade(split(name), image, "hopper") for name in (level, f"x8_{level}"))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("scale", SCALES)
def test_harder_splits_are_further_from_the_references(
    scale: int, split: Callable[[str], Pipeline], faces: dict[str, Path]
) -> None:
    errors = []
    for level in LEVELS:
        images = {name: read(path) for name, path in faces.items()}
        made = {name: degrade(split(f"x{scale}_{level}"), image, name) for name, image in images.items()}
        errors.append(np.mean([(made[name].astype(float) - images[name]) ** 2 for name in images]))
    assert errors == sorted(errors)


def test_the_bytes_depend_on_seed_split_and_id(split: Callable[[str], Pipeline], faces: dict[str, Path]) -> None:
    image = read(faces["huard"])
    mild, medium = split("mild"), split("medium")
    made = [
        degrade(mild, image, "huard"),
        degrade(mild, image, "other"),
        degrade(mild, image, "huard", seed=1),
        degrade(medium, image, "huard"),
        degrade(Pipeline("another key", mild.steps), image, "huard"),
    ]
    assert len({pixel_digest(image) for image in made}) == len(made)


def test_another_process_makes_the_same_bytes(split: Callable[[str], Pipeline], faces: dict[str, Path]) -> None:
    program = """
import sys, yaml
from pathlib import Path
from restorebench.bench.images import pixel_digest, read
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec
conf, *faces = map(Path, sys.argv[1:])
for level in ("severe", "mild", "medium"):
    made = Spec.of(yaml.safe_load((conf / f"{level}.yaml").read_text()), level).build()
    for face in reversed(faces):
        generator = numpy_generator(0, "degradation", made.key, face.stem)
        print(level, face.stem, pixel_digest(made(read(face), generator).lq))
"""
    arguments = [sys.executable, "-c", program, str(CONF), *map(str, faces.values())]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    here = {
        (level, name, pixel_digest(degrade(split(level), read(path), name)))
        for level in LEVELS
        for name, path in faces.items()
    }
    assert {tuple(line.split()) for line in done.stdout.splitlines()} == here
