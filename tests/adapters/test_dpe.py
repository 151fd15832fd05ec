"""Deep Photo Enhancer: the authors' graph, their checkpoints converted, and photos of any size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from restorebench.adapters import convert_dpe
from restorebench.adapters.dpe import DPE
from restorebench.adapters.networks import dpe
from restorebench.adapters.networks.borders import symmetric_pad
from restorebench.bench.api import Batch
from restorebench.bench.errors import WeightsError

from .plain_fills import arrays, assert_reads_strictly, difference, normal, shapes

pytestmark = pytest.mark.parity

ATOL = 1e-4

Variables = dict[str, np.ndarray]


def variable(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Fill of one TensorFlow variable, as the golden vectors had it."""
    n = normal(name, shape)
    if name.endswith("_w"):
        n = n / np.sqrt(np.prod(shape[:3]))
    elif name.endswith("_scale"):
        n = 1 + 0.02 * n
    elif name.endswith("_mv_var"):
        n = np.ones(shape)
    else:
        n = 0.02 * n
    return n.astype(np.float32)


@pytest.fixture(scope="module")
def variables() -> Variables:
    return {name: variable(name, shape) for name, shape in shapes("dpe").items()}


@pytest.fixture(scope="module")
def converted(variables: Variables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dpe") / "dpe.safetensors"
    save_file(convert_dpe.convert(variables, variables.__getitem__), path)
    return path


@pytest.fixture(scope="module")
def restorer(converted: Path) -> DPE:
    restorer = DPE(str(converted))
    restorer.load(torch.device("cpu"))
    return restorer


def batch(images: torch.Tensor) -> Batch:
    return Batch(tuple(map(str, range(len(images)))), images, (0,) * len(images), ({},) * len(images))


def photo(height: int, width: int) -> torch.Tensor:
    levels = np.random.default_rng(3).integers(0, 256, (1, 3, height, width))
    return torch.from_numpy(levels.astype(np.float32)) / 255


# -- the official numbers -----------------------------------------------------------------------


def test_a_converted_checkpoint_makes_the_numbers_of_the_authors_graph(restorer: DPE) -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3), dtype=np.uint8)
    rgb = torch.from_numpy(bgr[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    enhanced = restorer.restore(batch(rgb)).flip(1).permute(0, 2, 3, 1)
    golden = arrays("dpe")
    assert golden.keys() == {"out_sub16", "out_row256", "global_vector"}
    assert difference(enhanced[:, ::16, ::16], golden["out_sub16"]) < ATOL
    assert difference(enhanced[0, 256], golden["out_row256"]) < ATOL
    network = restorer.network
    assert isinstance(network, dpe.DPE)
    vector = network.global_vector(network.encode(rgb.flip(1))[0])
    assert difference(vector.permute(0, 2, 3, 1), golden["global_vector"]) < ATOL


def test_converted_files_are_read_strictly(tmp_path: Path) -> None:
    own = {name: tuple(value.shape) for name, value in dpe.DPE().state_dict().items()}
    assert_reads_strictly(lambda path: DPE(str(path)).load(torch.device("cpu")), own, tmp_path)


# -- the converter ------------------------------------------------------------------------------


def test_the_converter_takes_the_right_part_of_a_training_checkpoint() -> None:
    training = {name: variable(name, shape) for name, shape in shapes("dpe", "training_keys").items()}
    read: list[str] = []

    def value(name: str) -> np.ndarray:
        read.append(name)
        return training[name]

    state = convert_dpe.convert(training, value)
    assert len(training) == 328
    assert len(read) == 86
    assert {name.rsplit("/", 2)[0] for name in read} == {"netG_var_scope/netG_var_scopeA"}
    assert not [name for name in read if "_1_" in name.rsplit("/", 1)[1]]  # the second set of statistics
    first = training["netG_var_scope/netG_var_scopeA/netG_1/conv_3_w"]
    np.testing.assert_array_equal(state["down.1.weight"].numpy(), first.transpose(3, 2, 0, 1))


def test_the_converter_says_what_is_missing(variables: Variables) -> None:
    name = next(name for name in variables if name.endswith("3/conv_28_w"))
    rest = {other: value for other, value in variables.items() if other != name}
    with pytest.raises(WeightsError, match="missing variables: 3/conv_28_w"):
        convert_dpe.convert(rest, rest.__getitem__)


def test_the_converter_says_what_has_another_shape(variables: Variables) -> None:
    name = next(name for name in variables if name.endswith("3/conv_28_b"))
    other = {**variables, name: np.zeros(4, np.float32)}
    with pytest.raises(WeightsError, match=r"residual.bias is \(4,\), expected \(3,\)"):
        convert_dpe.convert(other, other.__getitem__)


def test_the_converter_refuses_two_generators_in_one_file(variables: Variables) -> None:
    name = next(iter(variables))
    with pytest.raises(WeightsError, match="holds two generators"):
        convert_dpe.convert([name, name.replace("736", "604")], variables.__getitem__)


def test_the_converter_names_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorflow.train", None)
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    assert convert_dpe.main(["model/90.000.ckpt", str(tmp_path / "out.safetensors")]) == 2
    assert "pip install tensorflow" in capsys.readouterr().err


# -- photos of any size -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "worked_on"),
    [((512, 512), (512, 512)), ((300, 200), (512, 341)), ((40, 700), (29, 512)), ((1, 600), (1, 512))],
)
def test_photos_of_any_size_pass_with_a_long_side_of_512(
    restorer: DPE, size: tuple[int, int], worked_on: tuple[int, int]
) -> None:
    enhanced = restorer.restore(batch(photo(*size)))
    assert enhanced.shape == (1, 3, *worked_on)
    assert enhanced.isfinite().all()


def test_the_photo_is_resized_by_lanczos_and_padded_by_its_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    restorer, seen = DPE(), []

    class Watcher(torch.nn.Module):
        def forward(self, square: torch.Tensor) -> torch.Tensor:
            seen.append(square)
            return square

    restorer._network = Watcher()
    given = photo(256, 384)
    returned = restorer.restore(batch(given))
    levels = (given[0] * 255).round().byte().permute(1, 2, 0).numpy()
    wanted = np.asarray(Image.fromarray(levels).resize((512, 341), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal((returned[0] * 255).round().byte().permute(1, 2, 0).numpy(), wanted)
    padded = np.pad(wanted[:, :, ::-1], ((0, 512 - 341), (0, 0), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal((seen[0][0] * 255).round().byte().permute(1, 2, 0).numpy(), padded)


@pytest.mark.parametrize("borders", [(0, 0, 0, 0), (2, 1, 0, 3), (7, 40, 9, 100)])
def test_symmetric_borders_are_those_of_numpy(borders: tuple[int, int, int, int]) -> None:
    image = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    left, right, top, bottom = borders
    wanted = np.pad(image.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), mode="symmetric")
    np.testing.assert_array_equal(symmetric_pad(image, left, right, top, bottom).numpy(), wanted)


def test_a_photo_does_not_depend_on_its_batch_mates(restorer: DPE) -> None:
    photos = torch.rand(4, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    alone = torch.cat([restorer.restore(batch(one[None])) for one in photos])
    torch.testing.assert_close(restorer.restore(batch(photos)), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", ["supervised", "unsupervised", "hdr"])
def test_each_model_has_a_row_of_its_own(model: str, make: Callable[[str], DPE]) -> None:
    assert make(model).weights == {f"dpe-{model}": None}
    assert len({make(other).card.name for other in ("supervised", "unsupervised", "hdr")}) == 3


@pytest.fixture
def make() -> Callable[[str], DPE]:
    return lambda model: DPE(model=model)  # type: ignore[arg-type]
