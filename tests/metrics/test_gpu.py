"""CPU and GPU agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.gpu


NAMES = (
    *("psnr", "ssim", "ms_ssim", "lpips_alex", "lpips_vgg", "niqe", "identity", "fsim"),
    *(
        "psnr_vqfr",
        "ssim_vqfr",
        "ssim_pyiqa",
        "psnr_basicsr_y",
        "niqe_vqfr",
        "lpips_restoreformer",
        "lmd_insightface106",
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_scores_agree_to_1e_4(name: str, metric: Callable[[str], Any], score: Any, face_pairs: Any) -> None:
    expected = score(name, face_pairs)
    built = type(metric(name)).__new__(type(metric(name)))
    built.__dict__.update(metric(name).__dict__)
    device = torch.device("cuda")
    built.load(device)
    metas = [{}] * 5
    state = built.prepare(face_pairs.reference.to(device), metas) if "reference" in built.needs else None
    for column, values in built.score(face_pairs.restored.to(device), state, None, metas).items():
        torch.testing.assert_close(values, expected[column], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["fid", "fid_clean"])
def test_features_agree_to_1e_4(name: str, metric: Callable[[str], Any], faces: torch.Tensor) -> None:
    expected = metric(name).extractor.extract(faces)
    extractor = type(metric(name).extractor)(metric(name).extractor.resize)
    extractor.load(torch.device("cuda"))
    found = extractor.extract(faces.cuda()).cpu()
    assert (found - expected).norm() < 1e-4 * expected.norm()
