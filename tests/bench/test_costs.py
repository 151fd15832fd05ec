"""What a restorer costs is measured, and measuring changes nothing."""

from __future__ import annotations

import pytest
import torch

from restorebench.bench.api import Batch, Card
from restorebench.bench.costs import MemoryGrowth, gflops, parameters


class Convolution:
    """3 x 3, three channels to eight, without bias: 216 weights."""

    card = Card(name="convolution", paper="none", task="baseline")

    def __init__(self) -> None:
        self.network = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.again = self.network
        self.inner = type("Inner", (), {})()
        self.inner.network = torch.nn.Linear(2, 2, bias=False)

    def restore(self, batch: Batch) -> torch.Tensor:
        torch.rand(3)
        return self.network(batch.images)


@pytest.fixture
def batch() -> Batch:
    return Batch(("a", "b"), torch.rand(2, 3, 16, 16), (0, 0), ({}, {}))


def test_shared_and_nested_weights_are_counted_once() -> None:
    assert parameters(Convolution()) == 3 * 8 * 9 + 4
    assert parameters(object()) is None


def test_operations_are_those_of_one_image(batch: Batch) -> None:
    assert gflops(Convolution(), batch) == pytest.approx(2 * 3 * 8 * 9 * 16 * 16 / 1e9)


def test_counting_draws_nothing(batch: Batch) -> None:
    restorer = Convolution()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    gflops(restorer, batch)
    assert torch.equal(torch.rand(3), expected)


def test_memory_growth_sees_a_large_tensor() -> None:
    memory = MemoryGrowth(torch.device("cpu"))
    memory.start()
    tensor = torch.ones(64 * 2**18)  # 64 MiB
    del tensor
    peak = memory.peak()
    assert peak is not None
    assert 60 <= peak < 200
