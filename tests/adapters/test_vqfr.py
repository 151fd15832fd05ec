"""VQFR 1 and 2: the official networks' numbers and codes, and the fidelity ratio."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import deform_conv2d

from restorebench.adapters.learned import Learned
from restorebench.adapters.vqfr import VQFRv1, VQFRv2
from restorebench.bench.api import Batch
from restorebench.bench.errors import ConfigError

from .fills import GOLDEN, Golden, batch_difference, image, parts, save_official, sub

pytestmark = pytest.mark.parity

ATOL = 1e-3


def official(kind: type[Learned], folder: Path, system: str) -> tuple[Golden, Learned]:
    """Load the golden weights from a file as the official release has it."""
    golden = Golden(system)
    restorer = kind(str(save_official(golden.state(), folder / f"{system}.pth", golden.holder)))
    restorer.load(torch.device("cpu"))
    return golden, restorer


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Golden, Learned]:
    return official(VQFRv1, tmp_path_factory.mktemp("vqfr"), "vqfr_v1")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> tuple[Golden, Learned]:
    return official(VQFRv2, tmp_path_factory.mktemp("vqfr"), "vqfr_v2")


def batch(images: torch.Tensor) -> Batch:
    count = len(images)
    return Batch(tuple(map(str, range(count))), images, tuple(range(count)), ({},) * count)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["noise", "smooth"])
def test_the_first_gives_the_official_numbers_and_codes(name: str, first: tuple[Golden, Learned]) -> None:
    golden, restorer = first
    with torch.inference_mode():
        restored = restorer.network(image(name))
        texture = restorer.network.decoder.conv_out(restored.textures[1])
    found = parts(restored.main[0]) | {"dec.sub": sub(texture[0]), "codes": restored.codes.flatten()}
    assert golden.largest_difference(name, found) < ATOL


@pytest.mark.parametrize("name", ["noise", "smooth"])
def test_the_second_gives_the_official_numbers_and_codes(name: str, second: tuple[Golden, Learned]) -> None:
    """All but the last layers run once for both ratios of an input."""
    golden, restorer = second
    network = restorer.network
    with torch.inference_mode():
        features = network.features(image(name))
        texture = network.decode(features, 0.0)[0]
        for ratio in {"noise": (0.5,), "smooth": (0.0, 1.0)}[name]:
            found = parts(network.decode(features, ratio)[0]) | {
                "texture_dec.sub": sub(texture),
                "enc_feat.sub": sub(features.latent[0]),
                "codes": features.codes.flatten(),
            }
            assert golden.largest_difference(f"{name}_f{ratio}", found) < ATOL


def test_the_adapters_feed_minus_one_to_one_and_map_the_face_back(
    first: tuple[Golden, Learned], second: tuple[Golden, Learned], images: torch.Tensor
) -> None:
    with torch.inference_mode():
        one, two = first[1].network(images * 2 - 1).main, second[1].network(images * 2 - 1, 0.0)
    torch.testing.assert_close(first[1].restore(batch(images)), (one + 1) / 2, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(second[1].restore(batch(images)), (two + 1) / 2, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("system", ["first", "second"])
def test_an_image_does_not_depend_on_its_batch_mates(
    system: str, request: pytest.FixtureRequest, images: torch.Tensor
) -> None:
    restore: Callable[[Batch], torch.Tensor] = request.getfixturevalue(system)[1].restore
    assert batch_difference(lambda part, _: restore(batch(part)), images) < 1e-5


def test_the_fidelity_ratio_mixes_in_the_main_branch(second: tuple[Golden, Learned], images: torch.Tensor) -> None:
    network = second[1].network
    faces = []
    for ratio in (0.0, 0.5, 1.0):
        restorer = VQFRv2(fidelity_ratio=ratio)
        restorer._network = network
        faces.append(restorer.restore(batch(images[:1])))
    texture, half, full = faces
    assert (texture - half).abs().max() > 1e-3
    assert (texture - full).abs().mean() > (texture - half).abs().mean()


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_outside_zero_to_one_is_refused(ratio: float) -> None:
    with pytest.raises(ConfigError, match=str(ratio)):
        VQFRv2(fidelity_ratio=ratio)


@pytest.mark.parametrize("case", [0, 1, 2])
def test_the_librarys_deformable_convolution_is_the_one_of_the_golden_vectors(case: int) -> None:
    with np.load(GOLDEN / "vqfr_v1" / "dcn_golden.npz") as stored:
        x, offset, mask, weight, bias, expected = (
            torch.from_numpy(stored[f"{case}_{part}"]) for part in ("x", "off", "m", "w", "b", "o")
        )
        stride, padding, dilation = stored[f"{case}_p"].tolist()
    found = deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
