"""RestoreFormer and RestoreFormer++: the official networks' numbers and codes, out of their official files."""

from pathlib import Path

import pytest
import torch

from restorebench.adapters.learned import Learned
from restorebench.adapters.restoreformer import RestoreFormer, RestoreFormerPlusPlus
from restorebench.bench.api import Batch

from .fills import Golden, batch_difference, image, parts, save_official

pytestmark = pytest.mark.parity

ATOL = 1e-4
SYSTEMS = {"restoreformer": RestoreFormer, "restoreformer_plusplus": RestoreFormerPlusPlus}


@pytest.fixture(scope="module", params=list(SYSTEMS))
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Golden, Learned]:
    golden = Golden(request.param)
    path = tmp_path_factory.mktemp("restoreformer") / f"{request.param}.ckpt"
    restorer = SYSTEMS[request.param](str(save_official(golden.state(), path, golden.holder, "vqvae.")))
    restorer.load(torch.device("cpu"))
    return request.param, golden, restorer


def batch(images: torch.Tensor) -> Batch:
    count = len(images)
    return Batch(tuple(map(str, range(count))), images, tuple(range(count)), ({},) * count)


def run(name: str, network: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return face and codes."""
    if name == "restoreformer_plusplus":
        restored = network(images)
        return restored.image, restored.codes.flatten()
    latent, _, info, maps = network.encode(images)
    return network.decode(latent, maps), info[2].flatten()


@pytest.mark.parametrize("name", ["noise", "smooth"])
def test_the_official_numbers_and_codes_come_out(name: str, system: tuple[str, Golden, Learned]) -> None:
    kind, golden, restorer = system
    with torch.inference_mode():
        face, codes = run(kind, restorer.network, image(name))
    assert golden.largest_difference(name, parts(face[0]) | {"codes": codes}) < ATOL


def test_the_adapter_feeds_minus_one_to_one_and_maps_the_face_back(system: tuple[str, Golden, Learned]) -> None:
    kind, _, restorer = system
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        face, _ = run(kind, restorer.network, images * 2 - 1)
    torch.testing.assert_close(restorer.restore(batch(images)), (face + 1) / 2, atol=1e-5, rtol=1e-5)


def test_an_image_does_not_depend_on_its_batch_mates(system: tuple[str, Golden, Learned]) -> None:
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    assert batch_difference(lambda part, _: system[2].restore(batch(part)), images) < 1e-5


def test_a_file_without_the_prefix_loads_too(tmp_path: Path) -> None:
    """The release of GFPGAN keeps the same weights below `params_ema`."""
    golden = Golden("restoreformer")
    own = RestoreFormer(str(save_official(golden.miniature(), tmp_path / "RestoreFormer.pth", "params_ema")))
    own.load(torch.device("cpu"))
    key = "quantize.embedding.weight"
    assert torch.equal(own.network.state_dict()[key], golden.miniature()[key])
