"""Weight fills of DFDNet, DR2, ILVR, SPARNet, PSFR-GAN and DPE, whose golden vectors follow another rule than `fills`.

`tests/golden/<system>/` holds `manifest.json` (official names and shapes, repository and commit) and `golden.npz`
(what the official network answers, float32 on a CPU).  With
`n = numpy.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)` a weight is

    0.02 n          of two or more dimensions; of fewer, if its name does not end with `.weight`
    1 + 0.02 n      of fewer dimensions, if its name ends with `.weight`
    1               running variances
    0               integers

unless the system has a rule of its own.  Singular vectors of spectral normalisation come from one power iteration
that starts at `n` of `weight_u`, in float64.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from restorebench.bench.errors import WeightsError

from .fills import GOLDEN, save_official, zeros

Shapes = dict[str, tuple[int, ...]]
Rule = Callable[[str, NDArray[np.float64]], NDArray[np.float64] | None]
"""Name and n to a value, or None where the common rule holds."""


def arrays(system: str) -> dict[str, NDArray[Any]]:
    """Return the golden arrays of a system."""
    with np.load(GOLDEN / system / "golden.npz") as stored:
        return {name: stored[name] for name in stored.files}


def shapes(system: str, keys: str = "keys") -> Shapes:
    """Return the official names and shapes of a system."""
    manifest = json.loads((GOLDEN / system / "manifest.json").read_text())
    return {name: tuple(shape) for name, (shape, _) in manifest[keys].items()}


def normal(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the n of a name."""
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)


def common(_: str, __: NDArray[np.float64]) -> None:
    """Rule of systems without a rule of their own."""


def he(name: str, n: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Rule of SPARNet and the parsing network: plain convolutions keep the variance."""
    return n / np.sqrt(np.prod(n.shape[1:])) if name.endswith("conv2d.weight") else None


def state(shapes: Shapes, rule: Rule = common) -> dict[str, torch.Tensor]:
    """Return the filled state dict."""
    return _with_singular_vectors(shapes, lambda name, shape: _float32(_value(name, shape, normal(name, shape), rule)))


def miniature(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Return a state dict of the same names, shapes, means and deviations that takes a few MB in a file.

    Each weight is a short random line, read with overlap along every axis; networks stay finite with it.
    """

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        line = 0.02 * normal(name, (sum(shape) + 1,)) + (len(shape) < 2 and name.endswith((".weight", "running_var")))
        return _float32(line).as_strided(shape, (1,) * len(shape))

    return _with_singular_vectors(shapes, value)


def _with_singular_vectors(
    shapes: Shapes, value: Callable[[str, tuple[int, ...]], torch.Tensor]
) -> dict[str, torch.Tensor]:
    filled: dict[str, torch.Tensor] = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            filled[name] = torch.zeros(shape, dtype=torch.int64)
        elif not name.endswith(("weight_u", "weight_v")):
            filled[name] = value(name, shape)
    for name, shape in shapes.items():
        if name.endswith("weight_u"):
            matrix = filled[f"{name[:-1]}orig"].double().numpy().reshape(*shape, -1)
            right = _unit(matrix.T @ _unit(normal(name, shape)))
            filled[name], filled[f"{name[:-1]}v"] = _float32(_unit(matrix @ right)), _float32(right)
    return filled


def _value(name: str, shape: tuple[int, ...], n: NDArray[np.float64], rule: Rule) -> NDArray[np.float64]:
    own = rule(name, n)
    if own is not None:
        return own
    if name.endswith("running_var"):
        return np.ones(shape)
    return 1 + 0.02 * n if n.ndim < 2 and name.endswith(".weight") else 0.02 * n


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def _float32(value: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(value.astype(np.float32))


def randomised(network: torch.nn.Module) -> torch.nn.Module:
    """Return a network of any size with random singular vectors that fit its weights, in evaluation mode."""
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    network.load_state_dict(state(own, he))
    return network.eval().requires_grad_(False)


def uniform(side: int, seed: int = 0) -> torch.Tensor:
    """Return the golden input: `(1, 3, side, side)` in `[-1, 1]`."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (1, 3, side, side)).astype(np.float32))


def difference(found: torch.Tensor, expected: NDArray[Any]) -> float:
    """Return the largest absolute difference."""
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max())


def assert_reads_strictly(load: Callable[[Path], None], official: Shapes, folder: Path) -> None:
    """A file of exactly the official names loads; unknown, missing and misshapen names are an error that lists them."""
    load(save_official(zeros(official), folder / "official.pth"))
    wrong: dict[str, torch.Tensor] = zeros(official)
    missing, misshapen = list(wrong)[1], list(wrong)[-1]
    del wrong[missing]
    wrong |= {misshapen: torch.zeros(7), "stranger.weight": torch.zeros(1)}
    path = save_official(wrong, folder / "wrong.pth")
    with pytest.raises(WeightsError) as caught:
        load(path)
    for part in (str(path), "stranger.weight", missing, f"{misshapen} is (7,), expected"):
        assert part in str(caught.value)
    torch.save({"weight": _Program()}, path)
    with pytest.raises(WeightsError, match="more than tensors"):
        load(path)


class _Program:
    """Unpickling it would run something."""

    def __reduce__(self) -> tuple[Any, tuple[Mapping[str, str]]]:
        return dict, ({},)
