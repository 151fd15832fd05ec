"""The built-in faces ship with their licences, and say what they are not good for."""

from pathlib import Path

import pytest
import yaml

from restorebench.bench.images import read
from restorebench.datasets.faces import BuiltinFaces

BUILTIN = Path(__file__).resolve().parents[2] / "datasets" / "builtin"


def test_there_are_five_aligned_references() -> None:
    samples = BuiltinFaces().samples()
    assert [sample.id for sample in samples] == ["collins", "giunchedi", "henner", "hopper", "huard"]
    assert all(sample.lq is None and sample.meta["alignment"] == "ffhq_512" for sample in samples)
    assert all(read(sample.hq).shape == (512, 512, 3) for sample in samples if sample.hq)


def test_each_face_names_author_and_licence() -> None:
    for sample in BuiltinFaces().samples():
        assert sample.meta["author"]
        assert sample.meta["title"]
        assert sample.meta["licence"].startswith(("CC BY-SA", "public domain"))


def test_the_enlarged_faces_are_marked() -> None:
    enlarged = {sample.id for sample in BuiltinFaces().samples() if sample.meta["enlarged"]}
    assert enlarged == {"collins", "giunchedi", "hopper"}


def test_the_card_says_that_no_ranking_follows() -> None:
    card = BuiltinFaces().card
    assert "no ranking" in card.note
    assert "CC BY-SA 3.0" in card.licence


@pytest.mark.parametrize("path", sorted(BUILTIN.glob("*.png")), ids=lambda path: path.stem)
def test_no_face_ships_without_attribution(path: Path) -> None:
    attribution = yaml.safe_load((BUILTIN / "attribution.yaml").read_text(encoding="utf-8"))
    assert set(attribution[path.stem]) == {"title", "author", "licence", "source_pixels"}
