"""Real-ESRGAN and RealSR with their published weights."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from restorebench.adapters.networks import rrdb
from restorebench.adapters.networks.ncnn import convolutions
from restorebench.adapters.realesrgan import RealESRGAN, RealSR
from restorebench.bench import weights
from restorebench.bench.api import Restorer
from restorebench.bench.errors import ConfigError, RestorerError, WeightsError
from restorebench.bench.images import to_pixels

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def realesrgan() -> RealESRGAN:
    restorer = RealESRGAN()
    restorer.load(CPU)
    return restorer


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return rrdb.read(weights.path("realesrgan-x4plus"), weights.path("realesrgan-x4plus-param"))


def test_it_sharpens_a_degraded_face_at_little_cost_in_psnr(
    realesrgan: RealESRGAN, face, degraded, batch_of, psnr
) -> None:
    clean = face[160:352, 160:352]
    small = degraded(clean)
    [restored] = to_pixels(realesrgan.restore(batch_of(small)))
    bicubic = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    assert restored.shape == clean.shape
    assert psnr(restored, clean) > psnr(bicubic, clean) - 1.5  # measured on whole faces: 24.35 dB against 25.54 dB
    edges = [cv2.Laplacian(image, cv2.CV_64F).var() for image in (restored, bicubic)]
    assert edges[0] > 1.2 * edges[1]


@pytest.mark.parametrize("build", [RealESRGAN, RealSR])
def test_the_output_is_the_one_of_this_version(build: type[RealESRGAN], face, batch_of) -> None:
    """Golden values: a change of output must come with a higher `version`."""
    restorer = build()
    restorer.load(CPU)
    [restored] = to_pixels(restorer.restore(batch_of(cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA))))
    found = [*restored[::32, ::48].reshape(-1, 3).mean(0), restored.mean(), restored.std()]
    assert (build.version, restored.shape) == (1, (128, 128, 3))
    assert found == pytest.approx(GOLDEN[build], abs=0.2)


def run_ncnn_graph(param: Path, binary: Path, image: torch.Tensor) -> torch.Tensor:
    """Run the layer list literally, blob by blob, knowing nothing of RRDBNet and its names."""
    layers = {layer.name: layer for layer in convolutions(param, binary)}
    blobs = {"data": image}
    for line in param.read_text().splitlines()[2:]:
        kind, name, inputs, outputs, *rest = line.split()
        taken, given = rest[: int(inputs)], rest[int(inputs) : int(inputs) + int(outputs)]
        settings = dict(word.split("=") for word in rest[int(inputs) + int(outputs) :])
        values = [blobs[blob] for blob in taken]
        if kind == "Convolution":
            weight, bias = (torch.from_numpy(array) for array in layers[name][1:])
            result = torch.nn.functional.conv2d(values[0], weight, bias, padding=int(settings["4"]))
            if settings.get("9") == "2":
                slope = float(settings["-23310"].split(",")[1])
                result = torch.nn.functional.leaky_relu(result, slope)
        elif kind == "Concat":
            result = torch.cat(values, 1)
        elif kind == "Eltwise":  # a weighted sum
            factors = [float(word) for word in settings["-23301"].split(",")[1:]]
            result = sum(factor * value for factor, value in zip(factors, values, strict=True))
        elif kind == "BinaryOp":
            result = values[0] + values[1]
        elif kind == "Interp":
            result = torch.nn.functional.interpolate(values[0], scale_factor=2, mode="nearest")
        else:
            assert kind in {"Input", "Split"}
            result = values[0] if values else image
        blobs |= dict.fromkeys(given, result)
    return blobs["output"]


@pytest.mark.parametrize("build", [RealESRGAN, RealSR])
def test_the_network_is_the_one_its_layer_list_describes(build: type[RealESRGAN], face, batch_of) -> None:
    restorer = build()
    restorer.load(CPU)
    batch = batch_of(face[100:124, 200:220])
    param, binary = weights.path(f"{build.entry}-param"), weights.path(build.entry)
    literal = run_ncnn_graph(param, binary, batch.images)
    assert torch.allclose(restorer.restore(batch), literal, rtol=0, atol=1e-5)


def test_an_image_does_not_see_its_batch_mates(realesrgan: RealESRGAN, face, batch_of) -> None:
    images = [face[y : y + 32, y : y + 32] for y in (0, 128, 256, 384)]
    together = realesrgan.restore(batch_of(*images))
    alone = torch.cat([realesrgan.restore(batch_of(image)) for image in images])
    assert torch.allclose(together, alone, rtol=0, atol=1e-5)


def test_tiles_give_nearly_the_whole_image(realesrgan: RealESRGAN, face, batch_of) -> None:
    small = cv2.resize(face, (56, 48), interpolation=cv2.INTER_AREA)
    tiled = RealESRGAN(tile=32, overlap=16)
    tiled.load(CPU)
    whole, pieces = realesrgan.restore(batch_of(small)), tiled.restore(batch_of(small))
    assert pieces.shape == whole.shape == (1, 3, 192, 224)
    assert (pieces - whole).abs().mean() < 2 / 255
    small_enough = tiled.restore(batch_of(face[:32, :32]))
    assert torch.equal(small_enough, realesrgan.restore(batch_of(face[:32, :32])))


@pytest.mark.parametrize("holder", ["params_ema", "params", None])
def test_ones_own_checkpoint_gives_the_same_network(state, tmp_path: Path, holder: str | None) -> None:
    file = tmp_path / "mine.pth"
    torch.save({holder: state, "other": 3} if holder else state, file)
    read = rrdb.read(file)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)
    restorer = RealESRGAN(checkpoint=str(file))
    assert weights.identity(restorer.weights) == {"realesrgan-x4plus": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_safetensors_and_ncnn_files_of_ones_own_are_read(state, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(state, tmp_path / "mine.safetensors")
    assert torch.equal(rrdb.read(tmp_path / "mine.safetensors")["conv_last.bias"], state["conv_last.bias"])
    (tmp_path / "mine.bin").write_bytes(weights.path("realsr-df2k-jpeg").read_bytes())
    published = {"realesrgan-x4plus": str(tmp_path / "mine.bin"), "realesrgan-x4plus-param": None}
    assert RealESRGAN(checkpoint=str(tmp_path / "mine.bin")).weights == published
    (tmp_path / "mine.param").write_bytes(weights.path("realsr-df2k-jpeg-param").read_bytes())
    beside = {**published, "realesrgan-x4plus-param": str(tmp_path / "mine.param")}
    assert RealESRGAN(checkpoint=str(tmp_path / "mine.bin")).weights == beside


def test_wrong_keys_and_shapes_are_listed(state, tmp_path: Path) -> None:
    wrong = {**state, "surprise.weight": torch.zeros(1), "conv_last.bias": torch.zeros(4)}
    del wrong["conv_first.weight"]
    torch.save({"params": wrong}, tmp_path / "wrong.pth")
    with pytest.raises(WeightsError) as caught:
        RealESRGAN(checkpoint=str(tmp_path / "wrong.pth")).load(CPU)
    message = str(caught.value)
    assert "unknown keys (1): surprise.weight" in message
    assert "missing keys (1): conv_first.weight" in message
    assert "conv_last.bias is (4,), expected (3,)" in message


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"params": Malicious(tmp_path / "it-ran")}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        RealESRGAN(checkpoint=str(tmp_path / "bad.pth")).load(CPU)
    assert not (tmp_path / "it-ran").exists()
    (tmp_path / "text.pth").write_text("no checkpoint")
    with pytest.raises(WeightsError):
        rrdb.read(tmp_path / "text.pth")


def test_layers_and_bytes_must_come_out_exactly(tmp_path: Path) -> None:
    param = weights.path("realesrgan-x4plus-param")
    data = weights.path("realesrgan-x4plus").read_bytes()
    for name, content in (("short.bin", data[:-4]), ("long.bin", data + b"\0\0\0\0")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="bytes"):
            convolutions(param, tmp_path / name)
    with pytest.raises(WeightsError, match="not an ncnn layer list"):
        convolutions(weights.path("niqe-parameters"), tmp_path / "long.bin")


def test_float32_and_float16_layers_are_read(tmp_path: Path) -> None:
    kernel, bias = np.arange(9, dtype=np.float32), np.float32([0.5])
    layer = "Convolution c{0} 1 1 b{0} b{1} 0=1 1=3 5={2} 6=9"
    (tmp_path / "n.param").write_text("\n".join(["7767517", "2 3", layer.format(0, 1, 1), layer.format(1, 2, 0)]))
    half = kernel.astype(np.float16).tobytes() + b"\0\0"  # 18 bytes, padded to 20
    tag = (0x01306B47).to_bytes(4, "little")
    (tmp_path / "n.bin").write_bytes(bytes(4) + kernel.tobytes() + bias.tobytes() + tag + half)
    first, second = convolutions(tmp_path / "n.param", tmp_path / "n.bin")
    assert (first.name, first.weight.shape, first.bias) == ("c0", (1, 1, 3, 3), bias)
    assert np.array_equal(first.weight, second.weight)
    assert second.bias is None


def test_it_says_what_it_needs_and_refuses_nonsense(batch_of, face) -> None:
    assert isinstance(RealESRGAN(), Restorer)
    assert (RealESRGAN.card.input, RealESRGAN.card.scale, RealESRGAN.card.final_resize) == ("native", 4, "lanczos")
    assert set(RealSR().weights) == {"realsr-df2k-jpeg", "realsr-df2k-jpeg-param"}
    with pytest.raises(RestorerError, match="before load"):
        RealESRGAN().restore(batch_of(face))
    with pytest.raises(ConfigError, match="tile is 0"):
        RealESRGAN(tile=0)
    with pytest.raises(ConfigError, match="overlap is -1"):
        RealESRGAN(overlap=-1)


# means of a coarse grid in R, G, B, then mean and deviation of all pixels, in 8-bit levels
GOLDEN = {
    RealESRGAN: [167.58, 153.67, 133.33, 137.53, 70.96],
    RealSR: [171.58, 151.75, 128.17, 137.10, 70.58],
}
