"""Precision and recall, against torch-fidelity's and a statement of the definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from restorebench.bench.api import SetMetric
from restorebench.bench.errors import ConfigError
from restorebench.bench.metrics import precision_recall
from restorebench.bench.metrics.precision_recall import PrecisionRecall


class Rows:
    """Features held in memory, in blocks of seven."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self.values), 7):
            yield self.values[start : start + 7]


def values(first: Any, second: Any, **settings: Any) -> tuple[float, float]:
    found = PrecisionRecall(**settings).compare(Rows(first), Rows(second))
    return found["precision"].value, found["recall"].value


def by_definition(first: NDArray[Any], second: NDArray[Any], k: int) -> tuple[float, float]:
    def covered(points: NDArray[Any], others: NDArray[Any]) -> float:
        count = 0
        for point in points:
            for i, other in enumerate(others):
                radius = sorted(np.linalg.norm(np.delete(others, i, 0) - other, axis=1))[k - 1]
                if np.linalg.norm(point - other) <= radius:
                    count += 1
                    break
        return count / len(points)

    return covered(first, second), covered(second, first)


@pytest.mark.parametrize("k", [1, 3])
def test_it_is_what_the_paper_says(k: int) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(23, 6)), generator.normal(0.5, 0.7, size=(31, 6))
    expected = by_definition(first.astype(np.float32), second.astype(np.float32), k)
    assert values(first, second, neighbours=k) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected[0] < 1


def test_it_is_torch_fidelitys(face_pairs: Any, metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_fidelity.metric_prc import prc_features_to_metric

    monkeypatch.setattr(precision_recall, "_BLOCK", 5)
    features = metric("precision_recall").extractor
    first, second = (
        features.extract(torch.cat([images[:, :, y : y + 256, x : x + 256] for y in (0, 256) for x in (0, 256)]))
        for images in face_pairs
    )
    settings = {"prc_neighborhood": 3, "prc_batch_size": 100, "save_cpu_ram": False, "verbose": False}
    expected = prc_features_to_metric(first, second, **settings)
    assert values(first.numpy(), second.numpy()) == pytest.approx((expected["precision"], expected["recall"]))


def test_equal_sets_are_perfect_and_distant_ones_share_nothing() -> None:
    rows = np.random.default_rng(1).normal(size=(20, 4))
    assert values(rows, rows) == (1, 1)
    assert values(rows, rows + 100) == (0, 0)


def test_one_real_image_many_times_is_precise_and_covers_little() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 4))
    precision, recall = values(np.repeat(rows[:1], 50, 0), rows)
    assert precision == 1
    assert recall <= 0.04


def test_too_few_images_give_no_value() -> None:
    assert np.isnan(values(np.zeros((3, 2)), np.zeros((9, 2)))).all()


def test_it_is_a_set_metric_and_refuses_no_neighbours() -> None:
    assert isinstance(PrecisionRecall(), SetMetric)
    with pytest.raises(ConfigError, match="neighbours: 0"):
        PrecisionRecall(neighbours=0)
