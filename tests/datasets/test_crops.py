"""Crops of references: what is cut, where it lies, and what the card says."""

from __future__ import annotations

import numpy as np
import pytest

from restorebench.bench.errors import DatasetError
from restorebench.bench.images import read
from restorebench.datasets.crops import Crops
from restorebench.datasets.faces import BuiltinFaces
from restorebench.datasets.folder import Folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))


def test_each_picture_gives_itself_and_its_four_corners():
    samples = {sample.id: sample for sample in Crops(BuiltinFaces(), side=320).samples()}
    assert len(samples) == 25
    assert list(samples) == sorted(samples)
    whole = read(samples["hopper"].hq)
    assert np.array_equal(read(samples["hopper-nw"].hq), whole[:320, :320])
    assert np.array_equal(read(samples["hopper-se"].hq), whole[-320:, -320:])
    assert samples["hopper"].meta["alignment"] == "ffhq_512"
    assert samples["hopper-ne"].meta["alignment"] == "none"


def test_they_are_written_once():
    first = Crops(BuiltinFaces()).samples()
    times = [sample.hq.stat().st_mtime_ns for sample in first]
    assert [sample.hq.stat().st_mtime_ns for sample in Crops(BuiltinFaces()).samples()] == times


def test_the_card_says_that_they_are_not_independent():
    card = Crops(BuiltinFaces(), name="builtin_crops").card
    assert card.name == "builtin_crops"
    assert "not independent" in card.note
    assert card.licence == BuiltinFaces.card.licence


def test_a_picture_smaller_than_a_crop_is_refused(small_faces):
    with pytest.raises(DatasetError, match="smaller than 320"):
        Crops(Folder(str(small_faces))).samples()
