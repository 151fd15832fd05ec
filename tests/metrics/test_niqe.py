"""NIQE against pyiqa with the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench.errors import ImageError
from restorebench.bench.metrics import natural_scenes
from restorebench.bench.metrics.niqe import luma


def _pyiqa(metric: Any, images: torch.Tensor) -> torch.Tensor:
    from pyiqa.archs.niqe_arch import calculate_niqe

    return calculate_niqe(images, mu_pris_param=metric._mean, cov_pris_param=metric._covariance).reshape(-1)


@pytest.mark.parametrize("side", ["restored", "reference"])
@pytest.mark.parametrize("kind", ["calibration", "face_pairs", "noise"])
def test_it_equals_pyiqa_with_the_same_parameters(
    kind: str, side: str, metric: Callable[[str], Any], score: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    pairs = request.getfixturevalue(kind)
    images = getattr(pairs, side)
    values = score("niqe", type(pairs)(images, images))["niqe"]
    np.testing.assert_allclose(values, _pyiqa(metric("niqe"), images), atol=1e-3)


def test_undistorted_photos_get_their_known_values(score: Callable[..., Any], calibration: Any) -> None:
    # the "org" release's published values where the flat parts of a picture do not decide
    values = score("niqe", calibration)["niqe"]
    np.testing.assert_allclose(values[1:4], [3.6549, 3.2355, 3.1840], atol=1e-2)


def test_luma_goes_pyiqas_way_on_every_tie(faces: torch.Tensor) -> None:
    from pyiqa.utils.color_util import to_y_channel

    assert torch.equal(luma(faces), to_y_channel(faces, 255)[:, 0].round().double())


def test_the_torch_filters_are_opencvs(faces: torch.Tensor) -> None:
    gray = luma(faces[:1])
    margin = 3
    padded = torch.nn.functional.pad(gray[:, None], (margin,) * 4, mode="replicate")
    by_torch = natural_scenes._separable(padded, natural_scenes._gaussian(), stride=1)[:, 0]
    torch.testing.assert_close(by_torch, natural_scenes._blurred(gray), rtol=0, atol=1e-10)


def test_blocks_of_an_image_are_found_whatever_exceeds_them(score: Callable[..., Any], faces: torch.Tensor) -> None:
    whole, ragged = faces[:1, :, :288, :384], faces[:1, :, :370, :400]
    assert torch.equal(_niqe(score, whole), _niqe(score, ragged))


def _niqe(score: Callable[..., Any], images: torch.Tensor) -> torch.Tensor:
    return score("niqe", SimpleNamespace(restored=images, reference=images))["niqe"]


def test_an_image_without_a_whole_block_is_refused(score: Callable[..., Any], noise: Any) -> None:
    assert _niqe(score, noise.restored[..., :96, :96]).isfinite().all()
    with pytest.raises(ImageError, match="NIQE needs at least 96 x 96 pixels, this image has 96 x 95"):
        _niqe(score, noise.restored[..., :95, :96])


def test_a_flat_image_is_a_miss(score: Callable[..., Any], noise: Any) -> None:
    flat = torch.full((1, 3, 201, 187), 0.5)
    values = _niqe(score, torch.cat([flat, noise.restored[:1]]))
    assert values.isnan().tolist() == [True, False]
