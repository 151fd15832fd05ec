"""Inception features against the scripted network they come from, and both resizes against their libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from restorebench.bench import weights
from restorebench.bench.images import to_pixels
from restorebench.bench.metrics.inception import preprocess


def test_features_are_those_of_the_scripted_network(metric: Callable[[str], Any], calibration: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scripted = torch.jit.load(str(weights.path("fid-inception")))
    images = calibration.restored[:3]
    features = metric("fid").extractor.extract(images)
    assert (features.dtype, features.shape) == (torch.float32, (3, 2048))
    torch.testing.assert_close(features, scripted(preprocess(images, "legacy")), rtol=1e-4, atol=2e-5)


def test_features_have_equal_bytes_at_every_call(metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    extractor = type(metric("fid").extractor)("legacy")
    extractor.load(torch.device("cpu"))  # fresh: the first calls of an optimising runtime would differ
    first, *others = (extractor.extract(faces[:2]) for _ in range(4))
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("name", ["fid", "fid_clean"])
def test_features_do_not_depend_on_batch_mates(name: str, metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    extract = metric(name).extractor.extract
    torch.testing.assert_close(
        extract(faces[:4]), torch.cat([extract(f[None]) for f in faces[:4]]), rtol=1e-5, atol=1e-6
    )


def test_legacy_is_the_resize_inside_pytorch_fid(noise: Any) -> None:
    expected = 2 * torch.nn.functional.interpolate(noise.restored, (299, 299), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(preprocess(noise.restored, "legacy"), expected)


@pytest.mark.parametrize("kind", ["noise", "calibration"])
def test_clean_is_pillows_bicubic_on_float_channels(kind: str, request: pytest.FixtureRequest) -> None:
    images = request.getfixturevalue(kind).restored
    expected = [
        [
            np.asarray(Image.fromarray(plane.astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC))
            for plane in p
        ]
        for p in (image.transpose(2, 0, 1) for image in to_pixels(images))
    ]
    clipped = np.clip(np.array(expected), 0, 255)
    np.testing.assert_allclose(preprocess(images, "clean"), (clipped - 128) / 128, atol=1e-6)


def test_the_two_modes_keep_their_features_apart(metric: Callable[[str], Any]) -> None:
    assert metric("fid").extractor.identity != metric("fid_clean").extractor.identity
    assert metric("fid").extractor.identity == metric("kid").extractor.identity
