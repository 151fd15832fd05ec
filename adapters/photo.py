"""Photo enhancers with small published networks: image-adaptive 3D lookup tables and NeurOp.

They retouch colours, so that any size and shape of photo goes through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ..bench.api import Batch, Card, Weights
from ..bench.checkpoint import check, load_strict, read
from ..bench.errors import RestorerError
from ..bench.spec import Location
from .learned import Learned

if TYPE_CHECKING:
    import torch


class ImageAdaptiveLUT:
    """Image-adaptive 3D LUT, trained on pairs (MIT-Adobe FiveK, expert C, sRGB).

    Args:
        luts: tables of one's own; None for the official ones.
        classifier: classifier of one's own; None for the official one.
    """

    version = 1
    entry: ClassVar[str] = "lut3d-paired"
    norms: ClassVar[int] = 4
    dropout: ClassVar[bool] = True
    card = Card(
        name="3D LUT (paired)",
        paper="Zeng et al., Learning Image-adaptive 3D Lookup Tables for High Performance Photo Enhancement in "
        "Real-time, TPAMI 2020",
        task="photo enhancement",
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        trained_on=("MIT-Adobe FiveK",),
        losses=("MSE", "smoothness and monotonicity of the tables"),
        knobs={"luts": "tables of one's own", "classifier": "classifier of one's own"},
    )

    def __init__(self, luts: Location | None = None, classifier: Location | None = None) -> None:
        self.weights: Weights = {f"{self.entry}-luts": luts, f"{self.entry}-classifier": classifier}
        self._network: torch.nn.Module | None = None

    def load(self, device: torch.device) -> None:
        """Build classifier and tables on `device`.

        Raises:
            WeightsError: a file cannot be had, or is not of this network; the message lists the keys.
        """
        import torch

        from ..bench.weights import resolve
        from .networks.lut3d import ImageAdaptiveLUT as Network

        files = {name: weight.path for name, weight in resolve(self.weights).items()}
        tables, classifier = files[f"{self.entry}-luts"], files[f"{self.entry}-classifier"]
        network = Network(self.norms, self.dropout)
        load_strict(network.classifier, read(classifier), f"{classifier} is no classifier of {self.card.name}")
        luts = {f"{number}.LUT": read(tables, (number,), prefix="")["LUT"] for number in ("0", "1", "2")}
        check(luts, {name: tuple(network.luts.shape[1:]) for name in luts}, f"{tables} holds no tables of 33 bins")
        network.luts.copy_(torch.stack([luts[name] for name in sorted(luts)]))
        self._network = network.to(device)

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, H, W)`, not yet clamped."""
        import torch

        if self._network is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        with torch.inference_mode():
            return torch.as_tensor(self._network(batch.images))


class ImageAdaptiveLUTUnpaired(ImageAdaptiveLUT):
    """Image-adaptive 3D LUT, trained without pairs, adversarially."""

    entry = "lut3d-unpaired"
    norms = 1
    dropout = False
    card = replace(
        ImageAdaptiveLUT.card,
        name="3D LUT (unpaired)",
        losses=("GAN", "L1 to the input", "smoothness and monotonicity of the tables"),
    )


class NeurOpFiveK(Learned):
    """NeurOp trained on MIT-Adobe FiveK (the split "lite" of the paper).

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    entry = "neurop-fivek-lite"
    signed = False
    card = Card(
        name="NeurOp (FiveK-lite)",
        paper="Wang et al., Neural Color Operators for Sequential Image Retouching, ECCV 2022",
        task="photo enhancement",
        code_licence="MIT",
        weights_licence="MIT",
        trained_on=("MIT-Adobe FiveK",),
        knobs={"checkpoint": "weights of one's own"},
    )

    def build(self) -> torch.nn.Module:
        """Return the network."""
        from .networks.neurop import NeurOp

        return NeurOp()


class NeurOpPPR10K(NeurOpFiveK):
    """NeurOp trained on portrait photos retouched by expert a of PPR10K."""

    entry = "neurop-ppr10k-a"
    card = replace(NeurOpFiveK.card, name="NeurOp (PPR10K-a)", trained_on=("PPR10K",))
