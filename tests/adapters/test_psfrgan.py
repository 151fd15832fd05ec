"""PSFR-GAN: the official networks, numbers and files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facexlib.parsing.parsenet import ParseNet

from restorebench.adapters.networks import psfrgan
from restorebench.adapters.networks.psfrgan import PARSE_CLASSES, one_hot
from restorebench.adapters.psfrgan import PSFRGAN
from restorebench.bench.api import Batch

from .fills import save_official, zeros
from .plain_fills import arrays, assert_reads_strictly, difference, he, randomised, shapes, state, uniform

pytestmark = pytest.mark.parity

ATOL = 1e-4


def constant(name: str, n: np.ndarray) -> np.ndarray | None:
    """Rule of the generator: the learned constant has deviation 1."""
    return n if name == "const_input" else None


def load(generator: Path, parsing: Path) -> PSFRGAN:
    restorer = PSFRGAN(str(generator), str(parsing))
    restorer.load(torch.device("cpu"))
    return restorer


def test_the_generator_makes_the_official_numbers() -> None:
    network = psfrgan.PSFRGAN()
    network.load_state_dict(state(shapes("psfrgan"), constant))
    labels = np.random.default_rng(7).integers(0, PARSE_CLASSES, (64, 64)).repeat(8, 0).repeat(8, 1)
    parsing = torch.nn.functional.one_hot(torch.from_numpy(labels), PARSE_CLASSES).permute(2, 0, 1)[None].float()
    golden = arrays("psfrgan")
    assert golden.keys() == {"out_sub16", "out_row_mid_ch0"}
    with torch.inference_mode():
        restored = network.eval()(uniform(512), parsing)
    assert difference(restored[:, :, ::16, ::16], golden["out_sub16"]) < ATOL
    assert difference(restored[0, 0, 256], golden["out_row_mid_ch0"]) < ATOL


def test_facexlibs_parsing_network_makes_the_official_numbers() -> None:
    network = ParseNet(in_size=512, out_size=512, parsing_ch=PARSE_CLASSES)
    network.load_state_dict(state(shapes("psfrgan_parsing"), he))
    golden = arrays("psfrgan_parsing")
    assert golden.keys() == {"mask_sub16", "img_sub16", "argmax_sub16"}
    with torch.inference_mode():
        logits, image = network.eval()(uniform(512))
    assert difference(logits[:, :, ::16, ::16], golden["mask_sub16"]) < ATOL
    assert difference(image[:, :, ::16, ::16], golden["img_sub16"]) < ATOL
    np.testing.assert_array_equal(logits.argmax(1)[:, ::16, ::16].numpy(), golden["argmax_sub16"])


def test_official_files_are_read_strictly(tmp_path: Path) -> None:
    generator = save_official(zeros(shapes("psfrgan")), tmp_path / "generator.pth")
    parsing = save_official(zeros(shapes("psfrgan_parsing")), tmp_path / "parsing.pth")
    assert_reads_strictly(lambda path: load(path, parsing), shapes("psfrgan"), tmp_path)
    assert_reads_strictly(lambda path: load(generator, path), shapes("psfrgan_parsing"), tmp_path)


def test_ties_of_the_parsing_mark_several_classes() -> None:
    logits = torch.tensor([1.0, 3.0, 3.0, -1.0]).view(1, 4, 1, 1)
    assert one_hot(logits).flatten().tolist() == [0, 1, 1, 0]


class Halves(torch.nn.Module):
    """Parses the left half of every picture as class 0 and the right one as class 1."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.zeros(len(images), PARSE_CLASSES, *images.shape[2:])
        logits[:, 0, :, : images.shape[3] // 2] = 1
        logits[:, 1, :, images.shape[3] // 2 :] = 1
        return logits, images


class Marks(torch.nn.Module):
    """Returns the first three parsing channels."""

    def forward(self, lq: torch.Tensor, parsing: torch.Tensor) -> torch.Tensor:
        return parsing[:, :3]


def test_the_generator_is_told_which_part_is_where() -> None:
    restorer = PSFRGAN()
    restorer._network, restorer._parsing = Marks(), Halves()
    restored = restorer.restore(Batch(("a",), torch.rand(1, 3, 96, 80), (0,), ({},)))
    assert restored.shape == (1, 3, 512, 512)
    assert (restored[0, 0, :, :256] == 1).all()
    assert (restored[0, 0, :, 256:] == 0.5).all()


def test_an_image_does_not_depend_on_its_batch_mates() -> None:
    network = randomised(psfrgan.PSFRGAN(widths=(16, 8, 8)))
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(4, 3, 64, 64, generator=generator) * 2 - 1
    parsing = one_hot(torch.rand(4, PARSE_CLASSES, 64, 64, generator=generator))
    with torch.inference_mode():
        together = network(images, parsing)
        alone = torch.cat([network(images[i : i + 1], parsing[i : i + 1]) for i in range(4)])
    assert together.std() > 1e-3
    assert (together[0] - together[1]).abs().max() > 1e-4
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
