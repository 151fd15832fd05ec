"""The store: a commit is there whole or not at all, and nothing damaged is ever believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from restorebench.bench.errors import ImageError, StoreError
from restorebench.bench.files import write_atomic
from restorebench.bench.storage.store import Commit, Store


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)


def filled(out: Path, image: np.ndarray) -> tuple[Store, str]:
    store = Store(out)
    sha256, length = store.put_image(image)
    commit = Commit(
        restored={"r": {"image": [sha256, 8, 9], "seconds": 0.1, "note": "", "cost": {}}},
        scores={"s": {"psnr": float("inf"), "niqe": float("nan"), "ssim": 0.1 + 0.2}},
        images={sha256: length},
        features={"f1": np.arange(3, dtype=np.float32), "f2": np.ones(3, np.float32), "wide": np.ones(5, np.float32)},
    )
    store.commit(commit)
    return Store(out), sha256


def test_numbers_come_back_to_the_last_bit(tmp_path: Path, image: np.ndarray) -> None:
    store, sha256 = filled(tmp_path, image)
    assert store.scores["s"]["ssim"] == 0.1 + 0.2
    assert store.scores["s"]["psnr"] == float("inf")
    assert np.isnan(store.scores["s"]["niqe"])
    assert (store.image(sha256) == image).all()
    assert list(store.verify()) == []


def test_features_come_back_in_the_order_asked(tmp_path: Path, image: np.ndarray) -> None:
    store, _ = filled(tmp_path, image)
    features = store.features(["f2", "f1", "f2"])
    assert len(features) == 3
    assert np.concatenate(list(features.blocks())).tolist() == [[1, 1, 1], [0, 1, 2], [1, 1, 1]]
    assert next(iter(store.features(["wide"]).blocks())).shape == (1, 5)


def test_an_image_no_commit_names_is_not_there(tmp_path: Path, image: np.ndarray) -> None:
    sha256, _ = Store(tmp_path).put_image(image)
    assert not Store(tmp_path).has_image(sha256)


def test_a_damaged_commit_is_reported_and_forgotten(tmp_path: Path, image: np.ndarray) -> None:
    filled(tmp_path, image)
    (path,) = (tmp_path / "store" / "commits").glob("*.json")
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2"))
    store = Store(tmp_path)
    assert "r" not in store.restored
    assert "not what its name says" in next(store.verify())


def test_a_truncated_or_flipped_image_is_never_returned(tmp_path: Path, image: np.ndarray) -> None:
    store, sha256 = filled(tmp_path, image)
    path = store.image_path(sha256)
    path.write_bytes(path.read_bytes()[:-100])
    assert not store.has_image(sha256)
    with pytest.raises(ImageError):
        store.image(sha256)
    other = np.zeros_like(image)
    fresh = Store(tmp_path / "other")
    other_sha256, _ = fresh.put_image(other)
    path.write_bytes(fresh.image_path(other_sha256).read_bytes())
    with pytest.raises(ImageError, match="not what its name says"):
        store.image(sha256)
    assert any(sha256 in problem for problem in store.verify())


def test_damaged_features_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    store, _ = filled(tmp_path, image)
    for path in (tmp_path / "store" / "features").glob("*.npz"):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreError, match="damaged"):
        next(iter(store.features(["f1"]).blocks()))
    assert len(list(store.verify())) == 2


def test_leftovers_of_a_killed_process_are_ignored(tmp_path: Path, image: np.ndarray) -> None:
    filled(tmp_path, image)
    (tmp_path / "store" / "commits" / ".tmp-0123").write_text("{half a comm")
    assert Store(tmp_path).unreadable == []


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    import hashlib

    data = json.dumps({"version": 99}).encode()
    write_atomic(tmp_path / "store" / "commits" / f"{hashlib.sha256(data).hexdigest()}.json", data)
    with pytest.raises(StoreError, match="version 99"):
        Store(tmp_path)


def test_an_unwritable_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        write_atomic(tmp_path / "file" / "below" / "x", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
