"""GFP-GAN: the official networks, numbers and noise."""

import re
from pathlib import Path

import pytest
import torch
from spandrel.architectures.GFPGAN import GFPGAN

from restorebench.adapters.gfpgan import GFPGANv1, GFPGANv12, GFPGANv13, GFPGANv14
from restorebench.adapters.networks.gfpgan import GFPGANv1 as OriginalNetwork
from restorebench.bench.api import Batch

from .fills import Golden, batch_difference, image, parts, save_official

pytestmark = pytest.mark.parity

ATOL = 1e-4
SIDE = 32


class SmallOriginal(GFPGANv1):
    """The network of the paper for images of 32 x 32, with random weights."""

    def build(self) -> torch.nn.Module:
        return OriginalNetwork(SIDE)


class SmallClean(GFPGANv14):
    """The clean network for images of 32 x 32, with random weights."""

    def build(self) -> torch.nn.Module:
        return GFPGAN(out_size=SIDE, narrow=0.25)


def ready(restorer: GFPGANv1) -> GFPGANv1:
    """Give a small restorer random weights."""
    restorer._network = Golden("gfpgan_v1" if isinstance(restorer, SmallOriginal) else "gfpgan").fill_smaller(
        restorer.build()
    )
    for name, parameter in restorer._network.named_parameters():
        if re.search(r"style_conv(1|s\.\d+)\.weight$", name):
            parameter.fill_(0.3)  # the strength of the noise
    return restorer


def batch(images: torch.Tensor, seeds: tuple[int, ...]) -> Batch:
    return Batch(tuple(map(str, range(len(images)))), images, seeds, ({},) * len(images))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


SMALL = pytest.mark.parametrize("small", [SmallOriginal, SmallClean])


@pytest.mark.parametrize(("system", "adapter"), [("gfpgan", GFPGANv14), ("gfpgan_v1", GFPGANv1)])
def test_the_official_numbers_come_out_of_an_official_file(
    system: str, adapter: type[GFPGANv1], tmp_path: Path
) -> None:
    golden = Golden(system)
    restorer = adapter(str(save_official(golden.state(), tmp_path / "official.pth", golden.holder)))
    restorer.load(torch.device("cpu"))
    cases = ("noise", "smooth")
    images = torch.cat([image(case) for case in cases]) * 0.5 + 0.5
    restored = restorer.restore(batch(images, (0, 1))) * 2 - 1
    for case, output in zip(cases, restored, strict=True):
        assert golden.largest_difference(case, parts(output)) < ATOL


def test_the_clean_versions_differ_in_their_checkpoints_only() -> None:
    versions = (GFPGANv12, GFPGANv13, GFPGANv14)
    assert {version.build for version in versions} == {GFPGANv12.build}
    assert len({version.entry for version in versions} | {version.card.name for version in versions}) == 6


@SMALL
def test_an_image_does_not_depend_on_its_batch_mates(small: type[GFPGANv1], images: torch.Tensor) -> None:
    restorer = ready(small(noise="random"))
    seeds = (5, 6, 7, 8)
    assert batch_difference(lambda part, where: restorer.restore(batch(part, seeds[where])), images) < 1e-5


@SMALL
def test_the_seed_decides_random_noise(small: type[GFPGANv1], images: torch.Tensor) -> None:
    restorer = ready(small(noise="random"))
    assert restorer.card.stochastic
    same = restorer.restore(batch(images[:1].repeat(3, 1, 1, 1), (1, 2, 1)))
    torch.testing.assert_close(same[0], same[2], atol=1e-5, rtol=1e-5)
    assert (same[0] - same[1]).abs().max() > 0.01


@SMALL
def test_stored_noise_does_not_look_at_the_seed(small: type[GFPGANv1], images: torch.Tensor) -> None:
    restorer = ready(small())
    assert not restorer.card.stochastic
    one, other = (restorer.restore(batch(images[:1], (seed,))) for seed in (1, 2))
    assert torch.equal(one, other)
