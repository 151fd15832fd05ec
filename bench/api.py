"""The contracts: what a data set, a degradation, a restorer and a metric must offer.

Plugins implement these structurally; nothing has to inherit.  Shapes are `(B, C, H, W)`, images are
RGB `float32` in `[0, 1]` when they are tensors and `uint8` `(H, W, 3)` when they are arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from .images import Filter, Pixels

Meta = Mapping[str, Any]
"""JSON-able facts about one sample, such as `{"alignment": "ffhq_512"}`."""

Alignment = Literal["ffhq_512", "auto", "none"]
"""How faces sit in the images: on the five-point FFHQ template (scaled to the image), to be found
out per image, or anywhere."""

Weights = Mapping[str, "str | None"]
"""Weights a plugin needs: name in the registry -> a file of the user's own instead, or None."""


# -- data ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """One test image.

    Attributes:
        id: path below the data set's root without suffix, `/`-separated, unique in the set.
        hq: the reference, or None where the set has none.
        lq: the degraded image the set brings, or None.
        meta: facts about this image; `alignment` is one of `Alignment`.
    """

    id: str
    hq: Path | None
    lq: Path | None = None
    meta: Meta = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetCard:
    """What people must know about a set before they read its numbers.

    Attributes:
        drawn_from: sets that its images come from, to flag restorers trained on them.
        differs: how the files that were found differ from the published set; shown on the console.
    """

    name: str
    licence: str = "unknown"
    source: str = ""
    note: str = ""
    drawn_from: tuple[str, ...] = ()
    differs: str = ""


class Dataset(Protocol):
    """A named list of samples."""

    card: DatasetCard

    def samples(self) -> Sequence[Sample]:
        """Return the samples in order of id; reads file names, never pixels.

        Raises:
            DatasetError: the folder is missing or empty, or an id occurs twice.
            PairingError: ids of the two sides differ; the message lists them.
        """
        ...


class Degraded(NamedTuple):
    """A synthesised low-quality image.

    Attributes:
        lq: `uint8` RGB with the reference's size.
        native: `uint8` RGB before it was brought back to size, or None if it never was smaller.
        parameters: everything that was drawn, JSON-able.
    """

    lq: Pixels
    native: Pixels | None
    parameters: Mapping[str, Any]


class Degradation(Protocol):
    """A random degradation; equal image and generator state give equal bytes.

    `version` is raised when the output changes.  `key` names the draws: two degradations of one key
    draw the same numbers for the same sample, which is how an alias of a split makes equal images.  One that can
    degrade several images at once also offers `batch(images, generators) -> list[Degraded]`, equal to single calls.  An optional attribute `content`, a
    digest of files it reads, becomes part of the split's identity.
    """

    version: int
    key: str

    def __call__(self, image: Pixels, generator: np.random.Generator) -> Degraded:
        """Degrade one `uint8` RGB image `(H, W, 3)`; several threads may call it at once."""
        ...


@runtime_checkable
class PlacedDegradation(Protocol):
    """A degradation that hangs on facts about the sample, such as its place in a list; asked before it is called.

    Attributes:
        uses_meta: keys of `Sample.meta` that change the LQ.
    """

    uses_meta: tuple[str, ...]

    def of(self, meta: Meta) -> Degradation:
        """Return the degradation of one sample.

        Raises:
            ImageError: what it needs to know is not there.
        """
        ...


@runtime_checkable
class Sweep(Protocol):
    """A family of splits that differ in one parameter; selected like a degradation, it becomes one split per level."""

    def splits(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the configuration (`_target_` and arguments) of each split by name, mildest first."""
        ...


# -- restorers ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """What people must know about a restorer, and what the engine must know to feed it.

    Attributes:
        name: short name used in tables; an instance may be renamed by its configuration key.
        paper: citation, or where the method comes from.
        task: what it is for.
        input: `lq` = degraded image at the reference's size; `native` = the small image before it was
            brought back to size; `reference` = the reference itself (the unranked upper row).
        size: the only `(height, width)` it takes; other inputs are resized with `bring_down`.
        scale: output side / input side.
        alignment: how faces must sit in its images; `none`: anyhow.  On images known to be otherwise it runs all the same,
            with a warning and a note beside each number.
        bring_down: filter used when `input` is `native` and only a resized LQ exists (by `scale`), or
            when the input is not of `size`.
        final_resize: filter that brings the output to the reference's size; None: it must have it.
        quantise: rounding of the official script when it writes 8 bits.
        stochastic: the seed changes the output.
        uses_meta: keys of `Sample.meta` that change the output, such as `landmarks`.
        ranked: False for rows that are no competitors.
        trained_on, losses: to flag leakage, such as a restorer trained with the metric's network.
        knobs: setting -> what it does.
    """

    name: str
    paper: str
    task: Literal["face restoration", "super-resolution", "denoising", "photo enhancement", "baseline"]
    input: Literal["lq", "native", "reference"] = "lq"
    size: tuple[int, int] | None = None
    scale: int = 1
    alignment: Alignment = "none"
    bring_down: Filter = "area"
    final_resize: Filter | None = None
    quantise: Literal["round", "truncate"] = "round"
    stochastic: bool = False
    uses_meta: tuple[str, ...] = ()
    ranked: bool = True
    code_licence: str = "Apache-2.0"
    weights_licence: str = "none needed"
    trained_on: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    knobs: Mapping[str, str] = field(default_factory=dict)


class Batch(NamedTuple):
    """Images of one size on their way through a restorer.

    Attributes:
        ids: sample ids.
        images: `(B, 3, H, W)` RGB `float32` in `[0, 1]` on the restorer's device.
        seeds: one integer per image; all that a stochastic restorer may draw from.
        meta: one mapping per image.
    """

    ids: tuple[str, ...]
    images: torch.Tensor
    seeds: tuple[int, ...]
    meta: tuple[Meta, ...]


@runtime_checkable
class Restorer(Protocol):
    """Turns degraded images into restored ones.

    The result for an image does not depend on its batch mates.  `version` is raised when the output
    changes.  `weights` names what `load` will ask the weights manager for.  An optional attribute `content`, a digest of
    other files that decide the output, becomes part of the restorer's identity.
    """

    card: Card
    version: int
    weights: Weights

    def load(self, device: torch.device) -> None:
        """Build the networks on `device`; called once per worker."""
        ...

    def restore(self, batch: Batch) -> torch.Tensor:
        """Return `(B, 3, H', W')` RGB floats; values outside `[0, 1]` are clamped."""
        ...


@runtime_checkable
class FolderRestorer(Protocol):
    """Restores a folder of images at once, as a tool in an environment of its own does.

    `version` and `weights` are as in `Restorer`; `card.quantise` has no meaning, the files are 8-bit already.
    """

    card: Card
    version: int
    weights: Weights

    def restore_folder(self, input_dir: Path, output_dir: Path, names: Sequence[str]) -> Mapping[str, Path | str]:
        """Restore the files `input_dir/<name>.png`, which are 8-bit RGB.

        Args:
            input_dir: holds these files and nothing else.
            output_dir: empty; a file `log.txt` left here is kept below `out/logs`.
            names: safe stand-ins for the sample ids: letters, digits, `-` and `_`, distinct without case.

        Returns:
            The file of each name's result, or the reason why there is none.

        Raises:
            RestorerError: nothing could be run at all; every image fails with the message.
        """
        ...


@runtime_checkable
class GivenResults(Protocol):
    """Restored images that already exist as files; nothing is run and nothing is re-encoded."""

    card: Card
    version: int

    def locate(self, ids: Sequence[str]) -> Mapping[str, Path]:
        """Return the file of each sample id; ids left out become failed rows.

        Raises:
            PairingError: ids without a file or files without an id; the message lists them.
        """
        ...


# -- metrics ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """One number a metric reports.

    Attributes:
        name: key in tables, such as `identity_deg`.
        label: heading for people, such as `Deg`.
        unit: `dB`, `degrees`, or `1` for none.
        higher_is_better: direction.
        low, high: range the value can take.
        digits: decimals shown in reports (never in the store).
    """

    name: str
    label: str
    unit: str
    higher_is_better: bool
    low: float
    high: float
    digits: int


@runtime_checkable
class PairMetric(Protocol):
    """Scores restored images one by one, against their references or without.

    Attributes:
        columns: what `score` returns.
        identity: every choice that changes the number - network, input range, channel, border, resize
            filter; the engine appends version and weights digests.
        needs: any of `reference`, `lq`, `degradation`; with the last, `meta["degradation"]` holds the `spec` that made
            the LQ, as JSON, and what was `drawn`.
        uses_meta: keys of the meta that change the score.

    A metric without a network may have an attribute `concurrent = True`: on a CPU its batches are then scored side by
    side, each on one core, so `prepare` and `score` may be called from several threads at once.
    """

    columns: tuple[Column, ...]
    identity: str
    version: int
    weights: Weights
    needs: frozenset[str]
    uses_meta: tuple[str, ...]

    def load(self, device: torch.device) -> None:
        """Build networks on `device`; called once per worker, before anything else."""
        ...

    def prepare(self, reference: torch.Tensor, meta: Sequence[Meta]) -> Any:
        """Return what scoring needs of the references `(B, 3, H, W)`, computed once per image and model.

        The state may hold tensors, tuples, lists and mappings of tensors.  Not called without a reference.
        """
        ...

    def score(
        self, restored: torch.Tensor, state: Any, lq: torch.Tensor | None, meta: Sequence[Meta]
    ) -> Mapping[str, torch.Tensor]:
        """Return `{column name: (B,) tensor}`; NaN is a miss (no face found), reported as such."""
        ...


@runtime_checkable
class Obtaining(Protocol):
    """A metric around a library that downloads weights by itself."""

    def obtain(self) -> None:
        """Have them downloaded; called once, in the process that plans, where `fetch` allows it.

        Raises:
            WeightsError: they cannot be had; the metric is skipped, and the table says why.
        """
        ...


@runtime_checkable
class FeatureExtractor(Protocol):
    """Images to feature rows, cached per image and extractor."""

    identity: str
    version: int
    weights: Weights

    def load(self, device: torch.device) -> None:
        """Build the network on `device`; called once per worker."""
        ...

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        """Return `(B, D)` `float32` features of images `(B, 3, H, W)` in `[0, 1]`."""
        ...


class Features(Protocol):
    """Feature rows of a set of images, read in blocks so that memory stays flat."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield `(n, D)` blocks in order of sample id."""
        ...


class SetValue(NamedTuple):
    """A set-level score with its 95 % interval, where one is known, and what must be said of it."""

    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


@runtime_checkable
class SetMetric(Protocol):
    """Compares two sets of images by their features.

    Attributes:
        extractor: supplies the features.
        reliable_from: number of images below which the value is marked unreliable.

    An optional attribute `own_reference` names the set that a metric compares with instead of the references, for
    people; its `compare` then leaves `reference` aside, and sets without references get a value too.
    """

    columns: tuple[Column, ...]
    identity: str
    version: int
    extractor: FeatureExtractor
    reliable_from: int

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        """Return `{column name: value}`; needs no weights, so that reports can be rebuilt anywhere."""
        ...
