"""Data sets whose pictures the weights manager fetches, file by file, verified by sha256."""

from __future__ import annotations

from pathlib import Path

from ..bench import weights
from ..bench.api import Alignment, DatasetCard, Sample
from ..bench.errors import DatasetError


class Fetched:
    """References and degraded images of two folders of a collection, paired one to one by name.

    Args:
        collection: its name in the registry, such as `dpe-mit498`.
        hq: folder of the references.
        lq: folder of the degraded images.
        alignment: how faces sit in the images.
        name: what tables call the set.
        licence: of the images.
        source: where they come from.
        note: what people must know before they read its numbers.
        drawn_from: sets that the images come from, to flag restorers trained on them.
    """

    def __init__(
        self,
        collection: str,
        hq: str,
        lq: str,
        *,
        alignment: Alignment = "none",
        name: str = "fetched",
        licence: str = "unknown",
        source: str = "",
        note: str = "",
        drawn_from: tuple[str, ...] = (),
    ) -> None:
        self.collection, self.hq, self.lq, self.alignment = collection, hq, lq, alignment
        self.card = DatasetCard(name, licence, source, note, tuple(drawn_from))

    @property
    def weights(self) -> dict[str, None]:
        """Names of the pictures in the registry, for those who must know what `samples` would fetch."""
        return {name: None for folder in (self.hq, self.lq) for name in self._names(folder)}

    def samples(self) -> list[Sample]:
        """Return one sample per pair, sorted by name; fetches what is missing.

        Raises:
            DatasetError: the registry has no such folders, or not the same names in both.
            WeightsError: a picture cannot be had.
        """
        hq, lq = self._files(self.hq), self._files(self.lq)
        if not hq or hq.keys() != lq.keys():
            raise DatasetError(
                f"data set {self.card.name}: the registry has {len(hq)} pictures in {self.collection}/{self.hq} and "
                f"{len(lq)} in {self.collection}/{self.lq}, expected the same names in both"
            )
        return [Sample(id_, hq=hq[id_], lq=lq[id_], meta={"alignment": self.alignment}) for id_ in sorted(hq)]

    def _files(self, folder: str) -> dict[str, Path]:
        below = f"{self.collection}/{folder}/"
        found = weights.resolve(dict.fromkeys(self._names(folder)))
        return {name.removeprefix(below): file.path for name, file in found.items()}

    def _names(self, folder: str) -> list[str]:
        return [item.name for item in weights.entries() if item.name.startswith(f"{self.collection}/{folder}/")]
