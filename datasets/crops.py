"""Crops of another data set's references, for a study where there are too few pictures for a curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..bench.api import Dataset, Sample
from ..bench.errors import DatasetError
from ..bench.files import write_atomic
from ..bench.images import encode_png, pixel_digest, read
from ..bench.weights import home


class Crops:
    """Every reference of a set and the four square crops of its corners, as they are: nothing is resized.

    The crops are written once below `RESTOREBENCH_HOME`, named by what they were cut from.

    Args:
        of: the set to cut from; its LQ images, if it brings some, are left out.
        side: of the crops, pixels; a multiple of 16 fits all degradations.
        name: what tables call the set.
    """

    def __init__(self, of: Dataset, side: int = 320, name: str = "crops") -> None:
        self._of, self._side = of, side
        source = of.card
        note = (
            f"Each picture of {source.name} and four crops of it, {side} pixels wide: images of one picture are not "
            f"independent, and intervals over them are too short. {source.note}"
        )
        self.card = replace(source, name=name, note=note)

    def samples(self) -> list[Sample]:
        """Return five samples per reference: `<id>` and `<id>-nw`, `-ne`, `-sw`, `-se`.

        Raises:
            DatasetError: a picture without reference, or smaller than a crop.
            StoreError: the crops cannot be written.
        """
        found = [sample for whole in self._of.samples() for sample in self._five(whole)]
        return sorted(found, key=lambda sample: sample.id)

    def _five(self, whole: Sample) -> list[Sample]:
        if whole.hq is None:
            raise DatasetError(f"data set {self.card.name}: {whole.id} has no reference to cut from")
        pixels = read(whole.hq)
        height, width = pixels.shape[:2]
        side = self._side
        if min(height, width) < side:
            raise DatasetError(f"data set {self.card.name}: {whole.id} is {width} x {height}, smaller than {side}")
        folder = home() / "crops" / f"{pixel_digest(pixels)[:32]}-{side}"
        corners = {"nw": (0, 0), "ne": (0, width - side), "sw": (height - side, 0), "se": (height - side, width - side)}
        files: dict[str, Path] = {name: folder / f"{name}.png" for name in corners}
        for name, (top, left) in corners.items():
            if not files[name].is_file():
                write_atomic(files[name], encode_png(pixels[top : top + side, left : left + side]))
        meta = {**whole.meta, "alignment": "none", "cut_from": whole.id}
        cut = [Sample(f"{whole.id}-{name}", hq=file, meta=meta) for name, file in files.items()]
        return [Sample(whole.id, hq=whole.hq, meta=whole.meta), *cut]
