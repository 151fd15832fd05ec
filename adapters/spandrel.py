"""Any checkpoint that the library spandrel recognises; what it is comes from the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..bench.api import Batch, Card, Weights
from ..bench.errors import ConfigError, RestorerError
from ..bench.spec import Location

if TYPE_CHECKING:
    import torch

Task = Literal["face restoration", "super-resolution", "denoising", "photo enhancement"]

_TASK: Mapping[str, Task] = {"FaceSR": "face restoration", "SR": "super-resolution", "Restoration": "denoising"}
_FACES = (512, 512)
"""Faces: the descriptors allow more sizes, but GFP-GAN and CodeFormer run at this one only."""


class Spandrel:
    """A network of spandrel (https://github.com/chaiNNer-org/spandrel) with a checkpoint of one's own.

    Scale, purpose and sizes come from the file.  Networks that work on `[-1, 1]` although their descriptor passes
    `[0, 1]` (GFP-GAN, CodeFormer) are called with their own range, and GFP-GAN with its stored noise.

    Args:
        checkpoint: `.pth`, `.pt`, `.ckpt` or `.safetensors`; read by spandrel's restricted unpickler.
        name: heading in tables; None takes the architecture and the file's name.
        task: what it is for; None takes the descriptor's purpose (`Restoration` counts as denoising).
        weights_licence: of the file.
        trained_on: data sets, to flag leakage.
        losses: training losses, to flag metrics that share them.
    """

    version = 1

    def __init__(
        self,
        checkpoint: Location,
        name: str | None = None,
        task: Task | None = None,
        weights_licence: str = "unknown",
        trained_on: tuple[str, ...] = (),
        losses: tuple[str, ...] = (),
    ) -> None:
        self.checkpoint, self._name, self._task = checkpoint, name, task
        self._facts: dict[str, Any] = {
            "weights_licence": weights_licence,
            "trained_on": tuple(trained_on),
            "losses": tuple(losses),
        }
        self.weights: Weights = {"checkpoint": checkpoint}
        self._descriptor: Any = None
        self._call: Callable[[torch.Tensor], torch.Tensor] | None = None

    @property
    def card(self) -> Card:
        """The card of the checkpoint, read once; where there is no file yet, what is common to all.

        Raises:
            ConfigError: spandrel does not recognise the file.
        """
        path = Path(self.checkpoint).expanduser()
        if path.is_file():
            card = _card(path, path.stat().st_mtime_ns)
        else:
            card = Card("spandrel", "whatever the checkpoint is", "super-resolution", code_licence="MIT and others")
        return replace(card, name=self._name or card.name, task=self._task or card.task, **self._facts)

    def load(self, device: torch.device) -> None:
        """Build the network on `device`.

        Raises:
            ConfigError: spandrel does not recognise the file.
        """
        from ..bench.weights import resolve

        self._descriptor = _descriptor(resolve(self.weights)["checkpoint"].path).to(device).eval()
        self._call = _call(self._descriptor)

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, scale * H, scale * W)`; a network of one channel gets red, green and blue in turn."""
        import torch

        if self._call is None:
            raise RestorerError(f"{self.card.name}: restore was called before load")
        results = []
        with torch.inference_mode():
            for image in torch.split(batch.images, 1):
                planes = image.transpose(0, 1) if self._descriptor.input_channels == 1 else image
                parts = [self._call(plane) for plane in torch.split(planes, 1)]
                results.append(torch.cat(parts, dim=1))
        return torch.cat(results)


def _descriptor(path: Path) -> Any:
    """Return spandrel's descriptor of a file.

    Raises:
        ConfigError: it is not recognised, does not fit its architecture, or does not map images to images.
    """
    import spandrel
    import spandrel_extra_arches

    spandrel_extra_arches.install(ignore_duplicates=True)
    try:
        found = spandrel.ModelLoader("cpu").load_from_file(path)
    except spandrel.UnsupportedModelError:
        raise ConfigError(
            f"spandrel: {path} is of no architecture that spandrel {spandrel.__version__} knows"
        ) from None
    except Exception as error:  # damaged files and near misses raise nearly anything
        reason = (str(error).strip().splitlines() or ["no message"])[0]
        raise ConfigError(f"spandrel: {path} cannot be loaded ({type(error).__name__}: {reason})") from None
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ConfigError(f"spandrel: {path} is a {found.architecture.name} for {found.purpose}, which needs a mask")
    if found.input_channels not in (1, 3) or found.input_channels != found.output_channels:
        channels = f"{found.input_channels} channels in, {found.output_channels} out"
        raise ConfigError(f"spandrel: {path} takes {channels}; expected RGB or gray")
    return found


@lru_cache(maxsize=8)
def _card(path: Path, modified: int) -> Card:  # noqa: ARG001 - the time is part of the key
    found = _descriptor(path)
    architecture = found.architecture
    return Card(
        name=f"{architecture.name} {path.stem}",
        paper=f"{architecture.name}, as in spandrel",
        task=_TASK[found.purpose],
        input="native" if found.scale > 1 else "lq",
        size=_FACES if found.purpose == "FaceSR" else None,
        scale=found.scale,
        bring_down="bilinear" if found.purpose == "FaceSR" else "area",
        final_resize="bilinear" if found.purpose == "FaceSR" else "lanczos" if found.scale > 1 else None,
        code_licence="S-Lab License 1.0, non-commercial" if architecture.id == "CodeFormer" else "see spandrel",
        knobs={"checkpoint": "the file"},
    )


def _call(found: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return how to run a network on `[0, 1]`.

    Source of the exceptions: the networks' own scripts; measured against them, the descriptors of spandrel 0.4.2
    and spandrel_extra_arches 0.2.0 are off by 0.34 and 0.37 on average.
    """
    settings: dict[str, dict[str, Any]] = {
        "GFPGAN": {"return_rgb": False, "randomize_noise": False},
        "CodeFormer": {"weight": 0.5},
    }
    if found.architecture.id not in settings:
        return found  # type: ignore[no-any-return]
    keywords = settings[found.architecture.id]
    return lambda image: found.model(image * 2 - 1, **keywords)[0] * 0.5 + 0.5
