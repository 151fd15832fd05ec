"""Several steps as one: in a row, by chance, or one of several.

Whatever is chosen, everything inside is drawn, so that a probability changed to 0 or 1 leaves the draws of all
other steps as they were.  Only what is applied is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..bench.errors import ConfigError
from .ranges import pick, probability
from .steps import Floats, Step, draw_each, own, prefixes


@dataclass(frozen=True)
class Chain:
    """Steps in a row.

    Attributes:
        name: prefix of their parameters in records, such as `last` in `last_jpeg_quality`.
        steps: what happens, in order.
    """

    name: str
    steps: Sequence[Step]

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the parameters of every step."""
        return draw_each(self.steps, generator)

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Apply one after the other."""
        for prefix, step in zip(prefixes(self.steps), self.steps, strict=True):
            image = step.apply(image, own(drawn, prefix), size)
        return image


@dataclass(frozen=True)
class Sometimes:
    """A step that happens by chance; records it under the step's own name: `jpeg_applied`, `jpeg_quality`.

    Attributes:
        probability: that it happens.
        step: what then happens.
    """

    probability: float
    step: Step

    def __post_init__(self) -> None:
        probability(f"probability of {self.name}", self.probability)
        _refuse_twin("Sometimes", self.step, Sometimes)

    @property
    def name(self) -> str:
        """The step's."""
        return self.step.name

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw whether it happens, and the step's parameters."""
        applied, drawn = generator.random() < self.probability, self.step.draw(generator)
        return {"applied": True, **drawn} if applied else {"applied": False}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Apply the step, or nothing."""
        return self.step.apply(image, drawn, size) if drawn["applied"] else image


@dataclass(frozen=True)
class OneOf:
    """One of several steps; records its name: `blur_choice: median`, `blur_size: 7`.

    Attributes:
        name: prefix of the parameters in records.
        steps: the alternatives; a second one of the same name is called `blur2`.
        weights: relative frequency of each; none: all alike.
    """

    name: str
    steps: Sequence[Step]
    weights: Sequence[float] = ()

    def __post_init__(self) -> None:
        if not self.steps:
            raise ConfigError(f"{self.name}: there is nothing to choose from")
        if self.weights and (len(self.weights) != len(self.steps) or min(self.weights) <= 0):
            raise ConfigError(
                f"{self.name}: {len(self.steps)} weights above 0 are expected, found {list(self.weights)}"
            )
        for step in self.steps:
            _refuse_twin("OneOf", step, OneOf)

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the choice, and the parameters of every step; return the chosen one's."""
        chosen = pick(generator, len(self.steps), self.weights)
        drawn = [step.draw(generator) for step in self.steps]
        return {"choice": self._labels()[chosen], **drawn[chosen]}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Apply the chosen step."""
        return self.steps[self._labels().index(drawn["choice"])].apply(image, drawn, size)

    def _labels(self) -> list[str]:
        return [prefix.removesuffix("_") for prefix in prefixes(self.steps)]


@dataclass(frozen=True)
class Shuffled:
    """Steps in an order that is drawn, all orders alike; records it as `order`, the places of the steps in the list.

    Attributes:
        name: prefix of their parameters in records.
        steps: what happens.
    """

    name: str
    steps: Sequence[Step]

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """Draw the order, and the parameters of every step."""
        keys = generator.random(len(self.steps))
        return {"order": [int(place) for place in np.argsort(keys)], **draw_each(self.steps, generator)}

    def apply(self, image: Floats, drawn: Mapping[str, Any], size: tuple[int, int]) -> Floats:
        """Apply one after the other, in the order that was drawn."""
        names = prefixes(self.steps)
        for place in drawn["order"]:
            image = self.steps[place].apply(image, own(drawn, names[place]), size)
        return image


def _refuse_twin(what: str, step: Step, kind: type) -> None:
    """Refuse a combinator directly inside its like, whose records would hide each other."""
    if isinstance(step, kind):
        raise ConfigError(f"{what} inside {what} ({step.name}): put a restorebench.datasets.combine.Chain between them")
