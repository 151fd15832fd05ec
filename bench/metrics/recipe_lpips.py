"""LPIPS as RestoreFormer's script computes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ..api import Column, Meta
from ..spec import Location
from .lpips import Lpips, References

if TYPE_CHECKING:
    import torch

Span = Literal["-1..1", "0..1"]


class RestoreFormerLpips:
    """LPIPS v0.1 with VGG16 of images that are blue first; the script prints it for both ranges.

    The network (of taming-transformers) is that of the library `lpips`, whose input is red first and in [-1, 1]:
    neither number is LPIPS as its authors meant it, and neither is VQFR's, which is plain `lpips_vgg`.
    """

    version = 1
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, span: Span = "-1..1", checkpoint: Location | None = None) -> None:
        """Choose the range of the input; `checkpoint` replaces the registry's file of backbone and heads."""
        self._plain = Lpips("vgg", checkpoint)
        self._span = span
        self.weights = self._plain.weights
        self.identity = f"lpips(recipe=restoreformer,net=vgg,version=0.1,order=bgr,range=[{span.replace('..', ',')}])"
        name = "lpips_restoreformer" + ("_01" if span == "0..1" else "")
        label = f"LPIPS (restoreformer, {span})"
        self.columns = (Column(name, label, "1", higher_is_better=False, low=0.0, high=float("inf"), digits=4),)

    def load(self, device: torch.device) -> None:
        """Build the network."""
        self._plain.load(device)

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> References:
        """Return the normalised activations of the references.

        Raises:
            ImageError: a side is so small that the last layer has no output.
        """
        return self._plain.prepare(self._input(reference), meta)

    def score(
        self, restored: torch.Tensor, state: References, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `lpips_restoreformer` or `lpips_restoreformer_01` `(B,)`."""
        (values,) = self._plain.score(self._input(restored), state, lq, meta).values()
        return {self.columns[0].name: values}

    def _input(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the plain metric, which stretches [0, 1] to [-1, 1], turns into the script's input."""
        swapped = images.flip(1)
        return (swapped + 1) / 2 if self._span == "0..1" else swapped
