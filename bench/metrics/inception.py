"""Features of the Inception-v3 network that FID and KID are defined on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ..api import Weights
from ..spec import Location
from .precision import Precision, computing_in, stated

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn

    from .inception_network import InceptionPool

Resize = Literal["legacy", "clean"]

_SIDE = 299
_PREPROCESSING: Mapping[Resize, str] = {
    "legacy": "resize=bilinear299,antialias=no,range=[-1,1]",
    "clean": "resize=bicubic299,antialias=pillow,clip=0-255,range=(x-128)/128",
}


class InceptionFeatures:
    """The 2048 pool features of TensorFlow's inception-2015-12-05, as FID uses them.

    `legacy` equals pytorch-fid: bilinear to 299 x 299 without antialiasing, `2 x - 1`.  `clean` equals clean-fid
    (Parmar, Zhang, Zhu, CVPR 2022): Pillow's bicubic filter on float channels, `(x - 128) / 128` on the 0-255 scale.
    """

    version = 1

    def __init__(
        self, resize: Resize = "legacy", checkpoint: Location | None = None, precision: Precision = "float32"
    ) -> None:
        """Choose the preprocessing.

        Args:
            resize: filter before the network.
            checkpoint: replaces the registry's TorchScript file.
            precision: `bfloat16` is faster where the device has it, and gives other features: the identity says so.
        """
        self.resize: Resize = resize
        self.precision: Precision = precision
        self.identity = f"inception(2015-12-05,layer=pool2048,{_PREPROCESSING[resize]}{stated(precision)})"
        self.weights: Weights = {"fid-inception": checkpoint}

    def load(self, device: torch.device) -> None:
        """Build the network on `device`."""
        import torch

        from ..weights import resolve

        (weight,) = resolve(self.weights).values()
        self._network = load_network(weight.path).to(device).to(memory_format=torch.channels_last)

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return `(B, 2048)` `float32` features of images `(B, 3, H, W)` in `[0, 1]`."""
        import torch

        images = images.contiguous(memory_format=torch.channels_last)  # the resize is three times as fast on it
        inputs = preprocess(images, self.resize).contiguous(memory_format=torch.channels_last)
        with computing_in(self.precision, images.device):
            features: torch.Tensor = self._network(inputs)
        return features.float()


def preprocess(images: torch.Tensor, resize: Resize) -> torch.Tensor:
    """Resize images in `[0, 1]` to 299 x 299 and bring them to the range of the network."""
    from torch.nn import functional

    size = (_SIDE, _SIDE)
    if resize == "legacy":
        return 2 * functional.interpolate(images, size, mode="bilinear", align_corners=False) - 1
    # torch's antialiased bicubic is Pillow's filter (a = -0.5), in double precision equal to it; in single it is
    # off by up to 0.004 of 255.  Overshoot is clipped, as in clean-fid.
    scaled = functional.interpolate(images.double() * 255, size, mode="bicubic", align_corners=False, antialias=True)
    return ((scaled.clamp_(0, 255) - 128) / 128).float()


def load_network(file: Path) -> InceptionPool:
    """Read the weights out of the TorchScript file into a plain module, which gives equal bytes at every call.

    A scripted module is optimised while it runs, so that its first results may differ in the last bits.
    """
    import warnings

    import torch

    from .inception_network import InceptionPool

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit is deprecated; only tensors are taken from it
        scripted: nn.Module = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]
    state = {name.removeprefix("net.layers."): value for name, value in scripted.state_dict().items()}
    return InceptionPool(state).eval()
