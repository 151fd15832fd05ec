"""The rows beside the competitors."""

import numpy as np
import pytest
import torch

from restorebench.adapters.baselines import Input, Lanczos, NLMeans, Reference
from restorebench.bench.api import Restorer
from restorebench.bench.errors import ConfigError
from restorebench.bench.images import to_pixels

CPU = torch.device("cpu")


@pytest.mark.parametrize("restorer", [Input(), Lanczos(), Reference()])
def test_what_only_hands_on_changes_no_pixel(restorer: Restorer, face, batch_of) -> None:
    restorer.load(CPU)
    assert np.array_equal(to_pixels(restorer.restore(batch_of(face)))[0], face)


def test_each_card_says_what_it_is_fed() -> None:
    assert [r.card.input for r in (Input(), Lanczos(), NLMeans(), Reference())] == ["lq", "native", "lq", "reference"]
    assert Lanczos().card.final_resize == "lanczos"
    assert [r.card.ranked for r in (Input(), Lanczos(), NLMeans(), Reference())] == [True, True, True, False]
    assert all(isinstance(r, Restorer) and not r.weights for r in (Input(), Lanczos(), NLMeans(), Reference()))


def test_nlmeans_takes_noise_away(face, batch_of, psnr) -> None:
    clean = face[128:256, 128:256]
    noise = np.random.default_rng(1).normal(0, 20, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    restored = to_pixels(NLMeans(h=15, h_color=15).restore(batch_of(noisy)))[0]
    assert psnr(restored, clean) > psnr(noisy, clean) + 3


def test_nlmeans_keeps_red_red_and_blue_blue(batch_of) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :16, 0], image[:, 16:, 2] = 200, 90
    restored = to_pixels(NLMeans().restore(batch_of(image)))[0]
    assert np.abs(restored.astype(int) - image).max() <= 6


def test_nlmeans_treats_each_image_alone(face, batch_of) -> None:
    a, b = face[:48, :48], face[200:248, 200:248]
    together = NLMeans().restore(batch_of(a, b))
    assert torch.equal(together[0], NLMeans().restore(batch_of(a))[0])
    assert torch.equal(together[1], NLMeans().restore(batch_of(b))[0])


def test_an_even_window_is_refused() -> None:
    with pytest.raises(ConfigError, match="template is 6"):
        NLMeans(template=6)
