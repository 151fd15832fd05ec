"""How these metrics are computed elsewhere, on the same files and with the same weights.

`Peers.field` is what papers do: pyiqa's metrics on one pair of files at a time, pytorch-fid, InsightFace.  `Peers.others`
is what else there is for a metric.  Networks are built at the first call; time the second.

They run in a process of their own (`Apart`), as scripts do: ours tells the C library to keep freed memory, which would
make pyiqa's SSIM five times as fast.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from restorebench.bench import weights
from restorebench.bench.metrics.face_alignment import template

Files = Sequence[Path]
Way = Callable[[Files, Files], "np.ndarray[Any, Any]"]
Moments = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
FIELD = "the field"


class Apart:
    """The peers in a process of their own, which stays until it is closed.

    Args:
        folder: an empty folder for files that peers want to read.
        threads: of torch, as many as we use.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        command = [sys.executable, __file__, str(folder), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ways: list[tuple[str, str]] = self._ask("ways")
        """Metric and library."""
        self.distances: list[str] = self._ask("distances")
        """Ways to the Frechet distance; the field's first."""

    def score(self, metric: str, library: str, restored: Files, references: Files) -> Any:
        """Return a number for each pair; of `fid` the features of both sides, the restored ones first."""
        return self._ask("score", metric, library, restored, references)

    def distance(self, name: str, features: np.ndarray[Any, Any]) -> Any:
        """Return the Frechet distance of two sets of features of equal size, one after the other."""
        return self._ask("distance", name, features)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, question: str, *arguments: object) -> Any:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        pickle.dump((question, arguments), asked)
        asked.flush()
        try:
            return pickle.load(answers)
        except EOFError:
            raise RuntimeError(f"the peers' process ended at {question} {arguments[:2]}; see above") from None


class Peers:
    """Networks of the peers, filled with our weights.

    Args:
        folder: an empty folder for files that peers want to read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def field(self) -> Mapping[str, Way]:
        """Metric -> its values of each pair as the field computes them; of `fid` the features."""
        return {
            "psnr": self._pyiqa_pairs(self.pyiqa["psnr"]),
            "ssim": self._pyiqa_pairs(self.pyiqa["ssim"]),
            "lpips_alex": self._pyiqa_pairs(self.pyiqa["lpips"]),
            "niqe": lambda restored, _: np.array([self.pyiqa["niqe"](str(path)).item() for path in restored]),
            "fid": self.features,
            "identity_cos": self.insightface,
        }

    @property
    def others(self) -> Mapping[str, Mapping[str, Way]]:
        """Metric -> other libraries' ways, by name."""
        return {
            "psnr": {"scikit-image": _skimage_psnr, "torchmetrics": _torchmetrics_psnr},
            "ssim": {"scikit-image": _skimage_ssim, "torchmetrics": _torchmetrics_ssim},
            "lpips_alex": {"lpips": self.lpips},
        }

    # -- pyiqa ----------------------------------------------------------------------------------

    @cached_property
    def pyiqa(self) -> Mapping[str, Any]:
        """pyiqa's metrics by name."""
        import pyiqa
        import scipy.io
        from torchvision import models

        with np.load(weights.path("niqe-parameters"), allow_pickle=False) as model:
            content = {"mu_prisparam": model["mu_pris_param"], "cov_prisparam": model["cov_pris_param"]}
        scipy.io.savemat(self._folder / "niqe.mat", content)
        empty = models.alexnet(weights=None)  # pyiqa would download ImageNet's weights first
        with warnings.catch_warnings(), patch("torchvision.models.alexnet", lambda **_: empty):
            warnings.simplefilter("ignore")
            made = {
                "psnr": pyiqa.create_metric("psnr", device="cpu", test_y_channel=False),
                "ssim": pyiqa.create_metric("ssim", device="cpu", test_y_channel=False),
                "niqe": pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(self._folder / "niqe.mat")),
                "lpips": pyiqa.create_metric("lpips", device="cpu", pretrained=False, pnet_rand=True),
            }
        _fill_lpips(made["lpips"].net)
        return made

    def _pyiqa_pairs(self, metric: Any) -> Way:
        return lambda restored, references: np.array(
            [metric(str(r), str(h)).item() for r, h in zip(restored, references, strict=True)]
        )

    # -- LPIPS ----------------------------------------------------------------------------------

    @cached_property
    def _lpips(self) -> Any:
        import lpips

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = lpips.LPIPS(net="alex", version="0.1", pretrained=False, pnet_rand=True, verbose=False)
        _fill_lpips(network)
        return network.eval()

    def lpips(self, restored: Files, references: Files) -> np.ndarray[Any, Any]:
        """The library `lpips`, one pair at a time, as its own script."""
        with torch.no_grad():
            return np.array(
                [self._lpips(2 * _tensor(r) - 1, 2 * _tensor(h) - 1).item() for r, h in _zip(restored, references)]
            )

    # -- Inception ------------------------------------------------------------------------------

    @cached_property
    def _inception(self) -> Any:
        from pytorch_fid import inception

        with patch.object(inception, "load_state_dict_from_url", _fid_state):
            return inception.InceptionV3([3]).eval()

    def activations(self, files: Files) -> np.ndarray[Any, Any]:
        """Features `(n, 2048)` by pytorch-fid's loop."""
        from pytorch_fid import fid_score

        fid_score.tqdm = lambda batches: batches  # no progress bar
        found: np.ndarray[Any, Any] = fid_score.get_activations(
            [str(file) for file in files], self._inception, batch_size=50, num_workers=0
        )
        return found

    def features(self, restored: Files, references: Files) -> np.ndarray[Any, Any]:
        """Features of both sides, the restored ones first."""
        return np.concatenate([self.activations(restored), self.activations(references)])

    # -- Frechet --------------------------------------------------------------------------------

    @property
    def distances(self) -> Mapping[str, Callable[[Moments, Moments], float]]:
        """Ways from mean and covariance of two sets to the distance; the field's first."""
        return {"pytorch-fid": _pytorch_fid, "torchmetrics": _torchmetrics_fid}

    # -- identity -------------------------------------------------------------------------------

    @cached_property
    def _recogniser(self) -> Any:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        return ArcFaceONNX(str(weights.path("arcface-w600k-mbf")))

    @property
    def insightface(self) -> Way:
        """Cosines of InsightFace's embeddings of faces on the FFHQ template."""
        return lambda restored, references: np.array(
            [_cosine(self._embedding(r), self._embedding(h)) for r, h in _zip(restored, references)]
        )

    def _embedding(self, file: Path) -> np.ndarray[Any, Any]:
        import cv2
        from insightface.utils.face_align import norm_crop

        image = cv2.imread(str(file))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            crop = norm_crop(image, template(image.shape[0]).astype(np.float32))
        found: np.ndarray[Any, Any] = self._recogniser.get_feat(crop)[0]
        return found


def _moments(rows: np.ndarray[Any, Any]) -> Moments:
    return rows.mean(0), np.cov(rows, rowvar=False)


def _pytorch_fid(first: Moments, second: Moments) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(calculate_frechet_distance(*first, *second))


def _torchmetrics_fid(first: Moments, second: Moments) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(*(torch.from_numpy(part) for part in (*first, *second))))


def _zip(first: Files, second: Files) -> Iterator[tuple[Path, Path]]:
    return zip(first, second, strict=True)


def _cosine(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def _array(file: Path) -> np.ndarray[Any, Any]:
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"))


def _tensor(file: Path) -> torch.Tensor:
    return torch.from_numpy(_array(file).copy()).permute(2, 0, 1)[None].float() / 255


def _skimage_psnr(restored: Files, references: Files) -> np.ndarray[Any, Any]:
    from skimage.metrics import peak_signal_noise_ratio

    return np.array([peak_signal_noise_ratio(_array(h), _array(r)) for r, h in _zip(restored, references)])


def _torchmetrics_psnr(restored: Files, references: Files) -> np.ndarray[Any, Any]:
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return np.array(
        [peak_signal_noise_ratio(_tensor(r), _tensor(h), data_range=1.0).item() for r, h in _zip(restored, references)]
    )


def _skimage_ssim(restored: Files, references: Files) -> np.ndarray[Any, Any]:
    from skimage.metrics import structural_similarity

    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    return np.array([structural_similarity(_array(h), _array(r), **settings) for r, h in _zip(restored, references)])


def _torchmetrics_ssim(restored: Files, references: Files) -> np.ndarray[Any, Any]:
    from torchmetrics.functional.image import structural_similarity_index_measure

    def score(first: torch.Tensor, second: torch.Tensor) -> float:
        _, whole = structural_similarity_index_measure(first, second, data_range=1.0, return_full_image=True)
        return float(whole[..., 5:-5, 5:-5].mean())

    return np.array([score(_tensor(r).double(), _tensor(h).double()) for r, h in _zip(restored, references)])


def _fill_lpips(network: Any) -> None:
    """Give a library's LPIPS with AlexNet the weights of the registry."""
    from restorebench.bench.metrics.lpips import Lpips

    ours = Lpips("alex")
    ours.load(torch.device("cpu"))
    network.net.load_state_dict(ours._network.state_dict())
    for layer, head in zip(network.lins, ours._heads, strict=True):
        layer.model[-1].weight.data = head.reshape(1, -1, 1, 1)


_BRANCHES = {  # names of TensorFlow's graph -> of torchvision, block by block
    "A": {"conv": "branch1x1", "tower.conv": "branch5x5_1", "tower.conv_1": "branch5x5_2"}
    | {f"tower_1.conv{s}": f"branch3x3dbl_{i}" for i, s in enumerate(("", "_1", "_2"), 1)}
    | {"tower_2.conv": "branch_pool"},
    "B": {"conv": "branch3x3"} | {f"tower.conv{s}": f"branch3x3dbl_{i}" for i, s in enumerate(("", "_1", "_2"), 1)},
    "C": {"conv": "branch1x1", "tower_2.conv": "branch_pool"}
    | {f"tower.conv{s}": f"branch7x7_{i}" for i, s in enumerate(("", "_1", "_2"), 1)}
    | {f"tower_1.conv{s}": f"branch7x7dbl_{i}" for i, s in enumerate(("", "_1", "_2", "_3", "_4"), 1)},
    "D": {"tower.conv": "branch3x3_1", "tower.conv_1": "branch3x3_2"}
    | {f"tower_1.conv{s}": f"branch7x7x3_{i}" for i, s in enumerate(("", "_1", "_2", "_3"), 1)},
    "E": {"conv": "branch1x1", "tower_conv": "branch3x3_1", "tower_2_conv": "branch_pool"}
    | {"tower_mixed_conv": "branch3x3_2a", "tower_mixed_conv_1": "branch3x3_2b"}
    | {"tower_1_conv": "branch3x3dbl_1", "tower_1_conv_1": "branch3x3dbl_2"}
    | {"tower_1_mixed_conv": "branch3x3dbl_3a", "tower_1_mixed_conv_1": "branch3x3dbl_3b"},
}
_BLOCKS = ("5b A", "5c A", "5d A", "6a B", "6b C", "6c C", "6d C", "6e C", "7a D", "7b E", "7c E")
_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
_PARTS = {
    "weight": "conv.weight",
    "beta": "bn.bias",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}


def _fid_state(*_: object, **__: object) -> dict[str, torch.Tensor]:
    """Return the state pytorch-fid downloads, from the TorchScript file of the registry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Any = torch.jit.load(str(weights.path("fid-inception")), map_location="cpu")
    ours = {name.removeprefix("net.layers."): value for name, value in scripted.state_dict().items()}
    names = {f"conv{'_' * bool(i)}{i or ''}": f"Conv2d_{stem}" for i, stem in enumerate(_STEM)}
    for number, block in enumerate(_BLOCKS):
        place, kind = block.split()
        before = f"mixed{'_' * bool(number)}{number or ''}"
        names |= {f"{before}.{a}": f"Mixed_{place}.{b}" for a, b in _BRANCHES[kind].items()}
    state = {f"{b}.{_PARTS[p]}": ours[f"{a}.{p}"] for a, b in names.items() for p in _PARTS}
    state |= {f"{b}.bn.weight": torch.ones_like(ours[f"{a}.beta"]) for a, b in names.items()}
    state |= {f"{b}.bn.num_batches_tracked": torch.tensor(0) for b in names.values()}
    return state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


def _serve(folder: Path, threads: int) -> None:
    """Answer what `Apart` asks until it stops asking."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    torch.set_num_threads(threads)
    peers = Peers(folder)
    ways = {(metric, FIELD): way for metric, way in peers.field.items()}
    ways |= {(metric, library): way for metric, others in peers.others.items() for library, way in others.items()}
    known: dict[str, Callable[..., Any]] = {
        "ways": lambda: list(ways),
        "distances": lambda: list(peers.distances),
        "score": lambda metric, library, *files: ways[metric, library](*files),
        "distance": lambda name, rows: peers.distances[name](*map(_moments, np.split(rows, 2))),
    }
    while True:
        try:
            question, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(known[question](*arguments), answers)
        answers.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
