"""Robustness grids: one parameter of x = [(y * k_sigma) down_r + n_delta]_JPEG_q at several levels, the others fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..bench.errors import ConfigError

Parameter = Literal["sigma", "r", "delta", "q"]

_STEPS = "restorebench.datasets.steps"


class Sweep:
    """A family of splits of rising severity, `<over>_<level>` each.

    All levels draw from one key: an image keeps its noise field from level to level, where its size allows.

    Args:
        over: the parameter that varies.
        levels: its values; sorted by severity, which for `q` is downwards.
        sigma: of the isotropic Gaussian blur, pixels of the reference.
        r: reference side / native side.
        delta: of the Gaussian noise, of 255.
        q: JPEG quality.
        key: keys the random draws.
    """

    def __init__(
        self,
        over: Parameter,
        levels: Sequence[float],
        sigma: float = 2,
        r: float = 4,
        delta: float = 5,
        q: int = 80,
        key: str = "sweep",
    ) -> None:
        self._values = {"sigma": sigma, "r": r, "delta": delta, "q": q}
        if over not in self._values:
            raise ConfigError(f"sweep over {over!r}; known: {', '.join(self._values)}")
        if len(levels) < 2 or len(set(levels)) < len(levels):
            raise ConfigError(f"sweep over {over}: levels are {list(levels)}; two or more different ones are expected")
        self._over = over
        self._levels = sorted(levels, reverse=over == "q")
        self._key = key

    def splits(self) -> dict[str, Mapping[str, Any]]:
        """Return the configuration of each split by name, mildest first."""
        return {
            f"{self._over}_{level:g}": self._pipeline({**self._values, self._over: level}) for level in self._levels
        }

    def _pipeline(self, value: Mapping[str, float]) -> dict[str, Any]:
        steps = [
            {"_target_": f"{_STEPS}.GaussianBlur", "sigma": value["sigma"], "size": 41, "isotropic": 1.0},
            {"_target_": f"{_STEPS}.Down", "scale": value["r"], "filter": "bilinear"},
            {"_target_": f"{_STEPS}.GaussianNoise", "delta": value["delta"]},
            {"_target_": f"{_STEPS}.Jpeg", "quality": value["q"]},
            {"_target_": f"{_STEPS}.Back", "filter": "bilinear"},
        ]
        return {"_target_": "restorebench.datasets.degradation.Pipeline", "key": self._key, "steps": steps}
