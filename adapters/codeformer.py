"""CodeFormer on aligned faces of 512 x 512.

Zhou et al., NeurIPS 2022; sczhou/CodeFormer, commit b33cc7d639d6545bfcccc7e0bc6ae51f24e79c2b, `--has_aligned`.
Peak memory for one image: 1.1 GiB with the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..bench.api import Batch, Card
from ..bench.errors import ConfigError
from ..bench.images import Pixels, to_pixels
from ..bench.spec import Location
from .learned import Learned

if TYPE_CHECKING:
    import torch

_GRAY_THRESHOLD = 10  # inference_codeformer.py, is_gray(img, threshold=10)
_LUMA = (0.2989, 0.5870, 0.1140)  # facelib/utils/misc.py


class CodeFormer(Learned):
    """CodeFormer.

    Args:
        checkpoint: a file of one's own; None for the official one.
        fidelity: w of the paper: 0 the finest face, 1 the closest to the input.
        adain: give the looked-up latents the mean and deviation of the input's, as the official script does.
        gray: keep nearly gray inputs gray, as the official script does.

    Raises:
        ConfigError: `fidelity` is outside 0 to 1.
    """

    entry = "codeformer"
    holders = ("params_ema",)
    card = Card(
        name="CodeFormer",
        paper="Zhou et al., Towards Robust Blind Face Restoration with Codebook Lookup Transformer, NeurIPS 2022",
        task="face restoration",
        alignment="ffhq_512",
        size=(512, 512),
        bring_down="bilinear",  # inference_codeformer.py, cv2.resize with INTER_LINEAR
        final_resize="bilinear",
        code_licence="Apache-2.0; the network's layers (spandrel_extra_arches) S-Lab 1.0, non-commercial",
        weights_licence="S-Lab License 1.0, non-commercial",
        trained_on=("FFHQ",),
        losses=("L1", "LPIPS (VGG)", "GAN", "code cross-entropy"),  # options/CodeFormer_stage{2,3}.yml
        knobs={
            "checkpoint": "weights of one's own",
            "fidelity": "w: 0 the finest face, 1 the closest to the input",
            "adain": "colour statistics of the input's latents",
            "gray": "nearly gray inputs stay gray",
        },
    )

    def __init__(
        self, checkpoint: Location | None = None, fidelity: float = 0.5, adain: bool = True, gray: bool = True
    ) -> None:
        if not 0 <= fidelity <= 1:
            raise ConfigError(f"codeformer: fidelity is {fidelity}; give 0 (finest) to 1 (closest to the input)")
        super().__init__(checkpoint)
        self._fidelity, self._adain, self._gray = fidelity, adain, gray

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings, which are the library's defaults."""
        from .networks import codeformer

        return codeformer.build()

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Encode, look up, decode; nearly gray inputs give gray faces."""
        from .networks import codeformer

        encoded = codeformer.encode(network, images)
        codes = codeformer.predict_codes(network, encoded.latent)
        restored = codeformer.decode(network, codes, encoded, self._fidelity, self._adain)
        return _keep_gray(restored, batch.images) if self._gray else restored


def _keep_gray(restored: torch.Tensor, lq: torch.Tensor) -> torch.Tensor:
    """Apply the official gray rule to `(B, 3, H, W)` in `[-1, 1]` by their inputs in `[0, 1]`."""
    import torch

    faces = list(restored)
    for index, source in enumerate(to_pixels(lq)):
        if is_gray(source):
            (face,) = to_pixels(restored[index : index + 1] * 0.5 + 0.5)
            levels = np.clip(gray_like(face, source), 0, 255) / 127.5 - 1
            faces[index] = torch.from_numpy(levels).permute(2, 0, 1).to(restored)
    return torch.stack(faces)


def is_gray(image: Pixels, threshold: float = _GRAY_THRESHOLD) -> bool:
    """Say whether the three channels of an image `(H, W, 3)` differ by a nearly constant amount.

    The differences' variances, averaged, are at most `threshold` (squared 8-bit levels).
    Source: `is_gray` in facelib/utils/misc.py of the official repository.
    """
    red, green, blue = (image[:, :, channel].astype(np.int16) for channel in range(3))
    return bool((np.var(red - green) + np.var(green - blue) + np.var(blue - red)) / 3 <= threshold)


def gray_like(face: Pixels, source: Pixels) -> NDArray[np.float64]:
    """Return a face turned to gray, with the per-channel mean and deviation of its input.

    Returns:
        8-bit levels `(H, W, 3)`, neither rounded nor clipped; saving them does both.
        Source: `bgr2gray` and `adain_npy` in facelib/utils/misc.py of the official repository.
    """
    gray = np.repeat((face @ np.array(_LUMA))[:, :, None], 3, axis=2)
    normalised = (gray - gray.mean((0, 1))) / np.sqrt(gray.var((0, 1)) + 1e-5)
    return np.asarray(normalised * np.sqrt(source.var((0, 1)) + 1e-5) + source.mean((0, 1)))
