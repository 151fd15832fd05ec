"""The Gaussian diffusion of DR2 and ILVR: a linear schedule on fewer steps, with learned variance.

Ho et al., DDPM, NeurIPS 2020; Nichol and Dhariwal, Improved DDPM, ICML 2021 (respacing, learned variance).
Steps `i` count from 0 (nearly clean) to `steps - 1` (nearly noise).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from .borders import symmetric_pad

if TYPE_CHECKING:
    from numpy.typing import NDArray

Noise = Callable[[], torch.Tensor]
"""Returns the next `(B, 3, H, W)` of standard normal noise."""

Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""`(B, 3, H, W)` and timesteps `(B,)` to `(B, 6, H, W)`: the noise seen, and where the variance lies."""

TRAINING_STEPS = 1000
_BETAS = (1e-4, 2e-2)  # first and last of the linear schedule


@dataclass(frozen=True, eq=False)
class Schedule:
    """What is known of every step, each array `(steps,)` in `float64`.

    Attributes:
        timesteps: of training, as the network is told them.
        betas: variance a step adds.
        alphas_cumprod: share of the picture's variance left after it.
    """

    timesteps: NDArray[np.int64]
    betas: NDArray[np.float64]
    alphas_cumprod: NDArray[np.float64]

    @classmethod
    def respaced(cls, steps: int) -> Schedule:
        """Return the schedule on `steps` (2 to 1000) of the 1000 training steps, evenly spaced with both ends."""
        trained = np.cumprod(1 - np.linspace(*_BETAS, TRAINING_STEPS, dtype=np.float64))
        timesteps = np.array([round(i * (TRAINING_STEPS - 1) / (steps - 1)) for i in range(steps)])
        kept = trained[timesteps]
        betas = 1 - kept / np.concatenate(([1.0], kept[:-1]))
        return cls(timesteps, betas, np.cumprod(1 - betas))

    @property
    def _previous(self) -> NDArray[np.float64]:
        return np.concatenate(([1.0], self.alphas_cumprod[:-1]))

    @property
    def posterior_log_variance(self) -> NDArray[np.float64]:
        """Log variance of the true posterior; the first, which is 0, is taken from the second."""
        variance = self.betas * (1 - self._previous) / (1 - self.alphas_cumprod)
        return np.asarray(np.log(np.concatenate((variance[1:2], variance[1:]))))

    def noised(self, image: torch.Tensor, i: int, noise: torch.Tensor) -> torch.Tensor:
        """Return `image` as it looks after step `i`."""
        share = float(self.alphas_cumprod[i])
        return sqrt(share) * image + sqrt(1 - share) * noise

    def denoised(self, network: Network, x: torch.Tensor, i: int, noise: torch.Tensor) -> Denoised:
        """Go from step `i` to `i - 1` by ancestral sampling."""
        timestep = torch.full((len(x),), int(self.timesteps[i]), device=x.device)
        epsilon, between = network(x, timestep).chunk(2, dim=1)
        share, previous, beta = (float(values[i]) for values in (self.alphas_cumprod, self._previous, self.betas))
        image = (sqrt(1 / share) * x - sqrt(1 / share - 1) * epsilon).clamp(-1, 1)
        mean = beta * sqrt(previous) / (1 - share) * image + (1 - previous) * sqrt(1 - beta) / (1 - share) * x
        if i == 0:
            return Denoised(mean, image)
        fraction = (between + 1) / 2
        log_variance = fraction * float(np.log(beta)) + (1 - fraction) * float(self.posterior_log_variance[i])
        return Denoised(mean + torch.exp(0.5 * log_variance) * noise, image)


class Denoised(NamedTuple):
    """One step back.

    Attributes:
        sample: the state one step nearer to the picture.
        image: the picture the network now sees, in `[-1, 1]`.
    """

    sample: torch.Tensor
    image: torch.Tensor


def shrink(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Shrink `(B, C, H, W)` as MATLAB's imresize does: antialiased bicubic (a = -0.5), symmetric borders."""
    border = 4 * factor
    padded = symmetric_pad(images, border, border, border, border)
    small = F.interpolate(padded, scale_factor=1 / factor, mode="bicubic", align_corners=False, antialias=True)
    return small[:, :, 4:-4, 4:-4]


def low_pass(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Keep what survives shrinking by `factor` and enlarging again; both sides must be multiples of it."""
    padded = symmetric_pad(shrink(images, factor), 4, 4, 4, 4)
    border = 4 * factor
    large = F.interpolate(padded, scale_factor=float(factor), mode="bicubic", align_corners=False, antialias=True)
    return large[:, :, border:-border, border:-border]


def keyed_noise(generators: Sequence[torch.Generator], shape: tuple[int, ...], device: torch.device) -> Noise:
    """Return noise of which each image draws from its own CPU generator, whatever the batch or device.

    Args:
        generators: one per image.
        shape: of one image.
        device: where the noise goes.
    """

    def draw() -> torch.Tensor:
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)

    return draw


def dr2(
    network: Network, schedule: Schedule, lq: torch.Tensor, factor: int, tau: int, omega: int, noise: Noise
) -> torch.Tensor:
    """Remove degradation: from step `omega`, keep the low frequencies of the noised LQ, stop at step `tau`.

    Wang et al., DR2, CVPR 2023, algorithm 1.

    Args:
        network: see `Network`.
        schedule: the steps.
        lq: `(B, 3, H, W)` in `[-1, 1]`.
        factor: N of the paper; 1 replaces the whole state instead of its low frequencies.
        tau: last step.
        omega: first step, not below `tau`.
        noise: `2 (omega - tau + 1)` draws.

    Returns:
        The picture seen at step `tau`, `(B, 3, H, W)` in `[-1, 1]`.
    """
    state = schedule.noised(lq, omega, noise())
    for i in range(omega, tau, -1):
        sample = schedule.denoised(network, state, i, noise()).sample
        reference = schedule.noised(lq, i - 1, noise())
        state = reference if factor == 1 else sample - low_pass(sample, factor) + low_pass(reference, factor)
    return schedule.denoised(network, state, tau, noise()).image


def ilvr(
    network: Network, schedule: Schedule, lq: torch.Tensor, factor: int, free: int, noise: Noise
) -> Iterator[Denoised]:
    """Draw from pure noise, keeping the low frequencies of the noised LQ; yields every state, the last is the result.

    Choi et al., ILVR, ICCV 2021.  As in the official code, the reference is noised to step `i`, although the
    state has reached `i - 1`.

    Args:
        network: see `Network`.
        schedule: the steps.
        lq: `(B, 3, H, W)` in `[-1, 1]`.
        factor: of the low-pass filter.
        free: steps up to this one follow no reference (`range_t` of the official command).
        noise: one draw, then one or two for each step.
    """
    state = noise()
    for i in range(len(schedule.timesteps) - 1, -1, -1):
        sample, image = schedule.denoised(network, state, i, noise())
        if i > free:
            reference = schedule.noised(lq, i, noise())
            sample = sample - low_pass(sample, factor) + low_pass(reference, factor)
        state = sample
        yield Denoised(state, image)
