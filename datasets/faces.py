"""The faces that ship with the package."""

from __future__ import annotations

from pathlib import Path

import yaml

from ..bench.api import DatasetCard, Sample
from .folder import scan

_FOLDER = Path(__file__).parent / "builtin"
_SIDE = 512


class BuiltinFaces:
    """Five aligned 512 x 512 faces that may be redistributed, for demos and tests.

    Each sample's meta holds `title`, `author`, `licence`, `source_pixels` (pixels of the photo that the
    512 of the crop span) and `enlarged`.
    """

    card = DatasetCard(
        name="builtin",
        licence="CC BY-SA 3.0 (giunchedi, henner, huard); public domain (collins, hopper)",
        source="Wikimedia Foundation and Wikimedia Commons, NASA, US Navy; see datasets/builtin/attribution.yaml",
        note="Five faces, three of them enlarged (soft): no ranking follows from them.",
    )

    def samples(self) -> list[Sample]:
        """Return the five faces."""
        attribution = yaml.safe_load((_FOLDER / "attribution.yaml").read_text(encoding="utf-8"))
        return [
            Sample(id_, hq=file, meta={"alignment": "ffhq_512", **facts, "enlarged": facts["source_pixels"] < _SIDE})
            for id_, file in scan(str(_FOLDER), "data set builtin").items()
            for facts in (attribution[id_],)
        ]
