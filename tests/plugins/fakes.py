"""Light plugins for tests of the engine; found by dotted path, as a user's own would be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from restorebench.bench.api import Batch, Card, Column, SetValue
from restorebench.bench.seeds import torch_generator


def count(what: str, images: int) -> None:
    """Append to the file named in FAKES_LOG, so that tests see what was computed in any process."""
    log = os.environ.get("FAKES_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{what} {images}\n")


class Blend:
    """Moves the image towards gray by `amount`."""

    version = 1
    weights: dict[str, str | None] = {}

    def __init__(self, amount: float = 0.1, name: str = "blend") -> None:
        self.amount = amount
        self.card = Card(name=name, paper="none", task="baseline", knobs={"amount": "how gray"})

    def load(self, device: torch.device) -> None:
        count("load", 0)

    def restore(self, batch: Batch) -> torch.Tensor:
        count("restore", len(batch.ids))
        time.sleep(float(os.environ.get("FAKES_SLEEP", "0")))
        return batch.images * (1 - self.amount) + 0.5 * self.amount


class Aligned(Blend):
    """A restorer of aligned faces."""

    def __init__(self) -> None:
        super().__init__()
        self.card = Card("aligned", "none", "face restoration", alignment="ffhq_512")


class Broken(Blend):
    """Breaks its contract on samples whose id contains `victim`, in the way `how` says."""

    def __init__(self, how: str = "raise", victim: str = "a", amount: float = 0.1) -> None:
        super().__init__(amount, "broken")
        self.how, self.victim = how, victim

    def restore(self, batch: Batch) -> torch.Tensor:
        output = super().restore(batch)
        hit = [i for i, sample in enumerate(batch.ids) if self.victim in sample]
        if not hit:
            return output
        if self.how == "raise":
            raise RuntimeError("the network fell over")
        if self.how == "holes":
            output[hit] = float("nan")
        elif self.how == "size":
            return output[:, :, :8, :8]
        elif self.how == "dtype":
            return (output * 255).byte()
        elif self.how == "shape":
            return output[:, :1]
        elif self.how == "none":
            return None  # type: ignore[return-value]
        elif self.how == "memory" and len(batch.ids) > 1:
            raise RuntimeError("CUDA out of memory")
        return output


class Unloadable(Blend):
    def load(self, device: torch.device) -> None:
        raise OSError("no such device")


class Noisy(Blend):
    """Adds noise that depends on the image's seed only."""

    def __init__(self) -> None:
        super().__init__(0.0, "noisy")
        self.card = Card(name="noisy", paper="none", task="baseline", stochastic=True)

    def restore(self, batch: Batch) -> torch.Tensor:
        super().restore(batch)
        shape = batch.images.shape[1:]
        noise = [torch.randn(shape, generator=torch_generator(seed)) for seed in batch.seeds]
        return batch.images + 0.1 * torch.stack(noise)


class Mae:
    """Mean absolute difference."""

    columns = (Column("mae", "MAE", "1", False, 0, 1, 4),)
    version = 1
    weights: dict[str, str | None] = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.identity = f"{type(self).__name__.lower()}(rgb,scale={scale})"

    def load(self, device: torch.device) -> None:
        count("load", 0)

    def prepare(self, reference: torch.Tensor, meta: object) -> torch.Tensor:
        count("prepare", len(reference))
        return reference

    def score(self, restored: torch.Tensor, state: torch.Tensor, lq: object, meta: object) -> dict[str, torch.Tensor]:
        count("score", len(restored))
        return {"mae": (restored.double() - state.double()).abs().mean((1, 2, 3)) * self.scale}


class FromLq(Mae):
    """Distance to the LQ image; needs no reference."""

    columns = (Column("moved", "Moved", "1", True, 0, 1, 4),)
    needs = frozenset({"lq"})

    def score(self, restored: torch.Tensor, state: object, lq: torch.Tensor, meta: object) -> dict[str, torch.Tensor]:
        return {"moved": (restored - lq).abs().mean((1, 2, 3))}


class Picky(Mae):
    """Misses bright images and fails on dark ones."""

    columns = (Column("picky", "Picky", "1", True, 0, 1, 4),)

    def score(self, restored: torch.Tensor, state: object, lq: object, meta: object) -> dict[str, torch.Tensor]:
        value = restored.double().mean((1, 2, 3))
        if (value < 0.2).any():
            raise ValueError("too dark")
        return {"picky": torch.where(value > 0.8, torch.nan, value)}


class Colour:
    """Mean colour as three features."""

    identity = "colour"
    version = 1
    weights: dict[str, str | None] = {}

    def load(self, device: torch.device) -> None:
        count("load", 0)

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        count("extract", len(images))
        return images.mean((2, 3))


class ColourDistance:
    """Distance between the mean colours of two sets."""

    columns = (Column("colour", "Colour", "1", False, 0, 1, 4),)
    identity = "colour_distance"
    version = 1
    reliable_from = 100

    def __init__(self) -> None:
        self.extractor = Colour()

    def compare(self, restored: object, reference: object) -> dict[str, SetValue]:
        means = [np.concatenate(list(side.blocks())).astype(float).mean(0) for side in (restored, reference)]
        return {"colour": SetValue(float(np.abs(means[0] - means[1]).sum()))}


class Deadly(Blend):
    """Ends, blocks or fills its process on samples whose id contains one of the letters of `victims`."""

    def __init__(self, how: str = "exit", victims: str = "b", loading: bool = False) -> None:
        super().__init__(0.1, "deadly")
        self.how, self.victims, self.loading = how, victims, loading
        self.held: list[torch.Tensor] = []

    def load(self, device: torch.device) -> None:
        super().load(device)
        if self.loading:
            self.strike(2)

    def restore(self, batch: Batch) -> torch.Tensor:
        output = super().restore(batch)
        if any(letter in sample for sample in batch.ids for letter in self.victims):
            self.strike(len(batch.ids))
        return output

    def strike(self, images: int) -> None:
        getattr(self, f"_{self.how.replace('.', '_').replace(' ', '_')}")(images)

    def _exit(self, images: int) -> None:
        os._exit(3)

    def _sys_exit(self, images: int) -> None:
        sys.exit("I am a script")

    def _segv(self, images: int) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _kill(self, images: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _once(self, images: int) -> None:
        marker = Path(os.environ["FAKES_LOG"] + ".once")
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def _hang(self, images: int) -> None:
        time.sleep(3600)

    def _tool(self, images: int) -> None:
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
        Path(os.environ["FAKES_LOG"]).with_suffix(".tool").touch()
        time.sleep(3600)

    def _fill(self, images: int) -> None:
        """Takes 600 MiB in small pieces, so that whoever watches has time."""
        for _ in range(60):
            self.held.append(torch.ones(10 * 2**20 // 4))
            time.sleep(0.03)
        time.sleep(60)

    def _fill_batches(self, images: int) -> None:
        if images > 1:
            raise MemoryError

    def _leak(self, images: int) -> None:
        self.held.append(torch.ones(120 * 2**20 // 4))

    def _print(self, images: int) -> None:
        for _ in range(5000):
            sys.stdout.write("x" * 4095 + "\n")
        os.write(2, b"written past Python\n")


class DeadlyMetric(Mae):
    """Ends its process on dark images."""

    columns = (Column("deadly", "Deadly", "1", False, 0, 1, 4),)

    def score(self, restored: torch.Tensor, state: torch.Tensor, lq: object, meta: object) -> dict[str, torch.Tensor]:
        if (restored.double().mean((1, 2, 3)) < 0.35).any():
            os._exit(4)
        return {"deadly": super().score(restored, state, lq, meta)["mae"]}


class Timed(Blend):
    """Takes its time, and writes down which process restored, and when."""

    def __init__(self, log: Annotated[str, "location"] = "", seconds: Annotated[float, "location"] = 0) -> None:
        super().__init__()
        self.log, self.seconds = log, seconds

    def restore(self, batch: Batch) -> torch.Tensor:
        output = super().restore(batch)
        time.sleep(self.seconds)
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{os.getpid()} {time.time()}\n")
        return output
