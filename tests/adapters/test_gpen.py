"""GPEN: the official network, numbers and files."""

from pathlib import Path

import pytest
import torch

from restorebench.adapters.gpen import GPEN256, GPEN512
from restorebench.adapters.learned import Learned
from restorebench.adapters.networks.gpen import GPEN
from restorebench.bench.api import Batch

from .fills import Golden, batch_difference, image, parts, save_official

pytestmark = pytest.mark.parity

ATOL = 1e-4


@pytest.mark.parametrize(("system", "adapter"), [("gpen", GPEN512), ("gpen_256", GPEN256)])
def test_the_official_numbers_come_out_of_an_official_file(system: str, adapter: type[Learned], tmp_path: Path) -> None:
    golden = Golden(system)
    restorer = adapter(str(save_official(golden.state(), tmp_path / "official.pth", golden.holder)))
    restorer.load(torch.device("cpu"))
    side = restorer.card.size[0]
    cases = ("noise", "smooth")
    images = torch.cat([image(case, side) for case in cases]) * 0.5 + 0.5
    restored = restorer.restore(Batch(cases, images, (0, 1), ({}, {}))) * 2 - 1
    for case, output in zip(cases, restored, strict=True):
        assert golden.largest_difference(case, parts(output)) < ATOL


def test_an_image_does_not_depend_on_its_batch_mates() -> None:
    network = Golden("gpen").fill_smaller(GPEN(64, channel_multiplier=1, narrow=0.25))
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert batch_difference(lambda part, _: network(part), images) < 1e-5


@pytest.mark.parametrize("adapter", [GPEN512, GPEN256])
def test_eight_bits_are_made_without_rounding_as_in_the_official_script(adapter: type[Learned]) -> None:
    assert adapter.card.quantise == "truncate"
