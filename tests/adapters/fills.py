"""Weight fills, inputs and comparison of the GAN and codebook networks' golden vectors.

`tests/golden/<system>/` holds, for one network: `manifest.json` (official state-dict keys and shapes, the key
the official file keeps them under, repository and commit), `fill.json` (which random numbers each weight gets)
and `golden.npz` (what the official class answers, float32 on a CPU, in evaluation mode).

One value per weight name `k` and shape `S`: `offset + scale * n`, with
`n = numpy.random.default_rng(zlib.crc32(k.encode())).standard_normal(S)`, scale and offset from the first rule
that matches `k` and the number of dimensions.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
STRIDES = (1, 37, 11, 3, 1)  # of `miniature`; with small ones the channels are so alike that activations explode


class Fill(NamedTuple):
    """Mean and standard deviation of one weight; both None where a constant stays (the GPEN blur kernels)."""

    offset: float | None
    scale: float | None


class Golden:
    """The golden folder of one network.

    Attributes:
        shapes: official name -> shape.
        holder: top-level key of the official file, None for a bare state dict.
        arrays: expected values by `<case>.<part>`, see `parts`.
    """

    def __init__(self, system: str) -> None:
        """Read `tests/golden/<system>`."""
        folder = GOLDEN / system
        manifest = json.loads((folder / "manifest.json").read_text())
        self.shapes: dict[str, tuple[int, ...]] = {k: tuple(shape) for k, (shape, _) in manifest["keys"].items()}
        self.holder: str | None = manifest["top_level_key"]
        self._fill: dict[str, Any] = json.loads((folder / "fill.json").read_text())
        with np.load(folder / "golden.npz") as stored:
            self.arrays = {name: stored[name] for name in stored.files}

    def fill(self, name: str) -> Fill:
        """Return mean and deviation of one weight, by the first rule that matches."""
        ndim = len(self.shapes[name])
        for rule in self._fill["rules"]:
            if re.search(rule["pattern"], name) and rule.get("min_ndim", 0) <= ndim <= rule.get("max_ndim", 99):
                return Fill(None, None) if rule.get("keep") else Fill(rule.get("offset", 0.0), rule["scale"])
        raise AssertionError(f"no fill rule for {name}")

    def state(self) -> dict[str, torch.Tensor]:
        """Return the filled state dict, proven by the sha256 recorded beside the golden vectors."""
        state = {name: self._value(name) for name in self.shapes}
        digest = hashlib.sha256()
        for name in sorted(state):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(state[name].numpy()).data)
        assert digest.hexdigest() == self._fill["sha256_of_fill"], "the fill is not the one the golden vectors had"
        return state

    def miniature(self) -> dict[str, torch.Tensor]:
        """Return a state dict of the same names, shapes, means and deviations that takes a few MB in a file.

        Each weight is a short random line, read with overlap along every axis; networks stay finite with it.
        """
        return {name: self._overlapping(name, shape) for name, shape in self.shapes.items()}

    def fill_smaller(self, network: torch.nn.Module) -> torch.nn.Module:
        """Give a network of fewer layers or channels, but the same names, random weights by the same rules."""
        generator = torch.Generator().manual_seed(0)
        for name, value in network.state_dict().items():
            offset, scale = self.fill(name)
            if offset is not None and scale is not None:
                value.copy_(torch.randn(value.shape, generator=generator) * scale + offset)
        return network.eval().requires_grad_(False)

    def _overlapping(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        offset, scale = self.fill(name)
        if offset is None or scale is None:
            return blur_kernel(name)
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        strides = STRIDES[-len(shape) :]
        length = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True)) + 1
        line = generator.standard_normal(length).astype(np.float32) * np.float32(scale) + np.float32(offset)
        return torch.from_numpy(line).as_strided(shape, strides)

    def _value(self, name: str) -> torch.Tensor:
        offset, scale = self.fill(name)
        if offset is None or scale is None:
            return blur_kernel(name)
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        values = generator.standard_normal(self.shapes[name]).astype(np.float32)
        values *= np.float32(scale)
        values += np.float32(offset)
        return torch.from_numpy(values)

    def largest_difference(self, case: str, found: Mapping[str, torch.Tensor]) -> float:
        """Compare every golden array of a case and return the largest absolute difference.

        Args:
            case: `noise`, `smooth_w0.5`, ...
            found: values by the part of the array's name behind the case (`sub16`, `codes`, `lq_feat.sub`).
        """
        expected = {name.removeprefix(f"{case}."): v for name, v in self.arrays.items() if name.startswith(f"{case}.")}
        assert expected, f"no golden array of {case}"
        assert expected.keys() == found.keys()
        if "codes" in expected:
            np.testing.assert_array_equal(found["codes"].cpu().numpy(), expected["codes"])
        return max(float(np.abs(found[part].cpu().numpy() - values).max()) for part, values in expected.items())


def blur_kernel(name: str) -> torch.Tensor:
    """Return a constant that GPEN checkpoints hold: [1, 3, 3, 1] in both directions, by 4 where it enlarges."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64 * (4 if name.startswith("generator.") else 1)


def image(name: str, side: int = 512) -> torch.Tensor:
    """Return the golden input `noise` or `smooth`: `(1, 3, side, side)` in `[-1, 1]`."""
    if name == "noise":
        values = np.random.default_rng(0).uniform(-1, 1, (1, 3, side, side))
        return torch.from_numpy(values.astype(np.float32))
    assert name == "smooth"
    u, v = np.meshgrid(np.arange(side) / side, np.arange(side) / side)
    turn = 2 * np.pi
    red = 0.6 * np.sin(turn * (3 * u + v)) + 0.3 * np.cos(turn * 7 * u * v) + 0.1 * np.sin(turn * 23 * u)
    bowl = 5 * (u - 0.5) ** 2 + 9 * (v - 0.5) ** 2
    green = 0.6 * np.cos(turn * (2 * u - 3 * v)) + 0.3 * np.sin(turn * bowl) + 0.1 * np.cos(turn * 19 * v)
    saddle, ripple = 6 * u**2 - 4 * v, 17 * u + 13 * v
    blue = 0.6 * np.sin(turn * (u + 4 * v) + 1.0) + 0.3 * np.cos(turn * saddle) + 0.1 * np.sin(turn * ripple)
    return torch.from_numpy(np.stack([red, green, blue])[None].astype(np.float32))


def parts(output: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the pieces of an image `(3, H, W)` that golden files keep."""
    side = output.shape[-1]
    middle = slice(side // 2 - 16, side // 2 + 16)
    return {"sub16": output[:, ::16, ::16], "crop32": output[:, middle, middle], "row100": output[:, 100]}


def sub(feature: torch.Tensor) -> torch.Tensor:
    """Return an intermediate `(C, H, W)` as golden files keep it: at most 32 channels on a 16 x 16 grid."""
    return feature[:32, :: feature.shape[1] // 16, :: feature.shape[2] // 16]


def save_official(state: Mapping[str, torch.Tensor], path: Path, holder: str | None = None, prefix: str = "") -> Path:
    """Write a checkpoint as the official release does: names with `prefix`, below `holder`."""
    content: dict[str, Any] = {f"{prefix}{name}": value for name, value in state.items()}
    torch.save(content if holder is None else {holder: content}, path)
    return path


def zeros(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return zeros of these shapes that take a few bytes each in a file, to test how files are read."""
    return {name: torch.zeros(1).expand(shape) if shape else torch.zeros(()) for name, shape in shapes.items()}


def batch_difference(restore: Callable[[torch.Tensor, slice], torch.Tensor], images: torch.Tensor) -> float:
    """Return how far one batch is from one image at a time: the largest difference over the range of the output.

    Random weights give outputs of any range, so that a difference by itself says nothing about rounding.

    Args:
        restore: images and their positions -> restored images.
        images: `(B, 3, H, W)`.
    """
    with torch.inference_mode():
        together = restore(images, slice(None))
        alone = torch.cat([restore(images[i : i + 1], slice(i, i + 1)) for i in range(len(images))])
    spread = together.max() - together.min()
    assert torch.isfinite(together).all()
    assert spread > 0.1, "the output is flat; nothing is shown"
    return float((together - alone).abs().max() / spread)
