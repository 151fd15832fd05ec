"""Reading checkpoints: tensors only, strict names, and an error that lists what differs.

A checkpoint from outside is data, never a program: `torch.load(weights_only=True)` or safetensors.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import WeightsError, listing

if TYPE_CHECKING:
    import torch


def read(path: Path, holders: Sequence[str] = (), prefix: str = "") -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name, as `float32` where they are floats.

    Args:
        path: `.safetensors`, or anything `torch.load(weights_only=True)` accepts.
        holders: top-level keys that may hold the state dict, tried in this order; a file with none of
            them is taken as a bare state dict.
        prefix: names start with it and lose it; names without it are left out (`vqvae.`, `module.`).

    Raises:
        WeightsError: the file is damaged, or holds more than tensors.
    """
    content = _load(path)
    for holder in holders:
        if isinstance(content, Mapping) and isinstance(content.get(holder), Mapping):
            content = content[holder]
            break
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds a {type(content).__name__}, expected a mapping of names to tensors")
    if prefix and any(str(name).startswith(prefix) for name in content):
        content = {str(k).removeprefix(prefix): v for k, v in content.items() if str(k).startswith(prefix)}
    odd = sorted(str(name) for name, value in content.items() if not hasattr(value, "is_floating_point"))
    if odd:
        raise WeightsError(f"{path}: not tensors: {listing(odd)}")
    return {str(name): value.float() if value.is_floating_point() else value for name, value in content.items()}


def _load(path: Path) -> Any:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path}: holds more than tensors, so it was not loaded ({reason})") from None
    except Exception as error:  # damaged files raise nearly anything
        raise WeightsError(f"{path}: cannot be read as a checkpoint ({type(error).__name__}: {error})") from None


def check(state: Mapping[str, torch.Tensor], expected: Mapping[str, tuple[int, ...]], what: str) -> None:
    """Compare names and shapes.

    Args:
        state: what a file holds.
        expected: what the network has.
        what: file and network, for the message.

    Raises:
        WeightsError: the message lists unknown, missing and misshapen names.
    """
    unknown, missing = sorted(state.keys() - expected.keys()), sorted(expected.keys() - state.keys())
    wrong = [
        f"{name} is {tuple(state[name].shape)}, expected {shape}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    lists = (("unknown keys", unknown), ("missing keys", missing), ("wrong shapes", wrong))
    problems = [f"{label} ({len(names)}): {listing(names)}" for label, names in lists if names]
    if problems:
        raise WeightsError(f"{what}: {'; '.join(problems)}")


def load_strict(network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> torch.nn.Module:
    """Load a state dict whose names and shapes must be the network's, and return the network in evaluation mode.

    Raises:
        WeightsError: see `check`.
    """
    check(state, {name: tuple(value.shape) for name, value in network.state_dict().items()}, what)
    network.load_state_dict(dict(state))
    return network.eval().requires_grad_(False)
