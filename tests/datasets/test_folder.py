"""Folders and pairs: which files become samples, under which ids, and what is refused."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from restorebench.bench.errors import DatasetError, PairingError
from restorebench.bench.spec import Spec
from restorebench.datasets.folder import Folder, Pairs, common_ending, scan

Put = Callable[..., Path]


def ids(dataset: Folder | Pairs) -> list[str]:
    return [sample.id for sample in dataset.samples()]


def test_ids_are_paths_without_suffix_in_order(put: Put) -> None:
    root = put("set", "b.png", "sub/a.JPG", "a.webp", "sub/deep/x.tar.tif", "A.png")
    assert ids(Folder(str(root))) == ["A", "a", "b", "sub/a", "sub/deep/x.tar"]


def test_a_folder_holds_references_or_photos(put: Put) -> None:
    root = put("set", "a.png")
    (reference,) = Folder(str(root), alignment="ffhq_512").samples()
    assert (reference.hq, reference.lq, reference.meta) == (root / "a.png", None, {"alignment": "ffhq_512"})
    (photo,) = Folder(str(root), holds="lq").samples()
    assert (photo.hq, photo.lq, photo.meta) == (None, root / "a.png", {"alignment": "auto"})


def test_pairs_meet_by_id_whatever_the_format(put: Put) -> None:
    hq, lq = put("hq", "1.png", "s/2.png"), put("lq", "s/2.jpg", "1.bmp")
    samples = Pairs(str(hq), str(lq)).samples()
    assert [(s.id, s.hq, s.lq) for s in samples] == [
        ("1", hq / "1.png", lq / "1.bmp"),
        ("s/2", hq / "s/2.png", lq / "s/2.jpg"),
    ]


def test_only_names_are_read(put: Put) -> None:
    root = put("set", "a.png")
    (root / "a.png").write_bytes(b"")
    assert ids(Folder(str(root))) == ["a"]


def test_hidden_and_other_files_are_left_out(put: Put) -> None:
    root = put("set", "a.png", ".b.png", ".git/c.png", "__MACOSX/._a.png", "notes.txt", "Thumbs.db", "noext", "d.gif")
    assert ids(Folder(str(root))) == ["a"]


def test_paths_are_absolute_and_a_home_folder_is_understood(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("set", "a.png")
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.chdir(root.parent)
    assert scan("set", "x") == scan("~/set", "x") == {"a": root / "a.png"}


def test_a_name_means_the_same_composed_and_decomposed(put: Put) -> None:
    hq = put("hq", unicodedata.normalize("NFD", "Zoë/Ångström.png"))
    lq = put("lq", unicodedata.normalize("NFC", "Zoë/Ångström.png"))
    (sample,) = Pairs(str(hq), str(lq)).samples()
    assert sample.id == unicodedata.normalize("NFC", "Zoë/Ångström")
    assert sample.hq is not None
    assert sample.hq.exists()


@pytest.mark.parametrize("names", [("a.png", "a.jpg"), ("\u00e9.png", "e\u0301.png"), ("s/a.PNG", "s/a.png")])
def test_two_files_of_one_id_are_refused_by_name(put: Put, names: tuple[str, str]) -> None:
    root = put("set", "other.png", *names)
    with pytest.raises(DatasetError) as caught:
        Folder(str(root)).samples()
    assert all(str(root / name) in str(caught.value) for name in names)


def test_a_name_that_is_not_unicode_is_refused(put: Put) -> None:
    root = put("set", "a.png")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.png")).write_bytes(b"")
    with pytest.raises(DatasetError, match="not valid UTF-8"):
        Folder(str(root)).samples()


def test_links_are_followed_and_loops_end(put: Put, tmp_path: Path) -> None:
    root, elsewhere = put("set", "a.png", "sub/b.png"), put("elsewhere", "c.png")
    (root / "sub" / "up").symlink_to(root)
    (root / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root / "sub")
    (root / "file.png").symlink_to(elsewhere / "c.png")
    (tmp_path / "entry").symlink_to(root)
    assert ids(Folder(str(root))) == ["a", "file", "linked/c", "sub/b"]
    assert ids(Folder(str(tmp_path / "entry"))) == ["a", "file", "linked/c", "sub/b"]


def test_a_broken_link_stays_a_sample_so_that_it_is_reported(put: Put) -> None:
    root = put("set", "a.png")
    (root / "gone.png").symlink_to(root / "nothing.png")
    (root / "self.png").symlink_to(root / "self.png")
    assert ids(Folder(str(root))) == ["a", "gone", "self"]


def test_a_missing_folder_names_what_exists(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=rf"data set celeba: no folder {tmp_path}/data/hq \({tmp_path} exists\)"):
        Folder(str(tmp_path / "data" / "hq"), name="celeba").samples()


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(DatasetError, match="name is empty"):
        Folder("").samples()


def test_a_file_is_not_a_folder(put: Put) -> None:
    root = put("set", "a.png")
    with pytest.raises(DatasetError, match=rf"a\.png is a file; give the folder that holds the images, {root}"):
        Folder(str(root / "a.png")).samples()


def test_an_unknown_home_folder_is_explained() -> None:
    with pytest.raises(DatasetError, match="~nobody-of-this-name/x cannot be reached"):
        Folder("~nobody-of-this-name/x").samples()


def test_a_folder_without_images_says_what_was_looked_for_and_found(put: Put) -> None:
    root = put("set", "a.gif", "b.gif", "README")
    with pytest.raises(
        DatasetError, match=r"no images in .*set; looked.*\.bmp.*\.webp; found 2 x \.gif, 1 x no suffix"
    ):
        Folder(str(root)).samples()


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no other files either"):
        Folder(str(tmp_path)).samples()


def test_a_folder_that_may_not_be_read_is_named(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("set", "a.png", "locked/b.png")
    real = os.scandir

    def scandir(folder: str) -> object:
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DatasetError, match=r"set/locked cannot be read \(Permission denied\)"):
        Folder(str(root)).samples()


def test_unpaired_ids_are_listed_on_both_sides(put: Put) -> None:
    hq, lq = put("hq", "a.png", "b.png", "c.png"), put("lq", "b.png", "d.png")
    with pytest.raises(PairingError) as caught:
        Pairs(str(hq), str(lq), name="mine").samples()
    message = str(caught.value)
    assert "data set mine: 3 references and 2 degraded images" in message
    assert "without a degraded image (2): a, c" in message
    assert "without a reference (1): d" in message
    assert "rename" not in message


def test_long_lists_of_unpaired_ids_are_cut(put: Put) -> None:
    hq, lq = put("hq", *(f"{i}.png" for i in range(30))), put("lq", "0.png")
    with pytest.raises(PairingError, match=r"\(29\): .* and 21 more"):
        Pairs(str(hq), str(lq)).samples()


@pytest.mark.parametrize("longer", ["hq", "lq"])
def test_a_common_ending_is_pointed_out(put: Put, longer: str) -> None:
    folders = {
        side: put(side, *(f"{i}{'_00' if side == longer else ''}.png" for i in (1, 10, 11))) for side in ("hq", "lq")
    }
    named = {"hq": "references", "lq": "degraded images"}[longer]
    with pytest.raises(PairingError, match=f"All names of the {named} end in '_00'"):
        Pairs(str(folders["hq"]), str(folders["lq"])).samples()


def test_another_subfolder_is_pointed_out(put: Put) -> None:
    hq, lq = put("hq", "images/a.png", "images/b.png"), put("lq", "a.png", "b.png")
    with pytest.raises(PairingError, match="subfolders do not"):
        Pairs(str(hq), str(lq)).samples()


def test_a_common_ending_needs_every_name() -> None:
    assert common_ending(["a", "b"], ["a_00", "b_01"]) == ""
    assert common_ending(["a", "b"], ["a_00", "b_00", "c_00"]) == ""
    assert common_ending([], []) == ""


def test_where_a_set_lies_is_no_part_of_its_identity(put: Put) -> None:
    target = "restorebench.datasets.folder.Folder"
    one, other = (Spec.of({"_target_": target, "root": str(put(f, "a.png"))}, "dataset.folder") for f in ("x", "y"))
    assert one.identity == other.identity
    assert one.build().samples()[0].hq != other.build().samples()[0].hq


def test_a_large_set_is_listed_without_looking_at_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 files take 0.6 s on two cores, because the listing says already which entries are files."""
    for folder in range(20):
        below = tmp_path / f"{folder:02}"
        below.mkdir()
        for file in range(100):
            os.close(os.open(below / f"{file:04}.png", os.O_CREAT))
    looked = []
    original = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: (looked.append(path), original(path, **options))[1])
    samples = Folder(str(tmp_path)).samples()
    monkeypatch.undo()
    assert len(looked) < 100
    assert len(samples) == 2_000
    assert [samples[0].id, samples[-1].id] == ["00/0000", "19/0099"]
