"""Deep Photo Enhancer on photos of any size, which it works on with a long side of 512.

Chen et al., CVPR 2018; nothinglo/Deep-Photo-Enhancer, commit c8e94762a0fcfaccb25b890ee44275b4d4898e6d, online demo.
Its models are TensorFlow checkpoints: `python -m restorebench.adapters.convert_dpe` converts them once.
Peak memory for one photo with the weights: 0.4 GiB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ..bench.api import Batch, Card
from ..bench.spec import Location
from .learned import Learned
from .resizing import pillow_resized

if TYPE_CHECKING:
    import torch

_TRAINED_ON = {
    "supervised": ("MIT-Adobe FiveK",),
    "unsupervised": ("MIT-Adobe FiveK",),
    "hdr": ("MIT-Adobe FiveK", "HDR photos from Flickr"),
}


class DPE(Learned):
    """Deep Photo Enhancer.

    The result has a long side of 512, as the authors published and scored it; the card's final resize brings it
    to a reference of another size.

    Args:
        checkpoint: a converted file of one's own; None for the official one of `model`.
        model: `supervised`, `unsupervised` (the paper's method) or `hdr` (unsupervised, towards HDR photos).
    """

    entry = "dpe-unsupervised"
    card = Card(
        name="DPE",
        paper="Chen et al., Deep Photo Enhancer: Unpaired Learning for Image Enhancement from Photographs with GANs, "
        "CVPR 2018",
        task="photo enhancement",
        final_resize="lanczos",
        code_licence="Apache-2.0, written from the paper and its graph",
        weights_licence="none given of their own; the official repository's is MIT",
        trained_on=_TRAINED_ON["unsupervised"],
        losses=("MSE", "WGAN", "cycle consistency"),
        knobs={"checkpoint": "a converted file of one's own", "model": "supervised, unsupervised or hdr"},
    )

    def __init__(
        self, checkpoint: Location | None = None, model: Literal["supervised", "unsupervised", "hdr"] = "unsupervised"
    ) -> None:
        self.entry = f"dpe-{model}"
        super().__init__(checkpoint)
        name = {"supervised": "DPE (SL)", "unsupervised": "DPE (UL)", "hdr": "DPE (HDR)"}[model]
        self.card = replace(type(self).card, name=name, trained_on=_TRAINED_ON[model])

    def build(self) -> torch.nn.Module:
        """Return the generator."""
        from .networks import dpe

        return dpe.DPE()

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring the long side to 512 (Lanczos) as the official demo does, larger or smaller."""
        from .networks.dpe import SIDE

        longest = max(images.shape[2:])
        height, width = (max(1, round(length * SIDE / longest)) for length in images.shape[2:])
        return pillow_resized(images, (height, width), "lanczos")

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, h, w)` RGB in `[0, 1]`, not yet clamped, with a long side of 512."""
        import torch

        from .networks.borders import symmetric_pad
        from .networks.dpe import SIDE

        photos = self.prepare(batch.images)
        height, width = photos.shape[2:]
        with torch.inference_mode():
            square = symmetric_pad(photos.flip(1), 0, SIDE - width, 0, SIDE - height)  # the network works in BGR
            enhanced: torch.Tensor = self.network(square)
            return enhanced[:, :, :height, :width].flip(1)
