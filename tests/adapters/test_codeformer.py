"""CodeFormer: the official network and numbers, its fidelity weight, and gray faces."""

from pathlib import Path

import numpy as np
import pytest
import torch

from restorebench.adapters.codeformer import CodeFormer, gray_like, is_gray
from restorebench.adapters.networks import codeformer
from restorebench.bench.api import Batch
from restorebench.bench.errors import ConfigError
from restorebench.bench.images import Pixels

from .fills import Golden, batch_difference, image, parts, save_official, sub

pytestmark = pytest.mark.parity

ATOL = 1e-4


class Small(CodeFormer):
    """One transformer layer, images of 64 x 64 and random weights."""

    def build(self) -> torch.nn.Module:
        return Golden("codeformer").fill_smaller(codeformer.build(latent_size=4, n_layers=1))


def ready(**settings: object) -> Small:
    restorer = Small(**settings)
    restorer._network = restorer.build()
    return restorer


def batch(images: torch.Tensor) -> Batch:
    count = len(images)
    return Batch(tuple(map(str, range(count))), images, tuple(range(count)), ({},) * count)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_the_official_numbers_and_codes_come_out_of_an_official_file(tmp_path: Path) -> None:
    """The encoder and transformer run once for both inputs, the decoder once per case."""
    golden = Golden("codeformer")
    restorer = CodeFormer(str(save_official(golden.state(), tmp_path / "codeformer.pth", golden.holder)))
    restorer.load(torch.device("cpu"))
    network = restorer._network
    names = ("noise", "smooth")
    with torch.inference_mode():
        encoded = codeformer.encode(network, torch.cat([image(name) for name in names]))
        codes = codeformer.predict_codes(network, encoded.latent)
        for index, name in enumerate(names):
            one = codeformer.Encoded(
                encoded.latent[index : index + 1], {k: v[index : index + 1] for k, v in encoded.maps.items()}
            )
            for fidelity in {"noise": (0.5, 0.0), "smooth": (0.5, 1.0)}[name]:
                output = codeformer.decode(network, codes[index : index + 1], one, fidelity, adain=True)[0]
                found = parts(output) | {"lq_feat.sub": sub(one.latent[0]), "codes": codes[index]}
                assert golden.largest_difference(f"{name}_w{fidelity}", found) < ATOL


def test_the_adapter_feeds_minus_one_to_one_and_maps_the_face_back(images: torch.Tensor) -> None:
    restorer = ready(fidelity=0.7)
    network = restorer._network
    with torch.inference_mode():
        encoded = codeformer.encode(network, images[:1] * 2 - 1)
        face = codeformer.decode(network, codeformer.predict_codes(network, encoded.latent), encoded, 0.7, adain=True)
    torch.testing.assert_close(restorer.restore(batch(images[:1])), (face + 1) / 2, atol=1e-5, rtol=1e-5)


def test_an_image_does_not_depend_on_its_batch_mates(images: torch.Tensor) -> None:
    restorer = ready()
    assert batch_difference(lambda part, _: restorer.restore(batch(part)), images) < 1e-5


@pytest.mark.parametrize("settings", [{"fidelity": 1.0}, {"fidelity": 0.0}, {"adain": False}])
def test_every_setting_changes_the_face(images: torch.Tensor, settings: dict[str, object]) -> None:
    usual, other = ready().restore(batch(images[:1])), ready(**settings).restore(batch(images[:1]))
    assert (usual - other).abs().max() > 1e-3


@pytest.mark.parametrize("fidelity", [-0.1, 1.5])
def test_a_fidelity_outside_zero_to_one_is_refused(fidelity: float) -> None:
    with pytest.raises(ConfigError, match=str(fidelity)):
        CodeFormer(fidelity=fidelity)


def test_a_tint_of_small_variance_is_gray_and_a_face_is_not(face: Pixels) -> None:
    gray = np.repeat(face.mean(2, keepdims=True).round().astype(np.uint8), 3, axis=2)
    tinted = np.clip(gray + np.array([9, 0, -9]), 0, 255).astype(np.uint8)
    assert is_gray(gray)
    assert is_gray(tinted)
    assert not is_gray(face)


def test_a_gray_face_takes_mean_and_deviation_of_its_input(face: Pixels) -> None:
    source = np.clip(face[:, :, :1] * 0.5 + (40, 45, 50), 0, 255).astype(np.uint8)
    result = gray_like(face, source)
    np.testing.assert_allclose(result.mean((0, 1)), source.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(result.std((0, 1)), source.std((0, 1)), rtol=1e-6)
    for channel in (1, 2):  # gray up to the input's own tint
        assert np.corrcoef(result[:, :, 0].ravel(), result[:, :, channel].ravel())[0, 1] > 0.999999


def test_only_the_gray_images_of_a_batch_come_out_gray(images: torch.Tensor) -> None:
    mixed = images[:2].clone()
    mixed[0] = mixed[0].mean(0, keepdim=True)
    kept, free = ready(gray=True).restore(batch(mixed)), ready(gray=False).restore(batch(mixed))
    assert (kept[0] - kept[0].mean(0)).abs().max() < 1e-5
    assert (free[0] - free[0].mean(0)).abs().max() > 0.01
    assert torch.equal(kept[1], free[1])
