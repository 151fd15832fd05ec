"""Generators are keyed by what they are for: stable for ever, independent of each other."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from restorebench.bench.seeds import entropy, numpy_generator, torch_generator

KEYS = st.tuples(
    st.integers(0, 2**31), st.lists(st.text(st.characters(exclude_characters="\x1f", codec="utf-8")), max_size=3)
)


def test_a_key_draws_these_numbers_on_every_machine() -> None:
    """Should these change, every synthesised data set changes."""
    assert entropy(0, "degradation", "x8_mild", "henner") == 287172941375037459074852059291610724809
    drawn = numpy_generator(0, "degradation", "x8_mild", "henner").random(2)
    np.testing.assert_array_equal(drawn, [0.3380730229507778, 0.0880946780124503])


def test_another_process_draws_the_same() -> None:
    program = "from restorebench.bench.seeds import numpy_generator; print(numpy_generator(5, 'a', 'ü').random())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) == numpy_generator(5, "a", "ü").random()


@given(KEYS, KEYS)
def test_different_keys_have_different_entropy(one: tuple[int, list[str]], other: tuple[int, list[str]]) -> None:
    assert (entropy(one[0], *one[1]) == entropy(other[0], *other[1])) == (one == other)


def test_neighbouring_keys_are_uncorrelated() -> None:
    keys = [(0, "d", "s", "1"), (1, "d", "s", "1"), (0, "d", "s", "2"), (0, "d", "t", "1"), (0, "e", "s", "1")]
    drawn = [numpy_generator(seed, *key).standard_normal(4000) for seed, *key in keys]
    assert min(stats.pearsonr(a, b).pvalue for a, b in combinations(drawn, 2)) > 1e-3


def test_the_first_draws_of_many_keys_are_uniform() -> None:
    first = [numpy_generator(0, "d", "s", str(i)).random() for i in range(2000)]
    assert stats.kstest(first, "uniform").pvalue > 1e-3


def test_numpy_integers_are_seeds_like_any_other() -> None:
    assert entropy(np.int64(3), "x") == entropy(3, "x")


def test_torch_noise_is_keyed_too_and_drawn_on_the_cpu() -> None:
    one, same, other = (torch.randn(5, generator=torch_generator(0, "r", id_)) for id_ in ("a", "a", "b"))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch_generator(0, "r").device.type == "cpu"
