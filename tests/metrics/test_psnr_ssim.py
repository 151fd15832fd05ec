"""PSNR, SSIM and MS-SSIM against the implementations they must equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench.errors import ImageError
from restorebench.bench.metrics import structure

KINDS = ("noise", "crops", "calibration")


def _arrays(pairs: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs as `float64` `(H, W, 3)`."""
    sides = [images.double().permute(0, 2, 3, 1).numpy() for images in pairs]
    return list(zip(*sides, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_psnr_is_scikit_images(kind: str, score: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    pairs = request.getfixturevalue(kind)
    expected = [peak_signal_noise_ratio(reference, restored, data_range=1) for restored, reference in _arrays(pairs)]
    np.testing.assert_allclose(score("psnr", pairs)["psnr"], expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_ssim_is_scikit_images_wang_form(kind: str, score: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    from skimage.metrics import structural_similarity

    pairs = request.getfixturevalue(kind)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    expected = [structural_similarity(*pair, channel_axis=2, **settings) for pair in _arrays(pairs)]
    np.testing.assert_allclose(score("ssim", pairs)["ssim"], expected, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_ssim_is_torchmetrics_map_without_its_border(
    kind: str, score: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    whole_pairs = request.getfixturevalue(kind)
    pairs = type(whole_pairs)(
        *(images[:2, :, :120, :130] for images in whole_pairs)
    )  # torchmetrics takes seconds for more
    _, whole = structural_similarity_index_measure(
        pairs.restored.double(), pairs.reference.double(), data_range=1.0, sigma=1.5, return_full_image=True
    )
    expected = whole[..., 5:-5, 5:-5].mean((1, 2, 3))
    np.testing.assert_allclose(score("ssim", pairs)["ssim"], expected, atol=1e-5)


def test_ms_ssim_of_gray_images_is_pyiqas(score: Callable[..., Any], face_pairs: Any) -> None:
    # of gray images, because pyiqa averages colours before the product of the scales; to 1e-5, because it also cuts
    # off negative contrast-structure place by place and rounds the window to single precision
    from pyiqa.archs.ssim_arch import ms_ssim

    gray = type(face_pairs)(*(images[:, 1:2, :256, :272] for images in face_pairs))
    expected = ms_ssim(gray.restored.double() * 255, gray.reference.double() * 255, data_range=255)
    colour = type(face_pairs)(*(images.expand(-1, 3, -1, -1) for images in gray))
    np.testing.assert_allclose(score("ms_ssim", colour)["ms_ssim"], expected, atol=1e-5)


def test_both_kernels_agree(face_pairs: Any) -> None:
    images = face_pairs.restored[:2].double()
    torch.testing.assert_close(structure._means_torch(images), structure._means_opencv(images), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "side"), [("ssim", 11), ("ms_ssim", 176)])
def test_an_image_smaller_than_the_window_is_refused_with_both_sizes(
    name: str, side: int, score: Callable[..., Any], noise: Any
) -> None:
    fits, too_small = (type(noise)(*(images[..., :s, :180] for images in noise)) for s in (side, side - 1))
    assert score(name, fits)[name].isfinite().all()
    with pytest.raises(ImageError, match=f"needs at least {side} x {side} pixels, this image has 180 x {side - 1}"):
        score(name, too_small)
