"""Each noise equals a statement of it in NumPy, and has the law it claims."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from restorebench.bench.errors import ConfigError
from restorebench.bench.images import Pixels
from restorebench.datasets.noises import AdditiveNoise, PoissonNoise
from restorebench.datasets.steps import GaussianNoise

SIZE = (131, 173)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    ("law", "cdf"), [("gaussian", stats.norm(scale=9).cdf), ("laplace", stats.laplace(scale=9).cdf)]
)
def test_the_field_has_its_law_and_channels_are_independent(law: Any, cdf: Any) -> None:
    gray = np.full((64, 64, 3), 128, np.float32)
    drawn = {"law": law, "delta": 9.0, "seed": 3, "gray": False}
    noise = AdditiveNoise(9, law=law).apply(gray, drawn, (64, 64)) - gray
    assert stats.kstest(noise.ravel(), cdf).pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(noise.reshape(-1, 3).T), np.eye(3), atol=0.06)


@pytest.mark.parametrize("law", ["gaussian", "laplace"])
def test_noise_is_the_field_of_its_recorded_seed_clipped_to_the_range(law: Any, texture: Pixels) -> None:
    field = (
        generator(99).standard_normal(texture.shape, dtype=np.float32)
        if law == "gaussian"
        else generator(99).laplace(size=texture.shape)
    )
    made = AdditiveNoise(20, law=law).apply(
        texture.astype(np.float32), {"law": law, "delta": 20.0, "seed": 99, "gray": False}, SIZE
    )
    np.testing.assert_allclose(made, np.clip(texture + 20 * field, 0, 255), rtol=0, atol=1e-3)


def test_gray_noise_is_the_same_in_all_channels() -> None:
    image = np.full((32, 32, 3), 100, np.float32)
    noise = AdditiveNoise(10, gray=1).apply(
        image, {"law": "gaussian", "delta": 10.0, "seed": 1, "gray": True}, (32, 32)
    )
    np.testing.assert_array_equal(noise[:, :, 0], noise[:, :, 1])
    np.testing.assert_array_equal(noise[:, :, 0], noise[:, :, 2])
    assert noise.std() == pytest.approx(10, rel=0.1)


def test_the_noise_of_the_classic_model_is_one_of_these(texture: Pixels) -> None:
    """Same draws, same field."""
    drawn = AdditiveNoise([0, 20]).draw(np.random.default_rng(4))
    same = GaussianNoise([0, 20]).draw(np.random.default_rng(4))
    assert {key: drawn[key] for key in same} == same
    image = texture.astype(np.float32)
    np.testing.assert_array_equal(AdditiveNoise(1).apply(image, drawn, SIZE), GaussianNoise(1).apply(image, same, SIZE))


@pytest.mark.parametrize("gray", [False, True])
def test_poisson_noise_is_basicsr_s_recipe(gray: bool, texture: Pixels) -> None:
    image = texture.astype(np.float32)
    base = image / 255
    if gray:
        base = (0.299 * base[:, :, :1] + 0.587 * base[:, :, 1:2] + 0.114 * base[:, :, 2:]).round(7)
    level = np.clip((base * 255).round(), 0, 255) / 255
    values = 2 ** np.ceil(np.log2(len(np.unique(level))))
    noise = generator(8).poisson(level.astype(np.float64) * values) / values - level
    made = PoissonNoise(1).apply(image, {"scale": 1.7, "seed": 8, "gray": gray}, SIZE)
    off = np.abs(made - np.clip(image + 1.7 * 255 * noise, 0, 255))
    assert np.median(off) < 1e-3
    assert (off < 1e-3).mean() > 0.99  # a luminance on the verge of rounding may fall the other way


def test_poisson_noise_grows_with_the_root_of_brightness() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.float32), 256).reshape(256, 256)
    image = np.dstack([ramp] * 3)
    noise = PoissonNoise(0.5).apply(image, {"scale": 0.5, "seed": 0, "gray": False}, (256, 256)) - image
    for row in (40, 100, 200):
        assert noise[row].std() == pytest.approx(0.5 * 255 * np.sqrt(row / 255 / 256), rel=0.1)
    np.testing.assert_array_equal(noise[0], 0)


@pytest.mark.parametrize("step", [AdditiveNoise([1, 5], gray=0.4), PoissonNoise([1, 5], gray=0.4)])
def test_gray_noise_comes_as_often_as_it_should(step: Any) -> None:
    rng = np.random.default_rng(0)
    drawn = sum(step.draw(rng)["gray"] for _ in range(2000))
    assert stats.binomtest(drawn, 2000, 0.4).pvalue > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdditiveNoise(-1), "negative"),
        (lambda: AdditiveNoise(1, law="pink"), "law is 'pink'"),  # type: ignore[arg-type]
        (lambda: AdditiveNoise(1, gray=-0.1), "0..1"),
        (lambda: PoissonNoise([-1, 1]), "negative"),
        (lambda: PoissonNoise(1, gray=3), "0..1"),
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
