"""Results given as files: paired by id, one to one, or refused with a list."""

from collections.abc import Callable
from pathlib import Path

import pytest

from restorebench.adapters.folder import Folder
from restorebench.bench.api import GivenResults
from restorebench.bench.errors import ConfigError, DatasetError, PairingError
from restorebench.bench.spec import Spec


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "out" / name).write_bytes(b"")
        return tmp_path / "out"

    return make


def test_files_are_found_by_id_below_the_folder(files) -> None:
    root = files("a.png", "sub/b.PNG", "sub/dé c.bmp", ".hidden.png", ".cache/x.png", "notes.txt")
    found = Folder(str(root)).locate(["a", "sub/b", "sub/dé c"])
    assert found == {"a": root / "a.png", "sub/b": root / "sub/b.PNG", "sub/dé c": root / "sub/dé c.bmp"}
    assert isinstance(Folder(str(root)), GivenResults)


def test_missing_and_extra_results_are_both_listed(files) -> None:
    with pytest.raises(PairingError) as caught:
        Folder(str(files("a.png", "z.png"))).locate(["a", "b", "c"])
    assert "without a result (2 of 3): b, c" in str(caught.value)
    assert "results of no image (1): z" in str(caught.value)


def test_partial_results_are_accepted_when_said_so(files) -> None:
    root = files("a.png")
    assert Folder(str(root), partial=True).locate(["a", "b"]) == {"a": root / "a.png"}
    with pytest.raises(PairingError, match="without a result"):
        Folder(str(root), partial=True).locate(["x", "y"])  # nothing fits: the wrong folder
    files("z.png")
    with pytest.raises(PairingError, match="results of no image"):
        Folder(str(root), partial=True).locate(["a", "b"])


def test_a_common_ending_is_recognised_and_advised(files) -> None:
    root = files("a_00.png", "b_00.png")
    with pytest.raises(PairingError, match=r"pattern='\{id\}_00'"):
        Folder(str(root)).locate(["a", "b"])
    assert set(Folder(str(root), pattern="{id}_00").locate(["a", "b"])) == {"a", "b"}


def test_a_file_outside_the_pattern_is_an_extra_one(files) -> None:
    with pytest.raises(PairingError, match=r"results of no image \(1\): a_01"):
        Folder(str(files("a_00.png", "a_01.png")), pattern="{id}_00").locate(["a"])


def test_two_files_for_one_image_are_refused(files) -> None:
    with pytest.raises(PairingError, match=r"a \(a\.bmp and a\.png\)"):
        Folder(str(files("a.png", "a.bmp"))).locate(["a"])


def test_lossy_results_are_refused_unless_allowed(files) -> None:
    root = files("a.jpg", "b.png")
    with pytest.raises(PairingError, match=r"1 of 2 results .*a\.jpg.*allow_lossy=true"):
        Folder(str(root)).locate(["a", "b"])
    assert set(Folder(str(root), allow_lossy=True).locate(["a", "b"])) == {"a", "b"}


def test_a_missing_or_empty_folder_is_said_plainly(files, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        Folder(str(tmp_path / "nowhere")).locate(["a"])
    root = files("notes.txt")
    with pytest.raises(DatasetError, match="holds no images"):
        Folder(str(root)).locate(["a"])
    with pytest.raises(DatasetError, match="is not a folder"):
        Folder(str(root / "notes.txt")).locate(["a"])


@pytest.mark.parametrize("pattern", ["restored", "{id}_{id}", "{id}.png"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        Folder("anywhere", pattern=pattern)


def test_where_the_folder_lies_is_no_part_of_its_identity() -> None:
    target = "restorebench.adapters.folder.Folder"
    one, two = (Spec.of({"_target_": target, "path": path}, "adapter.folder") for path in ("here", "there"))
    assert one.identity == two.identity
    assert Folder("results/GFPGAN").card.name == "GFPGAN"
    assert Folder("results", name="mine").card.name == "mine"
