"""SPARNet, SPARNetHD and DR2's SPARNetHD: the official networks, numbers and files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from restorebench.adapters.dr2 import DR2SPARNetHD
from restorebench.adapters.learned import Learned
from restorebench.adapters.networks import sparnet
from restorebench.adapters.sparnet import SPARNet, SPARNetHD
from restorebench.bench.api import Batch
from restorebench.bench.images import Pixels

from .fills import save_official
from .plain_fills import arrays, assert_reads_strictly, difference, he, randomised, shapes, state, uniform

pytestmark = pytest.mark.parity

ATOL = 1e-4

BUILDERS: dict[str, Callable[[Path], Learned]] = {
    "sparnet": lambda path: SPARNet(str(path)),
    "sparnet_light": lambda path: SPARNet(str(path), light=True),
    "sparnethd": lambda path: SPARNetHD(str(path)),
    "sparnethd_3d": lambda path: SPARNetHD(str(path), attention="3d"),
}


def loaded(restorer: Learned) -> Learned:
    restorer.load(torch.device("cpu"))
    return restorer


@pytest.mark.parametrize("system", ["sparnet", "sparnet_light"])
def test_small_faces_come_out_as_the_official_network_makes_them(system: str, tmp_path: Path) -> None:
    file = save_official(state(shapes(system), he), tmp_path / "official.pth")
    face = uniform(128) * 0.5 + 0.5
    restored = loaded(BUILDERS[system](file)).restore(Batch(("a",), face, (0,), ({},))) * 2 - 1
    golden = arrays(system)
    assert golden.keys() == {"out_full", "out_sub16", "out_row_mid_ch0"}
    assert difference(restored, golden["out_full"]) < ATOL
    assert difference(restored[:, :, ::16, ::16], golden["out_sub16"]) < ATOL
    assert difference(restored[0, 0, 64], golden["out_row_mid_ch0"]) < ATOL


@pytest.mark.parametrize("system", ["sparnethd", "sparnethd_3d"])
def test_large_faces_come_out_as_the_official_network_makes_them(system: str) -> None:
    network = sparnet.sparnet_hd(volumetric=system == "sparnethd_3d")
    network.load_state_dict(state(shapes(system)))
    with torch.inference_mode():
        restored = network.eval()(uniform(512))
    expected = [arrays(system)]
    if system == "sparnethd":  # DR2's second stage is the same network, and had the same fill and input
        expected.append(arrays("dr2_sparnethd"))
    for golden in expected:
        assert golden.keys() == {"out_sub16", "out_row_mid_ch0"}
        assert difference(restored[:, :, ::16, ::16], golden["out_sub16"]) < ATOL
        assert difference(restored[0, 0, 256], golden["out_row_mid_ch0"]) < ATOL


@pytest.mark.parametrize("system", BUILDERS)
def test_official_files_are_read_strictly(system: str, tmp_path: Path) -> None:
    assert_reads_strictly(lambda path: loaded(BUILDERS[system](path)), shapes(system), tmp_path)


def test_the_second_stage_of_dr2_reads_its_own_file_and_rounds() -> None:
    restorer = DR2SPARNetHD("own.pth")
    assert restorer.weights == {"dr2-sparnethd": "own.pth"}
    assert restorer.card.quantise == "round"
    assert SPARNetHD.card.quantise == SPARNet.card.quantise == "truncate"


@pytest.mark.parametrize(("norm", "spectral"), [("batch", False), ("instance", True)])
def test_an_image_does_not_depend_on_its_batch_mates(norm: sparnet.Norm, spectral: bool) -> None:
    network = randomised(sparnet.SPARNet(32, 16, 4, 64, 1, volumetric=True, norm=norm, spectral=spectral))
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(one[None]) for one in images])
    assert together.std() > 0.01
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_small_faces_are_enlarged_as_the_official_loader_does(batch_of: Callable[..., Batch], face: Pixels) -> None:
    from PIL import Image

    small = np.asarray(Image.fromarray(face).resize((16, 16), Image.Resampling.BOX))
    wanted = np.asarray(Image.fromarray(small).resize((128, 128), Image.Resampling.BICUBIC))
    prepared = SPARNet().prepare(batch_of(small).images)
    assert torch.equal((prepared[0] * 255).round().byte().permute(1, 2, 0), torch.from_numpy(wanted.copy()))
