"""DFDNet on aligned faces of 512 x 512, with its dictionary of eyes, noses and mouths.

Li et al., ECCV 2020; csxmli2016/DFDNet, commit df949706b7296e6af9aa8a07a2176dbd9d268022.
The official script never calls `eval()`: each call changes the spectral normalisation, so that its results depend on
how many images came before.  This adapter evaluates, so that they do not.
Memory: the 16 dictionary files, 3.2 GB with 512 entries each, stay loaded; the peak for one image with them is 4.4 GiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..bench.api import Batch, Card
from ..bench.checkpoint import load_strict
from ..bench.errors import WeightsError
from ..bench.images import to_pixels
from ..bench.spec import Location
from .landmarks import Dlib68, as_points, landmarks_digest, part_boxes, read_landmarks
from .learned import Learned
from .resizing import pillow_resized

if TYPE_CHECKING:
    import torch

    from .networks.dfdnet import Box, Dictionary

_PREDICTOR = "dlib-68-landmarks"
_PARTS = ("left_eye", "right_eye", "nose", "mouth")
_SCALES = (256, 128, 64, 32)
_ENTRIES = [(part, scale) for part in _PARTS for scale in _SCALES]
_UNUSED = frozenset(f"VggExtract.model.classifier.{layer}.{kind}" for layer in (0, 3, 6) for kind in ("weight", "bias"))
"""VGG's classifier, 0.5 GB, which the official class saves and never calls."""


class DFDNet(Learned):
    """DFDNet.

    Landmarks of an image are, in this order: `landmarks` in the sample's meta (68 pairs x, y), the file of the
    folder `landmarks`, or what dlib finds in the LQ.

    Args:
        checkpoint: a file of one's own; None for the official one.
        dictionary: folder with the 16 files `<part>_<scale>_center.npy`; None for the official ones.
        landmarks: folder with `<image file name>.txt` per image, pixels of the 512 x 512 face; None for dlib.  What the
            files hold is part of the restorer's identity, where they lie is not.
    """

    side: ClassVar[int] = 512
    entry = "dfdnet/generator"
    card = Card(
        name="DFDNet",
        paper="Li et al., Blind Face Restoration via Deep Multi-scale Component Dictionaries, ECCV 2020",
        task="face restoration",
        alignment="ffhq_512",
        final_resize="bicubic",
        quantise="truncate",  # as the official script saves
        code_licence="Apache-2.0, written from the paper; landmarks dlib, Boost",
        weights_licence="none given of their own; the code's README says CC-BY-NC-SA-4.0",
        uses_meta=("landmarks",),
        trained_on=("FFHQ",),
        losses=("MSE", "VGG19 perceptual", "GAN"),
        knobs={
            "checkpoint": "generator of one's own",
            "dictionary": "folder of dictionary files",
            "landmarks": "folder of landmark files instead of dlib",
            "evaluation mode": "always; the official script is not in it, so that its results drift",
        },
    )

    def __init__(
        self,
        checkpoint: Location | None = None,
        dictionary: Location | None = None,
        landmarks: Location | None = None,
    ) -> None:
        super().__init__(checkpoint)
        files: dict[str, str | None] = {
            f"dfdnet/{part}_{scale}": dictionary and str(Path(dictionary) / f"{part}_{scale}_center.npy")
            for part, scale in _ENTRIES
        }
        predictor: dict[str, str | None] = {} if landmarks else {_PREDICTOR: None}
        self.weights = {self.entry: checkpoint, **files, **predictor}
        self._landmarks = Path(landmarks).expanduser() if landmarks else None
        self._dictionary: Dictionary = {}
        self._dlib: Dlib68 | None = None

    @cached_property
    def content(self) -> str:
        """Digest of the landmark files; empty without.

        Raises:
            ConfigError: the folder is not there, or holds no landmark files.
        """
        return "" if self._landmarks is None else landmarks_digest(self._landmarks)

    def build(self) -> torch.nn.Module:
        """Return the network with the official settings."""
        from .networks import dfdnet

        return dfdnet.DFDNet()

    def fill(self, network: torch.nn.Module, state: Mapping[str, torch.Tensor], what: str) -> torch.nn.Module:
        """Give the network the tensors of an official file, which may hold VGG's unused classifier.

        Raises:
            WeightsError: names or shapes differ.
        """
        return load_strict(network, {name: value for name, value in state.items() if name not in _UNUSED}, what)

    def load(self, device: torch.device) -> None:
        """Build the network and the dictionary on `device`, and the landmark predictor.

        Raises:
            WeightsError: a file cannot be had, or is not what its name says.
            RestorerError: dlib is needed and not installed.
        """
        from ..bench.weights import resolve

        super().load(device)
        files = resolve(self.weights)
        self._dictionary = {
            (part, scale): read_entries(files[f"dfdnet/{part}_{scale}"].path, part, scale).to(device)
            for part, scale in _ENTRIES
        }
        if self._landmarks is None:
            self._dlib = Dlib68(files[_PREDICTOR].path)

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Bring faces of any size to 512 x 512 as the official script does."""
        return pillow_resized(images, (self.side, self.side), "bicubic")

    def forward(self, network: torch.nn.Module, images: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Find the parts of `(B, 3, 512, 512)` in `[-1, 1]`, then restore."""
        boxes = [self._boxes(images, index, batch) for index in range(len(images))]
        restored: torch.Tensor = network(images, boxes, self._dictionary)
        return restored

    def _boxes(self, images: torch.Tensor, index: int, batch: Batch) -> Mapping[str, Box]:
        sample_id, meta = batch.ids[index], batch.meta[index]
        if "landmarks" in meta:
            return part_boxes(as_points(meta["landmarks"], f"meta of {sample_id}"))
        if self._landmarks is not None:
            return part_boxes(read_landmarks(self._landmarks, sample_id))
        assert self._dlib is not None
        (face,) = to_pixels(images[index : index + 1] * 0.5 + 0.5)
        return part_boxes(self._dlib(face, aligned=meta.get("alignment") != "none"))


def read_entries(path: Path, part: str, scale: int) -> torch.Tensor:
    """Read one dictionary file.

    Returns:
        Entries `(K, C, s, s)`, every channel with mean 0 and deviation 1.

    Raises:
        WeightsError: the file is damaged, or its rows are not of this part and scale.
    """
    import torch

    from .networks.dfdnet import entry_shape, normalise_

    shape = entry_shape(part, scale)
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as an array of numbers ({error})") from None
    if rows.ndim < 2 or len(rows) == 0 or int(np.prod(rows.shape[1:])) != int(np.prod(shape)):
        raise WeightsError(
            f"{path}: shape {rows.shape}, expected (K, {int(np.prod(shape))}): entries of {part} at {scale}"
        )
    return normalise_(torch.from_numpy(np.array(rows, dtype=np.float32)).reshape(-1, *shape))
