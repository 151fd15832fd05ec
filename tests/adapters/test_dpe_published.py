"""`experiment=dpe_published`: published pictures and live networks give the numbers measured once, by hand.

It needs the pictures and weights of `shared/data`, or of a folder of `RESTOREBENCH_WEIGHTS`, or the network.
"""

from pathlib import Path

import pandas as pd
import pytest

import restorebench
from restorebench.adapters.published import Published
from restorebench.bench import weights
from restorebench.bench.commands import RunResult
from restorebench.bench.errors import DatasetError, PairingError
from restorebench.datasets.published import Fetched

pytestmark = pytest.mark.usefixtures("published_files")

PHOTOS = ("a0212", "a0481", "a0535", "a1305", "a2995", "a3203", "a3451", "a3552", "a4963")
PSNR = {  # uint8 RGB, all pixels and channels, against expert C; measured outside this project
    "input": (22.529, 11.985, 23.383, 20.786, 26.875, 21.514, 21.770, 21.845, 23.106),
    "dpe_sl": (22.500, 14.837, 21.903, 21.418, 27.627, 15.148, 27.647, 27.733, 30.932),
    "dpe_ul": (24.431, 13.770, 19.759, 20.308, 24.654, 14.902, 27.639, 28.803, 26.498),
    "dpe_hdr": (18.505, 12.991, 17.351, 17.770, 21.346, 14.779, 18.006, 17.021, 18.770),
    "lut3d_unpaired": (27.228, 14.047, 23.303, 24.227, 25.264, 15.005, 25.772, 29.872, 29.286),
    "lut3d_paired": (23.225, 14.780, 21.687, 21.304, 25.652, 15.352, 27.212, 29.383, 27.459),
    "neurop_fivek": (25.093, 14.120, 24.255, 26.359, 29.865, 17.649, 24.900, 25.317, 29.684),
    "neurop_ppr10k": (17.491, 17.124, 16.679, 18.526, 25.414, 10.186, 27.902, 19.043, 18.007),
}
MEAN = {
    "input": 21.5324,
    "dpe_sl": 23.3050,
    "dpe_ul": 22.3072,
    "dpe_hdr": 17.3935,
    "cyclegan_hdr": 18.2874,
    "npea": 18.1503,
    "fllf": 18.4022,
    "clhe": 15.6322,
    "lut3d_unpaired": 23.7783,
    "lut3d_paired": 22.8949,
    "neurop_fivek": 24.1380,
    "neurop_ppr10k": 18.9301,
}
DPED = {"dped_iphone6", "dped_iphone7", "dped_nexus5x"}


@pytest.fixture(scope="module")
def run(published_files: None, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("dpe")
    return restorebench.run(
        experiment="dpe_published", executor="inline", metric=["psnr"], out=out, keep=False, **{"mlflow.enabled": False}
    )


def scores(run: RunResult) -> pd.DataFrame:
    return run.per_image.set_index(["sample", "restorer"])["psnr"].unstack("restorer")


def test_every_row_of_the_table_is_there(run: RunResult) -> None:
    assert set(run.per_image["restorer"]) == {*MEAN, *DPED, "reference"}
    assert tuple(scores(run).index) == PHOTOS


@pytest.mark.parametrize("restorer", PSNR)
def test_each_photo_scores_as_measured(run: RunResult, restorer: str) -> None:
    assert list(scores(run)[restorer]) == pytest.approx(PSNR[restorer], abs=2e-3)


@pytest.mark.parametrize("restorer", MEAN)
def test_each_mean_is_as_measured(run: RunResult, restorer: str) -> None:
    board = run.leaderboard.set_index("restorer").query("metric == 'psnr'")
    assert float(board.loc[restorer, "value"]) == pytest.approx(MEAN[restorer], abs=2e-3)


def test_pictures_of_another_size_are_failed_rows_that_say_so(run: RunResult) -> None:
    failed = run.per_image[run.per_image["status"] == "failed"]
    assert set(failed["restorer"]) == DPED
    assert len(failed) == run.failed == 23
    assert all(failed["error"].str.contains("its reference is"))
    assert failed.set_index(["restorer", "sample"])["error"]["dped_iphone6", "a0212"].endswith(
        "is 512 x 342, its reference is 512 x 341; resize it by declaration or leave it out"
    )
    assert run.status == 3


def test_names_that_the_collection_lacks_are_refused() -> None:
    with pytest.raises(PairingError, match="no published picture of a9999"):
        Published("dpe-mit498", "Our_SL", "DPE").locate(["a0212", "a9999"])
    with pytest.raises(DatasetError, match="expected the same names"):
        Fetched("dpe-mit498", hq="Label", lq="Nothing").samples()


def test_the_collection_is_complete_and_of_one_commit() -> None:
    pictures = [item for item in weights.entries() if item.name.startswith("dpe-mit498/")]
    assert len(pictures) == 12 * 9
    assert all("c8e94762a0fcfaccb25b890ee44275b4d4898e6d" in str(item.sources[0]) for item in pictures)
    assert all(item.sha256 and Path(item.file).parts[0] == "dpe_mit498" for item in pictures)
