"""Network files of one's own: ONNX, TorchScript, exported programs and whatever spandrel recognises."""

import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from restorebench.adapters.exported import Exported
from restorebench.adapters.onnx import Onnx
from restorebench.adapters.spandrel import Spandrel, _call
from restorebench.bench.api import Batch, Restorer
from restorebench.bench.errors import ConfigError, RestorerError, WeightsError

CPU = torch.device("cpu")


class Brighter(nn.Module):
    """Adds 0.25 to red, the first channel, in the units of its input."""

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([0.25, 0.0, 0.0]).view(1, 3, 1, 1))
        self.scale = scale

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (image + self.shift).repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@pytest.fixture
def batch() -> Batch:
    images = torch.rand(2, 3, 10, 14, generator=torch.Generator().manual_seed(0)) * 0.5
    return Batch(("a", "b"), images, (0, 1), ({}, {}))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Write a network in one of the three formats."""

    def save(network: nn.Module, kind: str) -> str:
        path = tmp_path / f"net.{kind}"
        if kind == "onnx":
            image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
            output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, "h", "w"])
            shift = numpy_helper.from_array(np.array([0.25, 0, 0], np.float32).reshape(1, 3, 1, 1), "shift")
            graph = helper.make_graph(
                [helper.make_node("Add", ["image", "shift"], ["output"])], "add", [image], [output], [shift]
            )
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
        elif kind == "pt":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.jit.save(torch.jit.script(network.eval()), path)
        else:
            sides = {2: torch.export.Dim("h", min=2, max=64), 3: torch.export.Dim("w", min=2, max=64)}
            torch.export.save(torch.export.export(network, (torch.rand(1, 3, 16, 16),), dynamic_shapes=(sides,)), path)
        return str(path)

    return save


def adapter(path: str, **settings: object) -> Onnx | Exported:
    return (Onnx if path.endswith(".onnx") else Exported)(path, **settings)


def loaded(path: str, **settings: object) -> Onnx | Exported:
    restorer = adapter(path, **settings)
    assert isinstance(restorer, Restorer)
    restorer.load(CPU)
    return restorer


@pytest.mark.parametrize("kind", ["onnx", "pt", "pt2"])
def test_each_format_runs_on_any_size(kind: str, save: Callable[..., str], batch: Batch) -> None:
    found = loaded(save(Brighter(), kind)).restore(batch)
    torch.testing.assert_close(found, batch.images + Brighter().shift, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["onnx", "pt", "pt2"])
def test_range_and_order_are_the_networks_own(kind: str, save: Callable[..., str], batch: Batch) -> None:
    path = save(Brighter(), kind)
    halved = loaded(path, values="-1..1").restore(batch)
    torch.testing.assert_close(halved, batch.images + Brighter().shift / 2, rtol=0, atol=1e-6)
    levels = loaded(path, values="0..255").restore(batch)
    torch.testing.assert_close(levels, batch.images + Brighter().shift / 255, rtol=0, atol=1e-6)
    blue = loaded(path, channels="bgr").restore(batch)
    torch.testing.assert_close(blue, batch.images + Brighter().shift.flip(1), rtol=0, atol=1e-6)


class Strict(Brighter):
    """Takes sides that are multiples of 8 only."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        assert image.shape[2] % 8 == 0
        assert image.shape[3] % 8 == 0
        return image + self.shift


def test_sides_are_padded_and_the_output_is_cut(save: Callable[..., str], batch: Batch) -> None:
    path = save(Strict(), "pt")
    found = loaded(path, multiple_of=8).restore(batch)
    torch.testing.assert_close(found, batch.images + Brighter().shift, rtol=0, atol=1e-6)
    with pytest.raises(Exception, match="AssertionError"):
        loaded(path).restore(batch)


def test_scale_is_said_and_held_to(save: Callable[..., str], batch: Batch) -> None:
    path = save(Brighter(2), "pt")
    assert loaded(path, scale=2).restore(batch).shape == (2, 3, 20, 28)
    with pytest.raises(RestorerError, match=r"gave \(1, 3, 20, 28\), expected \(1, 3, 10, 14\); is `scale` right"):
        loaded(path).restore(batch)


@pytest.mark.parametrize("kind", ["onnx", "pt", "pt2"])
def test_a_damaged_file_is_one_clear_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{kind}"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match="cannot be read"):
        loaded(str(path))


def test_a_state_dict_is_not_taken_for_a_program(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match="neither TorchScript"):
        loaded(str(tmp_path / "net.pt"))


def test_an_exported_program_with_a_pickle_of_code_is_refused(save: Callable[..., str], tmp_path: Path) -> None:
    evil = tmp_path / "evil.pt2"
    with zipfile.ZipFile(save(Brighter(), "pt2")) as good, zipfile.ZipFile(evil, "w") as bad:
        for name in good.namelist():
            harmful = name.endswith("sample_inputs/model.pt")
            bad.writestr(name, pickle.dumps(Touch(tmp_path / "touched")) if harmful else good.read(name))
    with pytest.raises(WeightsError, match="more than tensors"):
        loaded(str(evil))
    assert not (tmp_path / "touched").exists()


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_spandrel_reads_the_card_off_the_file(tmp_path: Path, batch: Batch) -> None:
    from spandrel.architectures.Compact import Compact

    network = Compact(num_feat=8, num_conv=2, upscale=2).eval()
    torch.save({"params": network.state_dict()}, tmp_path / "tiny.pth")
    restorer = Spandrel(str(tmp_path / "tiny.pth"))
    assert isinstance(restorer, Restorer)
    assert (restorer.card.task, restorer.card.input, restorer.card.scale) == ("super-resolution", "native", 2)
    assert restorer.card.name == "RealESRGAN Compact tiny"
    restorer.load(CPU)
    torch.testing.assert_close(restorer.restore(batch), network(batch.images).detach().clamp(0, 1), rtol=0, atol=1e-6)


def test_spandrel_runs_gray_networks_channel_by_channel(tmp_path: Path, batch: Batch) -> None:
    from spandrel.architectures.DnCNN import DnCNN

    network = DnCNN(in_nc=1, out_nc=1, nc=8, nb=17, act_mode="R").eval()
    torch.save(network.state_dict(), tmp_path / "gray.pth")
    restorer = Spandrel(str(tmp_path / "gray.pth"))
    restorer.load(CPU)
    expected = network(batch.images.flatten(0, 1)[:, None]).detach().view_as(batch.images).clamp(0, 1)
    torch.testing.assert_close(restorer.restore(batch), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", ["GFPGAN", "CodeFormer"])
def test_networks_whose_descriptor_passes_the_wrong_range_get_their_own(architecture: str, batch: Batch) -> None:
    seen: list[torch.Tensor] = []

    def model(image: torch.Tensor, **settings: object) -> tuple[torch.Tensor, None]:
        seen.append(image)
        assert settings in ({"return_rgb": False, "randomize_noise": False}, {"weight": 0.5})
        return image, None

    found = SimpleNamespace(architecture=SimpleNamespace(id=architecture), model=model)
    torch.testing.assert_close(_call(found)(batch.images), batch.images)
    torch.testing.assert_close(seen[0], batch.images * 2 - 1)


def test_spandrel_says_what_it_does_not_know(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(ConfigError, match="of no architecture that spandrel"):
        _ = Spandrel(str(tmp_path / "odd.pth")).card
    assert Spandrel("not there yet.pth").card.name == "spandrel"
