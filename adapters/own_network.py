"""What adapters for a network file of one's own share: what it takes and gives has to be said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..bench.api import Batch, Card, Weights
from ..bench.errors import ConfigError, RestorerError
from ..bench.images import Filter
from ..bench.spec import Location

if TYPE_CHECKING:
    import torch

Values = Literal["0..1", "-1..1", "0..255"]
"""Range of a network's input and output."""

_SPAN: dict[str, tuple[float, float]] = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 2.0), "0..255": (0.0, 255.0)}
"""Range -> lowest value and width."""


class OwnNetwork:
    """A network that takes and gives one image `(1, 3, H, W)`, read from a file.

    A subclass gives `open`, which returns the call.

    Args:
        checkpoint: the file.
        name: heading in tables.
        paper: citation.
        task: what it is for.
        input: `lq` = at the reference's size; `native` = the small image before it was brought back to size.
        size: the only `(height, width)` it takes; others are resized.
        scale: output side / input side.
        bring_down: filter for that, and for `native` inputs where only a resized LQ exists.
        final_resize: filter that brings the output to the reference's size; None: it must have it.
        quantise: how the official script makes 8 bits.
        values: range of input and output.
        channels: their order.
        multiple_of: height and width it needs; images are mirrored at their lower and right edge up to that,
            and the output cut.
        weights_licence: of the file.
        trained_on: data sets, to flag leakage.
        losses: training losses, to flag metrics that share them.

    Raises:
        ConfigError: `multiple_of` or `scale` is not positive.
    """

    version = 1

    def __init__(
        self,
        checkpoint: Location,
        *,
        name: str | None = None,
        paper: str = "unknown",
        task: Literal["face restoration", "super-resolution", "denoising", "photo enhancement"] = "face restoration",
        input: Literal["lq", "native"] = "lq",  # noqa: A002 - the card's name for it
        size: tuple[int, int] | None = None,
        scale: int = 1,
        bring_down: Filter = "area",
        final_resize: Filter | None = None,
        quantise: Literal["round", "truncate"] = "round",
        values: Values = "0..1",
        channels: Literal["rgb", "bgr"] = "rgb",
        multiple_of: int = 1,
        weights_licence: str = "unknown",
        trained_on: tuple[str, ...] = (),
        losses: tuple[str, ...] = (),
    ) -> None:
        for setting, value in (("multiple_of", multiple_of), ("scale", scale)):
            if value < 1:
                raise ConfigError(f"{setting} is {value}; give 1 or more")
        self.checkpoint = checkpoint
        self.values, self.channels, self.multiple_of = values, channels, multiple_of
        self.weights: Weights = {"checkpoint": checkpoint}
        self.card = Card(
            name=name or Path(checkpoint).stem or "network",
            paper=paper,
            task=task,
            input=input,
            size=size and (size[0], size[1]),
            scale=scale,
            bring_down=bring_down,
            final_resize=final_resize,
            quantise=quantise,
            code_licence="unknown",
            weights_licence=weights_licence,
            trained_on=tuple(trained_on),
            losses=tuple(losses),
            knobs={"checkpoint": "the file", "values": "its range", "channels": "their order"},
        )

    def call(self, image: torch.Tensor) -> torch.Tensor:
        """Run the network on one image `(1, 3, H, W)` in its own range and order."""
        raise TypeError(f"{type(self).__name__} runs nothing")

    def restore(self, batch: Batch) -> torch.Tensor:
        """Restore the images one by one, because files are often exported for a single image.

        Raises:
            RestorerError: the network gave something else than one three-channel image `scale` times as large.
        """
        import torch

        with torch.inference_mode():
            return torch.cat([self._one(image[None]) for image in batch.images])

    def _one(self, image: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import pad

        low, width = _SPAN[self.values]
        height, breadth = image.shape[2:]
        image = (image.flip(1) if self.channels == "bgr" else image) * width + low
        below, right = -height % self.multiple_of, -breadth % self.multiple_of
        if below or right:
            image = pad(image, (0, right, 0, below), mode="reflect")
        output = self.call(image)
        wanted = (1, 3, image.shape[2] * self.card.scale, image.shape[3] * self.card.scale)
        if tuple(output.shape) != wanted:
            raise RestorerError(f"{self.checkpoint} gave {tuple(output.shape)}, expected {wanted}; is `scale` right?")
        output = (output.float()[:, :, : height * self.card.scale, : breadth * self.card.scale] - low) / width
        return output.flip(1) if self.channels == "bgr" else output
