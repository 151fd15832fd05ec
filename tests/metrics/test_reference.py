"""Statistics of a reference set: gathered at constant memory, mergeable, readable by others, and told apart."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from restorebench.bench.api import Sample
from restorebench.bench.errors import DatasetError, WeightsError
from restorebench.bench.identity import extractor_id, metric_id
from restorebench.bench.metrics import frechet, kernel_distance, reference
from restorebench.bench.metrics.frechet import FrechetInceptionDistance
from restorebench.bench.metrics.gathering import Gathered
from restorebench.bench.metrics.kernel_distance import KernelInceptionDistance
from restorebench.bench.metrics.reference import Facts, SampledRows, save
from restorebench.bench.reference_command import gather

WIDTH = 48
LEGACY = extractor_id(FrechetInceptionDistance().extractor)


def rows_of(count: int, seed: int = 0, width: int = WIDTH) -> tuple[np.ndarray, list[str]]:
    """Rows that look like pool features, and the digests of the images they stand for."""
    generator = np.random.default_rng(seed)
    rows = (generator.gamma(0.5, size=(count, width)) @ generator.gamma(0.2, size=(width, width))).astype(np.float32)
    return rows, [sha256(f"{seed} {i}".encode()).hexdigest() for i in range(count)]


def gathered(rows: np.ndarray, images: list[str], keep: int = 4096, block: int = 37) -> Gathered:
    found = Gathered(keep)
    for start in range(0, len(rows), block):
        found.add(rows[start : start + block], images[start : start + block])
    return found


@pytest.fixture
def statistics(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of statistics of the legacy features."""

    def write(count: int = 300, name: str = "ffhq_512", keep: int = 4096, extractor: str = LEGACY) -> Path:
        path = tmp_path / f"{name}.npz"
        save(path, gathered(*rows_of(count), keep=keep), Facts(name, extractor_id=extractor))
        return path

    return write


class TestGathering:
    def test_mean_and_covariance_are_those_of_all_rows(self) -> None:
        rows, images = rows_of(500)
        found = gathered(rows, images).moments
        np.testing.assert_allclose(found.mean, rows.astype(float).mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, np.cov(rows.astype(float), rowvar=False), rtol=1e-9, atol=1e-12)

    def test_merged_shards_equal_the_whole_in_any_order(self) -> None:
        rows, images = rows_of(500)
        whole = gathered(rows, images, keep=60)
        parts = [gathered(rows[k::3], images[k::3], keep=60) for k in (2, 0, 1)]
        merged = Gathered(60)
        for part in parts:
            merged.merge(part)
        assert merged.digest == whole.digest
        np.testing.assert_array_equal(merged.order, whole.order)
        np.testing.assert_array_equal(merged.rows, whole.rows)
        np.testing.assert_allclose(merged.moments.mean, whole.moments.mean, rtol=1e-13)
        np.testing.assert_allclose(merged.moments.scatter, whole.moments.scatter, rtol=1e-12, atol=1e-12)
        assert merged.moments.n == 500

    def test_the_kept_rows_are_a_uniform_sample(self) -> None:
        chosen = np.zeros(200)
        for seed in range(200):
            _, images = rows_of(200, seed, width=1)
            place = np.arange(200, dtype=np.float32)[:, None]
            chosen[gathered(place, images, keep=50).rows[:, 0].astype(int)] += 1
        assert abs(chosen[:100].sum() / chosen.sum() - 0.5) < 0.02  # neither the first nor the last are preferred
        assert chosen.min() > 25  # 50 expected, standard deviation 6

    def test_the_digest_tells_other_images_and_doubled_ones(self) -> None:
        rows, images = rows_of(20)
        digests = {gathered(rows, images).digest, gathered(rows[1:], images[1:]).digest}
        digests.add(gathered(np.concatenate([rows, rows[:1]]), [*images, images[0]]).digest)
        assert len(digests) == 3

    def test_memory_does_not_grow_with_the_number_of_images(self, tmp_path: Path) -> None:
        """By construction: nothing is kept but moments, the sample and the batches on their way."""
        file = tmp_path / "a.png"
        cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))

        def peak(count: int) -> int:
            samples = [Sample(str(i), hq=file) for i in range(count)]
            tracemalloc.start()
            gather(samples, Means(), torch.device("cpu"), batch=8, keep=16)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        peak(64)  # first use of libraries
        assert peak(1600) < peak(100) + 200_000  # the images alone are 12,288 bytes each

    def test_an_image_that_cannot_be_read_is_named_and_left_out(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
        (tmp_path / "b.png").write_bytes(b"no image")
        samples = [Sample(name, hq=tmp_path / f"{name}.png") for name in "ab"] * 2
        found, failed = gather(samples, Means(), torch.device("cpu"), batch=2, keep=16)
        assert found.moments.n == 2
        assert list(failed) == ["b"]


class Means:
    """Mean colours as features."""

    identity = "means"
    version = 1
    weights: dict[str, str | None] = {}

    def load(self, device: torch.device) -> None:
        """Nothing to load."""

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


class TestFiles:
    def test_equal_statistics_give_equal_bytes(self, statistics: Callable[..., Path]) -> None:
        first = statistics().read_bytes()
        assert statistics().read_bytes() == first

    def test_pytorch_fid_reads_them_and_gets_our_distance(self, statistics: Callable[..., Path]) -> None:
        from pytorch_fid.fid_score import calculate_frechet_distance, compute_statistics_of_path

        rows, _ = rows_of(200, seed=1)
        read = compute_statistics_of_path(str(statistics()), None, 1, WIDTH, "cpu")
        theirs = calculate_frechet_distance(rows.mean(0), np.cov(rows, rowvar=False), *read)
        fid = FrechetInceptionDistance(reference=str(statistics()))
        ours = fid.compare(SampledRows(rows), SampledRows(rows[:0]))["fid_to_ffhq_512"].value
        assert ours == pytest.approx(theirs, rel=1e-5)

    @pytest.mark.parametrize("count", [20, 300])
    def test_both_ways_to_a_distance_from_moments_agree(self, count: int) -> None:
        rows, other = rows_of(count)[0].astype(float), rows_of(400, seed=1)[0].astype(float)
        mean, covariance = other.mean(0), np.cov(other, rowvar=False)
        own = rows.mean(0), np.cov(rows, rowvar=False)
        value = frechet.distance_of_rows_to(rows, mean, covariance)
        assert value == pytest.approx(frechet.distance_of_moments(mean, covariance, *own), rel=1e-6)
        assert value == pytest.approx(frechet.distance_of_rows(rows, other), rel=1e-6)

    @pytest.mark.parametrize("tensors", [False, True])
    def test_the_fields_pth_files_are_read(self, tensors: bool, tmp_path: Path) -> None:
        rows, _ = rows_of(300)
        mean, cov = rows.astype(float).mean(0), np.cov(rows.astype(float), rowvar=False)
        if tensors:
            mean, cov = torch.from_numpy(mean), torch.from_numpy(cov)
        file = tmp_path / "inception_FFHQ_512.pth"
        torch.save({"name": "FFHQ", "size": 512, "mean": mean, "cov": cov}, file)
        fid = FrechetInceptionDistance(reference=str(file))
        other, _ = rows_of(100, seed=1)
        value = fid.compare(SampledRows(other), SampledRows(other))["fid_to_inception_ffhq_512"].value
        assert value == pytest.approx(frechet.distance_of_rows(other.astype(float), rows.astype(float)), rel=1e-6)
        assert "reference=inception_FFHQ_512,n=unknown,file=" in fid.identity
        with pytest.raises(DatasetError, match="legacy"):
            FrechetInceptionDistance("clean", reference=str(file))
        with pytest.raises(DatasetError, match="no feature rows, which KID needs"):
            KernelInceptionDistance(reference=str(file))

    def test_a_file_that_would_run_something_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "evil.pth"
        torch.save({"mean": Path("x"), "cov": 1}, file)
        fid = FrechetInceptionDistance(reference=str(file))
        with pytest.raises(DatasetError, match=r"evil.pth: no statistics with mean and cov"):
            fid.compare(SampledRows(rows_of(9)[0]), SampledRows(rows_of(9)[0]))

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"text"])
    def test_damaged_files_are_named(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(DatasetError, match=r"bad\.npz: "):
            FrechetInceptionDistance(reference=str(tmp_path / "bad.npz"))


class TestIdentity:
    def test_it_names_the_set_its_count_and_its_images(self, statistics: Callable[..., Path]) -> None:
        fid = FrechetInceptionDistance(reference=str(statistics(300)))
        assert "reference=ffhq_512,n=300,images=" in metric_id(fid)
        assert metric_id(fid) != metric_id(FrechetInceptionDistance())
        assert metric_id(fid) != metric_id(FrechetInceptionDistance(reference=str(statistics(200))))
        assert fid.own_reference == "the 300 images of ffhq_512"
        assert fid.columns[0].name == "fid_to_ffhq_512"

    def test_it_does_not_depend_on_where_the_file_lies(self, statistics: Callable[..., Path], tmp_path: Path) -> None:
        moved = tmp_path / "elsewhere.npz"
        moved.write_bytes(statistics().read_bytes())
        here, there = (FrechetInceptionDistance(reference=str(path)) for path in (statistics(), moved))
        assert metric_id(here) == metric_id(there)

    def test_statistics_of_other_features_are_refused(self, statistics: Callable[..., Path]) -> None:
        with pytest.raises(DatasetError, match=r"bilinear299.*but the metric's are.*bicubic299"):
            FrechetInceptionDistance("clean", reference=str(statistics()))

    def test_a_name_is_looked_for_below_the_cache(
        self, statistics: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
        reference.folder().mkdir(parents=True)
        statistics().rename(reference.folder() / "ffhq_512_fid.npz")
        assert FrechetInceptionDistance(reference="ffhq_512_fid").own_reference == "the 300 images of ffhq_512"
        with pytest.raises(DatasetError, match=r"reference ffhq: no such file.*kept in .*ffhq_512_fid"):
            FrechetInceptionDistance(reference="ffhq")
        with pytest.raises(WeightsError, match=r"inception-ffhq-512"):
            FrechetInceptionDistance(reference="inception-ffhq-512")


def test_kid_takes_the_kept_rows(statistics: Callable[..., Path]) -> None:
    kid = KernelInceptionDistance(reference=str(statistics(300, keep=120)))
    assert "reference=ffhq_512,n=300" in kid.identity
    assert "rows=120" in kid.identity
    other, _ = rows_of(100, seed=1)
    kept = gathered(*rows_of(300), keep=120).rows.astype(float)
    expected = kernel_distance.all_pairs(other.astype(float), kept)
    assert kid.compare(SampledRows(other), SampledRows(other))["kid_to_ffhq_512"] == expected


class TestCommand:
    """On the built-in faces, with the real network."""

    @pytest.fixture
    def reference_command(self, command: Callable[..., Any], faces: Any) -> Callable[..., Any]:
        def run(*arguments: object) -> Any:
            return command("reference", "threads=1", *arguments)

        return run

    def test_its_statistics_are_those_of_pytorch_fid_on_the_same_features(
        self, reference_command: Callable[..., Any], metric: Callable[[str], Any], faces: torch.Tensor, tmp_path: Path
    ) -> None:
        from pytorch_fid.fid_score import compute_statistics_of_path

        ran = reference_command(f"out={tmp_path / 'all.npz'}")
        assert (ran.status, ran.stdout.strip().splitlines()[-1]) == (0, f"5 images: {tmp_path / 'all.npz'}")
        rows = metric("fid").extractor.extract(faces).numpy().astype(float)
        mu, sigma = compute_statistics_of_path(str(tmp_path / "all.npz"), None, 1, 2048, "cpu")
        np.testing.assert_allclose(mu, rows.mean(0), atol=1e-6)
        np.testing.assert_allclose(sigma, np.cov(rows, rowvar=False), atol=1e-6)

    def test_parts_merge_to_the_whole_and_score_sets_without_references(
        self, reference_command: Callable[..., Any], command: Callable[..., Any], tmp_path: Path
    ) -> None:
        files = [tmp_path / name for name in ("all.npz", "1.npz", "2.npz", "merged.npz")]
        whole, first, second, merged = files
        reference_command(f"out={whole}")
        reference_command(f"out={first}", "part=1/2")
        reference_command(f"out={second}", "part=2/2")
        assert reference_command(f"merge=[{first},{second}]", f"out={merged}").status == 0
        ours, theirs = (reference.load(path) for path in (merged, whole))
        assert ours.identity == theirs.identity
        for one, other in zip(ours.mean_and_covariance, theirs.mean_and_covariance, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
        photos = Path(__file__).parents[2] / "datasets" / "builtin"
        ran = command(
            "run", "adapter=[input]", "dataset=photos", f"dataset.root={photos}", "metric=[fid,kid]", "threads=1",
            f"metric.fid.reference={merged}", f"metric.kid.reference={merged}", f"out={tmp_path / 'out'}",
            "mlflow.enabled=false",
        )  # fmt: skip
        assert ran.status == 0
        board = (tmp_path / "out" / "report" / "leaderboard.csv").read_text()
        assert "fid_to_builtin" in board
        assert "5 restored against the 5 images of builtin" in board
        assert "no reference" not in board

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["part=3/2"], "part: '3/2' is not K/N"),
            (["metric=[psnr]"], "metric.psnr: scores image by image"),
            (["metric=[fid,fid_clean]"], "choose metrics of one network and resize"),
            (["merge=[missing.npz]", "out=x.npz"], "missing.npz: cannot be read"),
            (["merge=[missing.npz]"], "a file or name is needed for merged statistics"),
            (["rows=0"], "rows: 0 is too small"),
        ],
    )
    def test_bad_input_is_one_line(
        self, reference_command: Callable[..., Any], arguments: list[str], message: str
    ) -> None:
        ran = reference_command(*arguments)
        assert ran.status == 2
        assert message in ran.stderr
        assert ran.stderr.count("\n") == 1
