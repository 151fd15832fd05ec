"""What restorers with one network and one checkpoint share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ..bench.api import Batch, Card, Weights
from ..bench.checkpoint import load_strict, read
from ..bench.errors import RestorerError
from ..bench.spec import Location

if TYPE_CHECKING:
    import torch


class Learned:
    """A restorer whose network comes from one checkpoint.

    A subclass gives `card`, `entry`, `build` and, where the network is not a plain map of images, `forward`; where the official script resizes by itself, `prepare`; where its file does not hold the
    network's own names, `fill`.

    Attributes:
        entry: name of the official checkpoint in the weights registry.
        holders: top-level keys of the official file, in the order its loader tries them.
        prefix: what the official file puts before every name.
        signed: the network works on `[-1, 1]`; else on `[0, 1]`.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    card: Card
    version = 1
    entry: str
    holders: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[str] = ""
    signed: ClassVar[bool] = True

    def __init__(self, checkpoint: Location | None = None) -> None:
        self.weights: Weights = {self.entry: checkpoint}
        self._network: torch.nn.Module | None = None

    def build(self) -> torch.nn.Module:
        """Return the network with the official constructor's settings, not yet loaded."""
        raise TypeError(f"{type(self).__name__} builds no network")

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring `(B, 3, H, W)` in `[0, 1]` to the size the network takes, if the card leaves that to the restorer."""
        return images

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Run the network on `(B, 3, H, W)` RGB in its own range and return the same range."""
        return network(images)  # type: ignore[no-any-return]

    def fill(self, network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> torch.nn.Module:
        """Give the network the tensors of an official file.

        Raises:
            WeightsError: names or shapes differ; the message starts with `what`.
        """
        return load_strict(network, state, what)

    def load(self, device: torch.device) -> None:
        """Build the network on `device`.

        Raises:
            WeightsError: the checkpoint cannot be had, or is not of this network; the message lists the keys.
        """
        from ..bench.weights import resolve

        path = resolve(self.weights)[self.entry].path
        state = read(path, self.holders, self.prefix)
        self._network = self.fill(self.build(), state, f"{path} is no checkpoint of {self.card.name}").to(device)

    @property
    def network(self) -> torch.nn.Module:
        """The loaded network.

        Raises:
            RestorerError: `load` was not called.
        """
        if self._network is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        return self._network

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, H, W)` RGB in `[0, 1]`, not yet clamped."""
        import torch

        with torch.inference_mode():
            images = self.prepare(batch.images)
            if not self.signed:
                return self.forward(self.network, images, batch)
            return self.forward(self.network, images * 2 - 1, batch) * 0.5 + 0.5
