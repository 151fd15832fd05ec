"""realesr-general-x4v3, 3D LUT, NeurOp and DnCNN run for real, with their published weights.

They need a few megabytes of weights: beside the clone in `shared/data/weights`, in a folder of
`RESTOREBENCH_WEIGHTS`, or from their official addresses.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from restorebench.adapters.dncnn import DnCNN25
from restorebench.adapters.networks import ncnn, neurop
from restorebench.adapters.networks.lut3d import lookup
from restorebench.adapters.photo import ImageAdaptiveLUT, ImageAdaptiveLUTUnpaired, NeurOpFiveK, NeurOpPPR10K
from restorebench.adapters.realesrgan import RealESRGeneral
from restorebench.bench.api import Batch, Restorer
from restorebench.bench.errors import WeightsError
from restorebench.bench.images import Pixels, to_pixels, to_tensor
from restorebench.bench.weights import path

pytestmark = pytest.mark.usefixtures("published_files")

ENHANCERS = (ImageAdaptiveLUT, ImageAdaptiveLUTUnpaired, NeurOpFiveK, NeurOpPPR10K)
ALL = (*ENHANCERS, DnCNN25, RealESRGeneral)


@pytest.fixture(scope="module")
def restorers(published_files: None) -> dict[type, Restorer]:
    made: dict[type, Restorer] = {kind: kind() for kind in ALL}
    for restorer in made.values():
        restorer.load(torch.device("cpu"))
    return made


def batch(images: torch.Tensor) -> Batch:
    count = len(images)
    return Batch(tuple(map(str, range(count))), images, tuple(range(count)), ({},) * count)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_photos_of_any_shape_go_through(kind: type, restorers: dict[type, Restorer]) -> None:
    restorer = restorers[kind]
    for height, width in ((64, 64), (37, 91), (150, 33)):
        image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        output = restorer.restore(batch(image))
        assert output.shape == (1, 3, height * restorer.card.scale, width * restorer.card.scale)
        assert torch.isfinite(output).all()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_batch_of_four_equals_four_of_one(kind: type, restorers: dict[type, Restorer]) -> None:
    images = torch.rand(4, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    images *= torch.tensor([0.2, 0.5, 0.8, 1.0]).view(4, 1, 1, 1)  # enhancers look at the whole photo
    together = restorers[kind].restore(batch(images))
    alone = torch.cat([restorers[kind].restore(batch(images[i : i + 1])) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_large_photo_cut_into_strips_is_the_same(
    restorers: dict[type, Restorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = torch.rand(1, 3, 90, 70, generator=torch.Generator().manual_seed(2))
    whole = restorers[NeurOpFiveK].restore(batch(image))
    monkeypatch.setitem(neurop._PIXELS, "cpu", 70 * 7)
    torch.testing.assert_close(restorers[NeurOpFiveK].restore(batch(image)), whole, rtol=0, atol=1e-6)


def test_an_identity_table_changes_nothing_and_its_axes_are_blue_green_red() -> None:
    ramp = torch.linspace(0, 1, 33)
    blue, green, red = torch.meshgrid(ramp, ramp, ramp, indexing="ij")
    image = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(3))
    tables = torch.stack([red, green, blue])[None].expand(2, -1, -1, -1, -1)
    torch.testing.assert_close(lookup(tables, image), image, rtol=0, atol=1e-6)


def test_dncnn_cleans_noise_of_its_strength(
    face: Pixels, restorers: dict[type, Restorer], psnr: Callable[..., float]
) -> None:
    small = face[::2, ::2]
    noise = np.random.default_rng(0).normal(0, 25, small.shape)
    noisy = np.clip(small + noise, 0, 255).round().astype(np.uint8)
    clean = to_pixels(restorers[DnCNN25].restore(batch(to_tensor([noisy]))))[0]
    assert psnr(noisy, small) == pytest.approx(20.5, abs=0.5)
    assert psnr(clean, small) > psnr(noisy, small) + 7


def test_realesr_general_enlarges_a_face_cleanly(
    face: Pixels, degraded: Callable[[Pixels], Pixels], restorers: dict[type, Restorer], psnr: Callable[..., float]
) -> None:
    restored = to_pixels(restorers[RealESRGeneral].restore(batch(to_tensor([degraded(face)]))))[0]
    assert restored.shape == face.shape
    assert psnr(restored, face) > 23


def test_realesr_general_reads_the_official_file_too(tmp_path: Path, restorers: dict[type, Restorer]) -> None:
    network = restorers[RealESRGeneral]._network
    torch.save({"params": network.state_dict()}, tmp_path / "realesr-general-x4v3.pth")
    own = RealESRGeneral(checkpoint=str(tmp_path / "realesr-general-x4v3.pth"))
    own.load(torch.device("cpu"))
    image = batch(torch.rand(1, 3, 12, 15))
    assert torch.equal(own.restore(image), restorers[RealESRGeneral].restore(image))


def test_a_list_of_convolutions_only_has_no_slopes() -> None:
    files = path("realesr-general-x4v3-param"), path("realesr-general-x4v3")
    assert [type(layer).__name__ for layer in ncnn.layers(*files)] == ["Convolution", "PReLU"] * 33 + ["Convolution"]
    with pytest.raises(WeightsError, match="33 PReLU layers"):
        ncnn.convolutions(*files)


@pytest.mark.parametrize("kind", [NeurOpFiveK, DnCNN25], ids=lambda kind: kind.__name__)
def test_another_networks_file_is_refused_with_its_keys(kind: type, tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"unknown keys \(1\): conv.weight; missing keys"):
        kind(checkpoint=str(tmp_path / "other.pth")).load(torch.device("cpu"))


def test_tables_of_another_model_are_refused(tmp_path: Path) -> None:
    torch.save({str(i): {"LUT": torch.zeros(3, 17, 17, 17)} for i in range(3)}, tmp_path / "luts.pth")
    with pytest.raises(WeightsError, match=r"0.LUT is \(3, 17, 17, 17\), expected \(3, 33, 33, 33\)"):
        ImageAdaptiveLUT(luts=str(tmp_path / "luts.pth")).load(torch.device("cpu"))
    torch.save({"0": {"LUT": torch.zeros(3, 33, 33, 33)}}, tmp_path / "one.pth")
    with pytest.raises(WeightsError, match=r"one.pth"):
        ImageAdaptiveLUT(luts=str(tmp_path / "one.pth")).load(torch.device("cpu"))
