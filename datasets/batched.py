"""The same degradations for many images at once, in torch: for throughput, never instead of the reference path.

What is drawn is the same as on the reference path (OpenCV and NumPy, `degradation.Pipeline`), number by number, and so
are noise fields and the JPEG codec; blurs and resizes are torch's.  Their floats differ in the last bits, which moves
a value by a level here and there, and JPEG spreads that over a block.  So the LQ images are others, with a
split identity that names this class and the device: results of the two paths never meet under one name.
How far they differ: docs/degradations.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..bench.api import Degraded
from ..bench.errors import ConfigError, ImageError
from ..bench.images import Pixels
from .blurs import KernelBlur, LineMotion, ShakeMotion, SincBlur
from .degradation import Pipeline
from .steps import Back, Down, GaussianBlur, Step, own, prefixes

if TYPE_CHECKING:
    import torch

    from .kernels import Kernel
    from .steps import Floats

    Images = list[torch.Tensor]
    Batch = Callable[[Images, Sequence[Mapping[str, Any]], Sequence[tuple[int, int]]], Images]

_FILTERS = ("bilinear", "bicubic")  # of OpenCV, which torch has too: half-pixel centres, no antialiasing


class BatchedPipeline:
    """Steps applied to several images at once; see `degradation.Pipeline`.

    Blurs by a kernel and resizes by OpenCV's `bilinear` and `bicubic` are batched over images of one size; every other
    step, JPEG among them, is the reference's own, image by image on the CPU.

    Args:
        key: keys the random draws, as on the reference path.
        steps: what happens, in order.
        device: where the batched steps run; part of the identity, because devices round differently.
    """

    version = 1

    def __init__(self, key: str, steps: Sequence[Step], device: Literal["cpu", "cuda"] = "cpu") -> None:
        if device not in ("cpu", "cuda"):
            raise ConfigError(f"degradation device is {device!r}; cpu or cuda is expected")
        self.key = key
        self.steps = steps
        self.device = device
        self._reference = Pipeline(key, steps)

    @property
    def content(self) -> str:
        """Digest of the files that steps read; see `Pipeline`."""
        return self._reference.content

    def __call__(self, image: Pixels, generator: np.random.Generator) -> Degraded:
        """Degrade one `uint8` RGB image `(H, W, 3)`; see `Pipeline`."""
        return self.batch([image], [generator])[0]

    def batch(self, images: Sequence[Pixels], generators: Sequence[np.random.Generator]) -> list[Degraded]:
        """Degrade images of any sizes, each with its own generator; the result of one does not depend on the others.

        Raises:
            ImageError: an image is too small for a step.
            ConfigError: the steps do not end at the reference's size, or there is no such device.
        """
        return self._apply(images, [self._reference.draw(generator) for generator in generators])

    def apply(self, image: Pixels, drawn: Mapping[str, Any]) -> Degraded:
        """Degrade an image with parameters drawn before."""
        return self._apply([image], [drawn])[0]

    def _apply(self, images: Sequence[Pixels], drawn: Sequence[Mapping[str, Any]]) -> list[Degraded]:
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("degradation.path=torch_cuda: no CUDA device here; use torch_cpu or opencv")
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        states = [torch.tensor(image, device=self.device).permute(2, 0, 1).float() for image in images]
        natives: list[torch.Tensor | None] = [None] * len(images)
        with torch.inference_mode():
            for prefix, step in zip(prefixes(self.steps), self.steps, strict=True):
                before = states
                states = self._step(step, before, [own(one, prefix) for one in drawn], sizes)
                for i, (old, new) in enumerate(zip(before, states, strict=True)):
                    if old.numel() < new.numel() and tuple(new.shape[1:]) == sizes[i]:
                        natives[i] = old
            for state, size in zip(states, sizes, strict=True):
                if tuple(state.shape[1:]) != size:
                    raise ConfigError(
                        f"degradation {self.key}: the steps end at {state.shape[2]} x {state.shape[1]} for an image of "
                        f"{size[1]} x {size[0]}; end them with restorebench.datasets.steps.Back"
                    )
            made = zip(map(_pixels, states), natives, drawn, strict=True)
            return [_degraded(lq, native, one) for lq, native, one in made]

    def _step(
        self, step: Step, images: Images, drawn: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[int, int]]
    ) -> Images:
        batched = _batched(step)
        if batched is not None:
            return batched(images, drawn, sizes)
        arrays = (image.permute(1, 2, 0).cpu().numpy() for image in images)
        made = (step.apply(np.ascontiguousarray(a), d, s) for a, d, s in zip(arrays, drawn, sizes, strict=True))
        return [_tensor(array, self.device) for array in made]


def _batched(step: Step) -> Batch | None:
    """Return the batched form of a step, or None where there is none."""
    if isinstance(step, GaussianBlur | KernelBlur | SincBlur | LineMotion | ShakeMotion):
        return lambda images, drawn, _: _blurred(images, [step.kernel(one) for one in drawn])
    if isinstance(step, Down) and step.filter in _FILTERS:
        return lambda images, drawn, _: _resized(
            images,
            [step.native((image.shape[1], image.shape[2]), one) for image, one in zip(images, drawn, strict=True)],
            step.filter,
        )
    if isinstance(step, Back) and step.filter in _FILTERS:
        # OpenCV resizes 8-bit images in whole numbers, which is where most of the difference comes from
        return lambda images, _, sizes: [
            _rounded(image) for image in _resized([_rounded(image) for image in images], sizes, step.filter)
        ]
    return None


def _blurred(images: Images, kernels: Sequence[Kernel]) -> Images:
    """Correlate each image with its own kernel by Fourier transforms; the border is mirrored without its edge."""
    import torch
    from scipy.fft import next_fast_len
    from torch.nn import functional

    found: Images = list(images)
    for (height, width, side), places in _groups(
        [(*image.shape[1:], len(k)) for image, k in zip(images, kernels, strict=True)]
    ):
        reach = side // 2
        if min(height, width) <= reach:
            raise ImageError(f"an image of {width} x {height} is too small to be blurred with {side} x {side} in torch")
        stack = functional.pad(torch.stack([images[i] for i in places]), (reach,) * 4, mode="reflect")
        shape = [next_fast_len(length, real=True) for length in stack.shape[2:]]
        weights = torch.from_numpy(np.stack([kernels[i] for i in places])).to(stack)
        spectrum = torch.fft.rfft2(stack, s=shape) * torch.fft.rfft2(weights, s=shape)[:, None].conj()
        for i, image in zip(places, torch.fft.irfft2(spectrum, s=shape)[..., :height, :width], strict=True):
            found[i] = image
    return found


def _resized(images: Images, targets: Sequence[tuple[int, int]], how: str) -> Images:
    """Resize each image to its `(height, width)`."""
    import torch
    from torch.nn import functional

    found: Images = list(images)
    for (_, _, height, width), places in _groups([(*i.shape[1:], *t) for i, t in zip(images, targets, strict=True)]):
        stack = torch.stack([images[i] for i in places])
        for i, image in zip(places, functional.interpolate(stack, (height, width), mode=how), strict=True):
            found[i] = image
    return found


def _groups(kinds: Sequence[tuple[int, ...]]) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Yield each kind and the places where it stands."""
    for kind in dict.fromkeys(kinds):
        yield kind, [i for i, one in enumerate(kinds) if one == kind]


def _rounded(image: torch.Tensor) -> torch.Tensor:
    return image.clamp(0, 255).round()


def _pixels(image: torch.Tensor) -> Pixels:
    import torch

    return np.ascontiguousarray(_rounded(image).to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def _tensor(array: Floats, device: str) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(device).permute(2, 0, 1)


def _degraded(lq: Pixels, native: torch.Tensor | None, drawn: Mapping[str, Any]) -> Degraded:
    small = None if native is None else _pixels(native)
    height, width = (lq if small is None else small).shape[:2]
    return Degraded(lq, small, {**drawn, "native_height": height, "native_width": width})
