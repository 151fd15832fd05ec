"""Steps in a row, by chance and by choice keep the promises of a single step."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from restorebench.bench.errors import ConfigError
from restorebench.bench.images import Pixels
from restorebench.datasets.blurs import AverageBlur, MedianBlur
from restorebench.datasets.combine import Chain, OneOf, Sometimes
from restorebench.datasets.degradation import Pipeline
from restorebench.datasets.noises import AdditiveNoise
from restorebench.datasets.steps import Back, Down, GaussianBlur, Jpeg, Quantise, Step

leaves: st.SearchStrategy[Step] = st.sampled_from(
    [GaussianBlur([1, 3], size=7), AverageBlur([2, 5]), MedianBlur([3, 5]), AdditiveNoise([1, 9]), Jpeg([30, 90])]
)


def above(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    chains = st.lists(inner, min_size=1, max_size=3).map(lambda steps: Chain("part", steps))
    chances = chains.map(lambda step: Sometimes(0.5, step))
    choices = st.lists(chains, min_size=1, max_size=3).map(lambda steps: OneOf("kind", steps))
    return chains | chances | choices


trees = st.recursive(leaves, above, max_leaves=5)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(trees, min_size=1, max_size=3), seed=st.integers(0, 2**32))
def test_what_a_tree_of_steps_recorded_repeats_it_exactly(steps: list[Step], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (19, 23, 3), dtype=np.uint8)
    pipeline = Pipeline("tree", steps)
    made = pipeline(image, np.random.default_rng(seed))
    again = pipeline.apply(image, json.loads(json.dumps(made.parameters)))
    np.testing.assert_array_equal(made.lq, again.lq)
    assert made.parameters == again.parameters


@pytest.mark.parametrize("wrap", [lambda s: Sometimes(0.5, s), lambda s: OneOf("x", [s, AverageBlur([2, 9])])])
def test_every_outcome_costs_the_same_number_of_random_numbers(wrap: Any) -> None:
    step = wrap(GaussianBlur([1, 3]))
    following: dict[bool, set[float]] = {}
    for seed in range(30):
        rng, fresh = np.random.default_rng(seed), np.random.default_rng(seed)
        drawn = step.draw(rng)
        count = next(
            n
            for n in range(1, 20)
            if fresh.random() is not None and fresh.bit_generator.state == rng.bit_generator.state
        )
        following.setdefault(drawn.get("applied", drawn.get("choice") == "blur"), set()).add(count)
    assert set(following) == {True, False}
    assert following[True] == following[False]
    assert len(following[True]) == 1


def test_a_chance_is_recorded_under_the_step_s_name(texture: Pixels) -> None:
    rng = np.random.default_rng(0)
    records = [Pipeline("x", [Sometimes(0.6, Jpeg([40, 80]))]).draw(rng) for _ in range(2000)]
    applied = [record for record in records if record["jpeg_applied"]]
    assert stats.binomtest(len(applied), 2000, 0.6).pvalue > 1e-3
    assert all(set(record) == {"jpeg_applied", "jpeg_quality"} for record in applied)
    assert all(set(record) == {"jpeg_applied"} for record in records if not record["jpeg_applied"])


def test_what_does_not_happen_leaves_the_image_alone(texture: Pixels) -> None:
    made = Pipeline("never", [Sometimes(0, Jpeg(1))])(texture, np.random.default_rng(0))
    np.testing.assert_array_equal(made.lq, texture)
    made = Pipeline("always", [Sometimes(1, Jpeg(50))])(texture, np.random.default_rng(0))
    np.testing.assert_array_equal(made.lq, Pipeline("plain", [Jpeg(50)])(texture, np.random.default_rng(0)).lq)


def test_a_choice_records_which_and_follows_its_weights() -> None:
    step = OneOf("blur", [AverageBlur([3, 5]), MedianBlur([3, 5]), AverageBlur([7, 9])], [0.2, 0.5, 0.3])
    rng = np.random.default_rng(0)
    names = [step.draw(rng)["choice"] for _ in range(2000)]
    for name, weight in (("average", 0.2), ("median", 0.5), ("average2", 0.3)):
        assert stats.binomtest(names.count(name), 2000, weight).pvalue > 1e-3


def test_a_choice_does_what_it_recorded(texture: Pixels) -> None:
    image = texture.astype(np.float32)
    step = OneOf("blur", [AverageBlur([3, 5]), MedianBlur([3, 5])])
    made = step.apply(image, {"choice": "median", "size": 5}, texture.shape[:2])
    np.testing.assert_array_equal(made, MedianBlur(5).apply(image, {"size": 5}, texture.shape[:2]))


def test_a_chain_prefixes_what_its_steps_drew() -> None:
    chain = Chain("second", [Jpeg(50), Jpeg(60)])
    drawn = Pipeline("x", [chain, chain]).draw(np.random.default_rng(0))
    assert list(drawn) == [
        "second_jpeg_quality",
        "second_jpeg2_quality",
        "second2_jpeg_quality",
        "second2_jpeg2_quality",
    ]


def test_the_native_image_is_found_behind_a_step_that_did_not_happen(texture: Pixels) -> None:
    made = Pipeline("x", [Down(2), Sometimes(0, Jpeg(5)), Back(), Sometimes(1, Jpeg(90))])(
        texture, np.random.default_rng(0)
    )
    assert made.native is not None
    assert made.native.shape[:2] == (65, 86)


def test_truncation_darkens_and_rounding_does_not() -> None:
    image = np.full((4, 4, 3), 99.7, np.float32)
    assert (Quantise("truncate").apply(image, {}, (4, 4)) == 99).all()
    assert (Quantise().apply(image, {}, (4, 4)) == 100).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sometimes(1.2, Jpeg(50)), "probability of jpeg is 1.2"),
        (lambda: Sometimes(0.5, Sometimes(0.5, Jpeg(50))), "Sometimes inside Sometimes"),
        (lambda: OneOf("x", []), "nothing to choose from"),
        (lambda: OneOf("x", [Jpeg(50)], [1, 2]), "1 weights above 0"),
        (lambda: OneOf("x", [Jpeg(50), Jpeg(60)], [1, 0]), "2 weights above 0"),
        (lambda: OneOf("x", [OneOf("y", [Jpeg(50)])]), "OneOf inside OneOf"),
        (lambda: Quantise("up"), "how is 'up'"),  # type: ignore[arg-type]
    ],
)
def test_settings_without_meaning_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
