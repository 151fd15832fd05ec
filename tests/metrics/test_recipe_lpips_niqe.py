"""LPIPS of RestoreFormer's script and NIQE of BasicSR's, against the libraries fed as those scripts feed them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench.errors import ConfigError, ImageError
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics.recipe_niqe import RecipeNiqe


@pytest.mark.parametrize(("name", "stretch"), [("lpips_restoreformer", True), ("lpips_restoreformer_01", False)])
def test_lpips_is_the_librarys_of_images_blue_first(
    name: str, stretch: bool, metric: Callable[[str], Any], score: Callable[..., Any], crops: Any
) -> None:
    import lpips

    heads = torch.load(Path(lpips.__file__).parent / "weights" / "v0.1" / "vgg.pth", map_location="cpu")
    with torch.device("meta"):
        peer = lpips.LPIPS(net="vgg", version="0.1", pretrained=False, pnet_rand=True, verbose=False)
    peer.net.load_state_dict(metric(name)._plain._network.state_dict(), assign=True)
    peer.load_state_dict(heads, strict=False, assign=True)
    peer.scaling_layer = lpips.ScalingLayer()
    sides = [images[:2, [2, 1, 0]] for images in crops]
    expected = peer(*(2 * side - 1 if stretch else side for side in sides)).flatten()
    pairs = type(crops)(*(images[:2] for images in crops))
    np.testing.assert_allclose(score(name, pairs)[name], expected, atol=1e-6)


@pytest.mark.parametrize(("name", "border"), [("niqe_vqfr", 0), ("niqe_basicsr", 4)])
def test_niqe_is_pyiqas_on_matlabs_y(
    name: str, border: int, metric: Callable[[str], Any], score: Callable[..., Any], face_pairs: Any
) -> None:
    from pyiqa.archs.niqe_arch import calculate_niqe

    built, images = metric(name), face_pairs.restored
    model = {"mu_pris_param": built._mean, "cov_pris_param": built._covariance}
    expected = calculate_niqe(images, crop_border=border, color_space="ycbcr", **model).reshape(-1)
    values = score(name, type(face_pairs)(images, images))[name]
    np.testing.assert_allclose(values, expected, atol=5e-3)  # a few pixels between two whole numbers go the other way
    assert (values - score("niqe", type(face_pairs)(images, images))["niqe"]).abs().min() > 1e-3


def test_its_luma_is_basicsrs_on_every_pixel(metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    def to_y_channel(image: np.ndarray) -> np.ndarray:
        """Of 8-bit RGB: a product in double precision, stored in single, between 0 and 1."""
        scaled = image.astype(np.float32) / 255.0
        y = (np.dot(scaled, [65.481, 128.553, 24.966]) + 16.0) / 255.0
        return (y.astype(np.float32) * 255.0).round()

    expected = np.stack([to_y_channel(image) for image in to_pixels(faces)])
    assert (metric("niqe_vqfr")._gray(faces).numpy() != expected).mean() < 1e-5


def test_a_border_that_leaves_no_block_is_refused(score: Callable[..., Any], noise: Any) -> None:
    small = type(noise)(*(images[..., :103, :110] for images in noise))
    with pytest.raises(ImageError, match="96 x 96"):
        score("niqe_basicsr", small)
    with pytest.raises(ConfigError, match="border is -4"):
        RecipeNiqe("odd", border=-4)
