"""Data consistency: would the restored image have given the same degraded one?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api import Column, Meta, Weights
from ..errors import ImageError
from ..images import to_pixels
from ..spec import Spec

if TYPE_CHECKING:
    import torch


class DataConsistency:
    """PSNR and mean difference of the degraded restored image and the LQ.

    The restored image is degraded again with everything that was drawn for its LQ, the noise field and the JPEG
    quality too, so that the reference itself scores inf and 0.  Known only where the degradation is ours, and only
    for degradations that can repeat what was drawn (`apply`).
    """

    columns = (
        Column("consistency_psnr", "PSNR to LQ", "dB", higher_is_better=True, low=0.0, high=float("inf"), digits=2),
        Column("consistency_mae", "MAE to LQ", "levels", higher_is_better=False, low=0.0, high=255.0, digits=2),
    )
    identity = "consistency(degradation=recorded,noise=recorded,rgb,8bit,peak=255)"
    version = 1
    weights: Weights = {}
    needs = frozenset({"lq", "degradation"})
    uses_meta = ("degradation",)

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def load(self, device: torch.device) -> None:
        """Nothing to build before a degradation is known."""

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> None:
        """Nothing: no reference is used."""

    def score(
        self, restored: torch.Tensor, state: None, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `consistency_psnr` and `consistency_mae`, `(B,)` each.

        Raises:
            ImageError: the degradation cannot repeat what was drawn.
        """
        import torch

        if lq is None:
            raise ImageError("data consistency needs the LQ")
        triples = zip(to_pixels(restored), to_pixels(lq), meta, strict=True)
        differences = [
            self._degradation(one["degradation"]["spec"])
            .apply(image, one["degradation"]["drawn"])
            .lq.astype(np.float64)
            - made
            for image, made, one in triples
        ]
        mse = torch.tensor([np.square(d).mean() for d in differences], dtype=torch.float64)
        mae = torch.tensor([np.abs(d).mean() for d in differences], dtype=torch.float64)
        return {"consistency_psnr": -10 * (mse / 255**2).log10(), "consistency_mae": mae}

    def _degradation(self, spec: Mapping[str, Any]) -> Any:
        key = json.dumps(spec, sort_keys=True)
        if key not in self._built:
            built = Spec.from_json(spec).build()
            if not hasattr(built, "apply"):
                raise ImageError(f"data consistency: {spec['target']} cannot repeat what it drew (it has no `apply`)")
            self._built[key] = built
        return self._built[key]
