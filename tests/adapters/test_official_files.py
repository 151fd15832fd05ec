"""Official checkpoint files are read strictly, as data."""

import pickle
from pathlib import Path

import pytest
import torch

from restorebench.adapters.codeformer import CodeFormer
from restorebench.adapters.gfpgan import GFPGANv1, GFPGANv14
from restorebench.adapters.gpen import GPEN256, GPEN512
from restorebench.adapters.learned import Learned
from restorebench.adapters.restoreformer import RestoreFormer, RestoreFormerPlusPlus
from restorebench.adapters.vqfr import VQFRv1, VQFRv2
from restorebench.bench.errors import WeightsError

from .fills import Golden, save_official, zeros

pytestmark = pytest.mark.parity

SYSTEMS = [
    ("gfpgan", GFPGANv14),
    ("gfpgan_v1", GFPGANv1),
    ("gpen", GPEN512),
    ("gpen_256", GPEN256),
    ("codeformer", CodeFormer),
    ("vqfr_v1", VQFRv1),
    ("vqfr_v2", VQFRv2),
    ("restoreformer", RestoreFormer),
    ("restoreformer_plusplus", RestoreFormerPlusPlus),
]

systems = pytest.mark.parametrize(("system", "adapter"), SYSTEMS, ids=[name for name, _ in SYSTEMS])


def load(adapter: type[Learned], path: Path) -> Learned:
    restorer = adapter(str(path))
    restorer.load(torch.device("cpu"))
    return restorer


@systems
def test_a_file_of_exactly_the_official_keys_loads(system: str, adapter: type[Learned], tmp_path: Path) -> None:
    golden = Golden(system)
    restorer = load(
        adapter, save_official(zeros(golden.shapes), tmp_path / "official.pth", golden.holder, adapter.prefix)
    )
    found = {name: tuple(value.shape) for name, value in restorer._network.state_dict().items()}
    assert found == golden.shapes


@systems
def test_unknown_missing_and_misshapen_keys_are_listed(system: str, adapter: type[Learned], tmp_path: Path) -> None:
    golden = Golden(system)
    state = zeros(golden.shapes)
    missing, misshapen = list(state)[1], list(state)[-1]
    del state[missing]
    state[misshapen] = torch.zeros(7)
    state["stranger.weight"] = torch.zeros(1)
    path = save_official(state, tmp_path / "other.pth", golden.holder, adapter.prefix)
    with pytest.raises(WeightsError) as caught:
        load(adapter, path)
    for part in (str(path), adapter.card.name, "stranger.weight", missing, f"{misshapen} is (7,), expected"):
        assert part in str(caught.value)


@systems
def test_a_file_that_holds_more_than_tensors_is_not_run(system: str, adapter: type[Learned], tmp_path: Path) -> None:
    path = tmp_path / "program.pth"
    torch.save({"params_ema": {"weight": Program(tmp_path / "ran")}}, path)
    with pytest.raises(WeightsError, match="more than tensors"):
        load(adapter, path)
    assert not (tmp_path / "ran").exists()


class Program:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)


def test_the_program_of_these_tests_would_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Program(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()
