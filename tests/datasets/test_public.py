"""Published test sets: a copy is compared with its card, and what differs is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from restorebench.bench.errors import DatasetError, PairingError
from restorebench.bench.spec import Spec
from restorebench.datasets import public
from restorebench.datasets.public import Expected, PublicFolder, PublicPairs

CONF = Path(__file__).resolve().parents[2] / "conf" / "dataset"
CARDS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CONF.glob("*.yaml"))}
CARDS = {name: card for name, card in CARDS.items() if ".public." in card["_target_"]}

Pictures = Callable[..., Path]


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Write one picture for each name, `side` on the longer side; names as the card says."""

    def write(folder: str, *names: str, size: tuple[int, int] = (512, 512)) -> Path:
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in names:
            cv2.imwrite(str(tmp_path / folder / name), np.zeros((size[1], size[0], 3), np.uint8))
        return tmp_path / folder

    return write


def build(name: str, **settings: object) -> PublicFolder | PublicPairs:
    return Spec.of({**CARDS[name], **settings}, f"dataset.{name}").build()


def test_every_set_of_the_field_has_a_card() -> None:
    wanted = {
        "celeba_test", "celeba_test_daefr", "celeba_test_difface", "celeba_test_codeformer", "celeba_test_dr2",
        "celeba_test_pltrans", "celeba_test_psfrgan", "lfw_test", "webphoto_test", "celebchild_test",
        "celebadult_test", "wider_test", "ffhq", "ffhq_512", "celeba_hq", "fivek", "fivek_dpe",
    }  # fmt: skip
    assert set(CARDS) == wanted


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_what_people_must_know(name: str) -> None:
    card = CARDS[name]
    assert card["name"] == name
    assert card["licence"]
    assert "http" in card["source"] or "github.com" in card["source"] or "not distributed" in card["source"]
    assert card["note"]


COUNTS = {
    "celeba_test": 3000, "celeba_test_daefr": 3000, "celeba_test_difface": 4000, "lfw_test": 1711,
    "webphoto_test": 407, "celebchild_test": 180, "celebadult_test": 180, "wider_test": 970, "ffhq": 70000,
    "ffhq_512": 70000, "celeba_hq": 30000, "fivek": 5000, "fivek_dpe": 498,
}  # fmt: skip


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_counts_are_those_of_the_sources(name: str, count: int) -> None:
    assert CARDS[name]["count"] == count


def test_a_copy_that_is_as_its_card_says_gets_no_remark(pictures: Pictures) -> None:
    root = pictures("set", *(f"{i}.png" for i in range(5)))
    dataset = PublicFolder(str(root), holds="lq", name="five", count=5, side=512, note="Be careful.")
    assert [sample.id for sample in dataset.samples()] == list("01234")
    assert (dataset.card.differs, dataset.card.note) == ("", "Be careful.")


def test_count_size_and_names_that_differ_are_told(pictures: Pictures) -> None:
    pictures("set", *(f"{i:05}.png" for i in range(3)))
    pictures("set", "00003.png", size=(256, 256))
    pictures("set", "00004.jpg", size=(512, 300))
    (pictures("set") / "00005.png").write_bytes(b"no image")
    dataset = PublicFolder(
        str(pictures("set")), holds="hq", name="six", count=70, side=512, files=r"\d{5}\.png", note="Mind."
    )
    assert len(dataset.samples()) == 6
    assert dataset.card.differs == (
        "This copy differs from the published set: 6 images, expected 70; 1 of 6 files are not named like "
        "'\\\\d{5}\\\\.png': 00004.jpg; 2 of 6 files are not 512 x 512: 00003.png 256 x 256, 00004.jpg 512 x 300; "
        "1 of 6 files cannot be opened: 00005.png."
    )
    assert dataset.card.note == f"{dataset.card.differs} Mind."


def test_the_469_faces_of_vqfrs_readme_are_not_the_407_of_the_card(pictures: Pictures) -> None:
    root = pictures("web", *(f"{i}.png" for i in range(469)), size=(512, 512))
    dataset = build("webphoto_test", root=str(root))
    dataset.samples()
    assert dataset.card.differs.endswith("469 images, expected 407.")
    assert "VQFR's README 469" in dataset.card.note


def test_strict_refuses_the_copy_and_says_where_the_set_is(pictures: Pictures) -> None:
    root = pictures("set", "a.png")
    with pytest.raises(DatasetError, match=r"lfw_test: this copy differs .*: 1 images, expected 1711.*gfpgan"):
        build("lfw_test", root=str(root), strict=True).samples()


def test_a_declared_limit_is_no_difference_but_is_told(pictures: Pictures) -> None:
    root = pictures("set", *(f"{c}.png" for c in "abcde"))
    dataset = build("lfw_test", root=str(root), limit=3, strict=True)
    assert [sample.id for sample in dataset.samples()] == ["a", "b", "c"]
    assert dataset.card.note.startswith("Only the first 3 of 1711 images (limit=3).")
    short = build("lfw_test", root=str(root), limit=9)
    assert len(short.samples()) == 5
    assert "5 images, expected 9" in short.card.differs


def test_pairs_are_checked_on_both_sides(pictures: Pictures) -> None:
    names = [f"{i:08}.png" for i in range(4)]
    hq, lq = pictures("hq", *names), pictures("lq", *names, size=(128, 128))
    dataset = build("celeba_test", hq=str(hq), lq=str(lq), limit=4)
    assert {(s.id, s.meta["alignment"]) for s in dataset.samples()} == {(n[:-4], "ffhq_512") for n in names}
    assert "4 of 8 files are not 512 x 512" in dataset.card.differs
    (lq / names[0]).unlink()
    with pytest.raises(PairingError, match="00000000"):
        dataset.samples()


def test_photos_need_only_their_longer_side() -> None:
    assert list(Expected(side=512, square=False).differences([], 0)) == []


class TestNames:
    """DPE's 498 test photos, by the list that its authors published."""

    @pytest.fixture
    def listed(self, tmp_path: Path) -> Path:
        (tmp_path / "test.txt").write_text("a4195\na0212\n")
        return tmp_path / "test.txt"

    def pairs(self, pictures: Pictures, listed: Path, *names: str, **settings: object) -> PublicPairs:
        hq, lq = (pictures(side, *names, size=(512, 340)) for side in ("hq", "lq"))
        digest = sha256(b"a4195\na0212\n").hexdigest()
        return build("fivek_dpe", hq=str(hq), lq=str(lq), names=str(listed), names_sha256=digest, **settings)

    def test_they_are_taken_from_a_folder_that_holds_more(self, pictures: Pictures, listed: Path) -> None:
        dataset = self.pairs(pictures, listed, "a0212.tif", "a4195.tif", "a0001.tif", count=2)
        assert [sample.id for sample in dataset.samples()] == ["a0212", "a4195"]
        assert dataset.card.differs == ""

    def test_a_missing_one_is_named(self, pictures: Pictures, listed: Path) -> None:
        with pytest.raises(DatasetError, match="fivek_dpe: 1 of 2 images are not here: a4195"):
            self.pairs(pictures, listed, "a0212.tif", "a0001.tif").samples()

    def test_another_list_is_refused_by_its_digest(self, pictures: Pictures, listed: Path) -> None:
        dataset = self.pairs(pictures, listed, "a0212.tif", "a4195.tif")
        listed.write_text("a0212\n")
        with pytest.raises(DatasetError, match=r"test.txt has sha256 .*the list its authors published"):
            dataset.samples()

    def test_the_card_holds_the_digest_of_the_authors_list(self) -> None:
        assert CARDS["fivek_dpe"]["names_sha256"].startswith("d2f95947ec02")


def test_large_sets_are_looked_at_here_and_there_and_it_says_so(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public, "MOST_HEADERS", 10)
    root = pictures("set", *(f"{i:03}.png" for i in range(100)), size=(256, 256))
    dataset = PublicFolder(str(root), holds="hq", name="many", side=512)
    dataset.samples()
    assert "10 of 10 looked at of 100 files are not 512 x 512" in dataset.card.differs


def test_seventy_thousand_files_are_checked_in_seconds(tmp_path: Path) -> None:
    png = cv2.imencode(".png", np.zeros((1024, 1024, 3), np.uint8))[1].tobytes()
    for number in range(0, 70000, 1000):
        folder = tmp_path / "ffhq" / f"{number:05}"
        folder.mkdir(parents=True)
        for image in range(number, number + 1000):
            if image == number:
                (folder / f"{image:05}.png").write_bytes(png)
            else:
                (folder / f"{image:05}.png").hardlink_to(folder / f"{number:05}.png")
    start = time.perf_counter()
    dataset = build("ffhq", root=str(tmp_path / "ffhq"))
    assert len(dataset.samples()) == 70000
    assert dataset.card.differs == ""
    assert time.perf_counter() - start < 15


def test_the_command_line_says_what_differs(pictures: Pictures, command: Callable[..., object], tmp_path: Path) -> None:
    root = pictures("lfw", "a.png", "b.png", size=(64, 64))
    arguments = ["adapter=[input]", "metric=[]", "mlflow.enabled=false", f"out={tmp_path / 'out'}"]
    ran = command("run", "dataset=lfw_test", f"dataset.root={root}", *arguments)
    assert ran.status == 0
    assert "dataset lfw_test: This copy differs from the published set: 2 images, expected 1711; 2 of 2" in ran.stdout
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "2 images, expected 1711" in page
    refused = command("run", "dataset=lfw_test", f"dataset.root={root}", "dataset.strict=true", *arguments)
    assert refused.status == 2
    assert refused.stderr.startswith("restorebench: data set lfw_test: this copy differs")
