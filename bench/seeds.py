"""Random generators keyed by what they are for, never by when they are asked.

Adding an image, changing the order or the batch size changes no other image's draws.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def entropy(seed: int, *key: str) -> int:
    """Return 128 bits of stable entropy for a key such as `(seed, "degradation", split, sample id)`."""
    text = "\x1f".join((str(int(seed)), *key))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:16], "little")


def numpy_generator(seed: int, *key: str) -> np.random.Generator:
    """Return the PCG64 generator of a key; equal keys draw equal numbers on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy(seed, *key))))


def torch_generator(seed: int, *key: str) -> torch.Generator:
    """Return a CPU torch generator of a key, so that CPU and GPU restorers see the same noise."""
    import torch

    return torch.Generator("cpu").manual_seed(entropy(seed, *key) & 0x7FFF_FFFF_FFFF_FFFF)
