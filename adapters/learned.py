"""What restorers with one network and one checkpoint share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..bench.api import Batch, Card, Weights
from ..bench.errors import RestorerError
from ..bench.spec import Location
from .networks.checkpoint import load_strict, read

if TYPE_CHECKING:
    import torch


class Learned:
    """A restorer whose network comes from one checkpoint.

    A subclass gives `card`, `entry`, `build` and, where the network is not a plain map from `[-1, 1]` to
    `[-1, 1]`, `forward`.

    Attributes:
        entry: name of the official checkpoint in the weights registry.
        holders: top-level keys of the official file, in the order its loader tries them.
        prefix: what the official file puts before every name.

    Args:
        checkpoint: a file of one's own; None for the official one.
    """

    card: Card
    version = 1
    entry: ClassVar[str]
    holders: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[str] = ""

    def __init__(self, checkpoint: Location | None = None) -> None:
        self.weights: Weights = {self.entry: checkpoint}
        self._network: torch.nn.Module | None = None

    def build(self) -> torch.nn.Module:
        """Return the network with the official constructor's settings, not yet loaded."""
        raise TypeError(f"{type(self).__name__} builds no network")

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Run the network on `(B, 3, H, W)` RGB in `[-1, 1]` and return the same range."""
        return network(images)  # type: ignore[no-any-return]

    def load(self, device: torch.device) -> None:
        """Build the network on `device`.

        Raises:
            WeightsError: the checkpoint cannot be had, or is not of this network; the message lists the keys.
        """
        from ..bench.weights import resolve

        path = resolve(self.weights)[self.entry].path
        state = read(path, self.holders, self.prefix)
        self._network = load_strict(self.build(), state, f"{path} is no checkpoint of {self.card.name}").to(device)

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, H, W)` RGB in `[0, 1]`, not yet clamped."""
        import torch

        if self._network is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        with torch.inference_mode():
            return self.forward(self._network, batch.images * 2 - 1, batch) * 0.5 + 0.5
