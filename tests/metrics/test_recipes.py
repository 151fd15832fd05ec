"""PSNR and SSIM of the field's scripts, against NumPy and OpenCV statements of what those scripts do, and pyiqa."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics.recipes import RecipePsnr


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """Images on the 0-255 scale."""
    error = np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2)
    return float(20 * np.log10(255 / np.sqrt(error)))


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """MATLAB's, channel by channel with a full 2-D window, on the 0-255 scale."""
    taps = cv2.getGaussianKernel(11, 1.5)
    window = taps @ taps.T

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.filter2D(values, -1, window)[5:-5, 5:-5]

    values = []
    planes = (np.moveaxis(side.astype(np.float64), 2, 0) for side in (image, reference))
    for x, y in zip(*planes, strict=True):
        a, b = mean(x), mean(y)
        top = (2 * a * b + 6.5025) * (2 * (mean(x * y) - a * b) + 58.5225)
        values.append(np.mean(top / ((a**2 + b**2 + 6.5025) * (mean(x * x) - a**2 + mean(y * y) - b**2 + 58.5225))))
    return float(np.mean(values))


def corrected(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """VQFR's correct_mean_var."""
    image = image.copy()
    for channel in range(3):
        part, target = image[..., channel], reference[..., channel]
        for _ in range(2):
            part = part - part.mean() + target.mean()
            part = part / part.std() * target.std()
        image[..., channel] = part
    return image


def matlab_y(image: np.ndarray) -> np.ndarray:
    """Y of an 8-bit RGB image."""
    return image.astype(np.float64) @ np.array([65.481, 128.553, 24.966])[:, None] / 255 + 16


def arrays(pairs: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(*(to_pixels(images) for images in pairs), strict=True))


def cut(image: np.ndarray) -> np.ndarray:
    return image[4:-4, 4:-4]


SCRIPTS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "psnr_vqfr": lambda x, y: psnr(corrected(x.astype(float), y.astype(float)), y),
    "ssim_vqfr": lambda x, y: ssim(corrected(x.astype(float), y.astype(float)), y),
    "psnr_basicsr": lambda x, y: psnr(cut(x), cut(y)),
    "ssim_basicsr": lambda x, y: ssim(cut(x), cut(y)),
    "psnr_basicsr_y": lambda x, y: psnr(cut(matlab_y(x)), cut(matlab_y(y))),
    "ssim_basicsr_y": lambda x, y: ssim(cut(matlab_y(x)), cut(matlab_y(y))),
    "psnr_pmrf": lambda x, y: -10 * np.log10(np.mean(((x.astype(float) - y) / 255) ** 2) + 1e-8),
    # RestoreFormer, PMRF's SSIM and Deep Photo Enhancer are our own PSNR and SSIM
    "psnr": psnr,
    "ssim": ssim,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_values_are_the_scripts_on_faces(name: str, score: Callable[..., Any], face_pairs: Any) -> None:
    pairs = type(face_pairs)(*(images[:, :, 60:400, 90:420].contiguous() for images in face_pairs))
    pairs = type(face_pairs)(pairs.restored * 0.8 + 0.05, pairs.reference)  # darker and flatter: colours to match
    pairs = type(face_pairs)(pairs.restored.mul(255).round().div(255), pairs.reference)
    expected = [SCRIPTS[name](*pair) for pair in arrays(pairs)]
    np.testing.assert_allclose(score(name, pairs)[name], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("name", "peer"), [("psnr_pyiqa", "psnr"), ("psnr_pyiqa_y", "psnry"), ("ssim_pyiqa", "ssim")])
@pytest.mark.parametrize("kind", ["crops", "noise"])
def test_values_are_pyiqas_defaults(
    name: str, peer: str, kind: str, score: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    import pyiqa

    pairs = request.getfixturevalue(kind)
    metric = pyiqa.create_metric(peer, device=torch.device("cpu"))
    expected = torch.stack([metric(x[None], y[None]).double().reshape(-1)[0] for x, y in zip(*pairs, strict=True)])
    np.testing.assert_allclose(score(name, pairs)[name], expected, rtol=0, atol=2e-5)


def test_matched_colours_forgive_what_the_standard_metric_counts(score: Callable[..., Any], crops: Any) -> None:
    tinted = type(crops)(crops.reference * 0.5 + 0.2, crops.reference)
    assert score("psnr", tinted)["psnr"].max() < 30
    assert score("psnr_vqfr", tinted)["psnr_vqfr"].min() > 80


def test_deep_photo_enhancers_rounding_is_that_of_our_files(score: Callable[..., Any], faces: torch.Tensor) -> None:
    # tf.round takes halves to even, and so do the 8-bit files that are scored
    halves = (torch.arange(256 * 3).reshape(1, 3, 16, 16) % 255 + 0.5) / 255
    expected = np.round(np.clip(halves.numpy(), 0, 1) * np.float32(255)).astype(np.uint8)
    assert np.array_equal(to_pixels(halves)[0], expected[0].transpose(1, 2, 0))


def test_what_differs_has_an_identity_and_a_column_of_its_own(metric: Callable[[str], Any]) -> None:
    names = [*SCRIPTS, "psnr_pyiqa", "psnr_pyiqa_y", "ssim_pyiqa"]
    assert len({metric(name).identity for name in names}) == len(names)
    assert [metric(name).columns[0].name for name in names] == names


def test_a_negative_border_or_an_image_that_is_all_border_is_refused(score: Callable[..., Any], crops: Any) -> None:
    with pytest.raises(ConfigError, match="border is -1"):
        RecipePsnr("odd", border=-1)
    small = type(crops)(*(images[:, :, :18, :30] for images in crops))
    with pytest.raises(ImageError, match="ssim_basicsr needs at least 19 x 19"):
        score("ssim_basicsr", small)
