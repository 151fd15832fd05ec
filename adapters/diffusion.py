"""What DR2 and ILVR share: the U-Net, read from an official file, and noise keyed by image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from ..bench.api import Batch
from ..bench.checkpoint import check
from ..bench.errors import ConfigError
from ..bench.seeds import torch_generator
from ..bench.spec import Location
from .learned import Learned

if TYPE_CHECKING:
    import torch

    from .networks.diffusion import Noise, Schedule


class DiffusionRestorer(Learned):
    """A restorer that samples with the 256 x 256 U-Net on `steps` of its 1000 steps.

    Args:
        checkpoint: a file of one's own, with official or P2-weighting names; None for the official one.
        steps: of the sampling schedule, evenly spaced over the 1000 of the training.
        factor: N, by which the low-pass filter shrinks.

    Raises:
        ConfigError: `steps` or `factor` cannot be used.
    """

    side: ClassVar[int] = 256

    def __init__(self, checkpoint: Location | None, steps: int, factor: int) -> None:
        if not 2 <= steps <= 1000:
            raise ConfigError(f"{self.card.name}: {steps} steps; give 2 to 1000")
        if factor < 1 or self.side % factor:
            raise ConfigError(f"{self.card.name}: N is {factor}; give a power of two up to {self.side}, such as 8")
        super().__init__(checkpoint)
        self.steps, self.factor = steps, factor

    def build(self) -> torch.nn.Module:
        """Return the U-Net with the official settings."""
        from .networks import unet

        return unet.build()

    def fill(self, network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> torch.nn.Module:
        """Give the U-Net the tensors of an official file, whose names are not the network's own.

        Raises:
            WeightsError: names or shapes differ.
        """
        from .networks import unet

        network = cast("unet.UNet", network)
        check(state, unet.official_shapes(network), what)
        unet.load_official(network, state)
        return network.eval().requires_grad_(False)

    def schedule(self) -> Schedule:
        """Return the sampling schedule."""
        from .networks.diffusion import Schedule

        return Schedule.respaced(self.steps)

    def noise(self, batch: Batch, device: torch.device) -> Noise:
        """Return the noise of a batch, each image's drawn from its own seed."""
        from .networks.diffusion import keyed_noise

        generators = [torch_generator(seed, f"{self.entry} noise") for seed in batch.seeds]
        return keyed_noise(generators, (3, self.side, self.side), device)
