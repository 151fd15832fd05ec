"""Results that the authors of a paper published as pictures, fetched by the weights manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..bench import weights
from ..bench.api import Card
from ..bench.errors import PairingError, listing


class Published:
    """A folder of a collection of pictures; like the adapter `folder`, but fetched and verified by sha256.

    Args:
        collection: its name in the registry, such as `dpe-mit498`.
        folder: the system's folder in it, such as `Our_SL`.
        name: heading in tables.
        paper: citation of the system.
        task: what it is for.
        trained_on: data sets, to flag leakage.
    """

    version = 1

    def __init__(
        self,
        collection: str,
        folder: str,
        name: str,
        paper: str = "unknown",
        task: Literal["face restoration", "super-resolution", "denoising", "photo enhancement"] = "photo enhancement",
        trained_on: tuple[str, ...] = (),
    ) -> None:
        self._below = f"{collection}/{folder}/"
        self.card = Card(
            name=name,
            paper=paper,
            task=task,
            code_licence="unknown",
            weights_licence="not used: published pictures",
            trained_on=tuple(trained_on),
        )

    @property
    def weights(self) -> dict[str, None]:
        """Names of the pictures in the registry, for those who must know what `locate` would fetch."""
        return {item.name: None for item in weights.entries() if item.name.startswith(self._below)}

    def locate(self, ids: Sequence[str]) -> Mapping[str, Path]:
        """Return the picture of each sample.

        Raises:
            PairingError: samples without a picture; the message lists them.
            WeightsError: a picture cannot be had.
        """
        known = {item.name for item in weights.entries()}
        missing = [id_ for id_ in ids if f"{self._below}{id_}" not in known]
        if missing:
            raise PairingError(f"{self._below}: no published picture of {listing(missing)}")
        found = weights.resolve({f"{self._below}{id_}": None for id_ in ids})
        return {name.removeprefix(self._below): file.path for name, file in found.items()}
