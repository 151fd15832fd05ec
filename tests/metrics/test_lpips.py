"""LPIPS against the library and the published calibration values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restorebench.bench.errors import ImageError, WeightsError
from restorebench.bench.metrics.lpips import Lpips

PUBLISHED = {  # pyiqa's calibration table (alex) and the library's own code (vgg)
    "alex": (0.7237, 0.2572, 0.0508, 0.0521, 0.4253),
    "vgg": (0.7614, 0.2090, 0.0544, 0.0475, 0.5971),
}


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_the_calibration_pairs_give_the_known_values(net: str, score: Callable[..., Any], calibration: Any) -> None:
    values = score(f"lpips_{net}", calibration)[f"lpips_{net}"]
    np.testing.assert_allclose(values, PUBLISHED[net], atol=1e-4)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_it_equals_the_librarys_forward_with_the_librarys_heads(
    net: str, metric: Callable[[str], Any], score: Callable[..., Any], crops: Any, noise: Any
) -> None:
    import lpips

    heads = torch.load(Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth", map_location="cpu")
    with torch.device("meta"):
        peer = lpips.LPIPS(net=net, version="0.1", pretrained=False, pnet_rand=True, verbose=False)
    peer.net.load_state_dict(metric(f"lpips_{net}")._network.state_dict(), assign=True)
    peer.load_state_dict(heads, strict=False, assign=True)
    peer.scaling_layer = lpips.ScalingLayer()
    for pairs in (crops, noise):
        expected = peer(2 * pairs.restored - 1, 2 * pairs.reference - 1).flatten()
        np.testing.assert_allclose(score(f"lpips_{net}", pairs)[f"lpips_{net}"], expected, atol=1e-6)


@pytest.mark.parametrize(("net", "side"), [("alex", 31), ("vgg", 16)])
def test_an_image_too_small_for_the_last_layer_is_refused(
    net: str, side: int, score: Callable[..., Any], noise: Any
) -> None:
    fits, too_small = (type(noise)(*(images[..., :s, :64] for images in noise)) for s in (side, side - 1))
    assert score(f"lpips_{net}", fits)[f"lpips_{net}"].isfinite().all()
    with pytest.raises(ImageError, match=f"{side} x {side}"):
        score(f"lpips_{net}", too_small)


def test_where_a_file_of_ones_own_lies_is_not_part_of_the_identity(tmp_path: Path) -> None:
    assert Lpips("alex").identity == Lpips("alex", checkpoint=str(tmp_path / "own.ckpt")).identity
    with pytest.raises(WeightsError, match=r"own\.ckpt"):
        Lpips("alex", checkpoint=str(tmp_path / "own.ckpt")).load(torch.device("cpu"))


@pytest.mark.parametrize("name", ["lpips_alex", "identity"])
def test_an_image_scores_the_same_against_itself_whatever_its_batch_mates(
    name: str, score: Callable[..., Any], face_pairs: Any
) -> None:
    reference = face_pairs.reference[:2]
    mixed = type(face_pairs)(torch.stack([reference[0], face_pairs.restored[1]]), reference)
    alone = score(name, type(face_pairs)(reference, reference))
    for column, values in score(name, mixed).items():
        assert values[0] == alone[column][0] == (1 if column == "identity_cos" else 0)
        assert values[1] != alone[column][1] == alone[column][0]


def test_half_precision_is_another_metric_of_nearly_the_same_value(metric: Callable[[str], Any], crops: Any) -> None:
    half = Lpips("alex", precision="bfloat16")
    half.load(torch.device("cpu"))
    whole = metric("lpips_alex")
    assert half.identity == whole.identity.replace(")", ",precision=bfloat16)")
    (found,), (expected,) = (
        built.score(crops.restored, built.prepare(crops.reference, []), None, []).values() for built in (half, whole)
    )
    assert found.tolist() != expected.tolist()
    np.testing.assert_allclose(found, expected, rtol=0.03)
