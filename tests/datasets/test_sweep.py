"""A sweep becomes splits that differ in one parameter only, in order of severity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from restorebench.bench.api import Sweep as SweepProtocol
from restorebench.bench.configuration import compose_config, splits
from restorebench.bench.errors import ConfigError
from restorebench.bench.images import read
from restorebench.bench.seeds import numpy_generator
from restorebench.bench.spec import Spec
from restorebench.datasets.sweep import Sweep

CONF = Path(__file__).resolve().parents[2] / "conf" / "degradation"
FIXED = {"sigma": "blur_sigma_x", "r": "down_scale", "delta": "noise_delta", "q": "jpeg_quality"}


def composed(*overrides: str) -> dict[str, Spec]:
    """The splits as the command line would make them."""
    made = splits(compose_config("synthesize", overrides)["degradation"])
    return {name: spec for name, spec in made.items() if spec is not None}


def parameters(spec: Spec, image: Any) -> tuple[dict[str, Any], Any]:
    pipeline = spec.build()
    made = pipeline(image, numpy_generator(0, "degradation", pipeline.key, "face"))
    return dict(made.parameters), made.lq


@pytest.mark.parametrize("over", list(FIXED))
def test_only_the_swept_parameter_changes(over: str, faces: dict[str, Path]) -> None:
    image = read(faces["huard"])
    made = composed(f"degradation=[sweep_{over}]")
    levels = yaml.safe_load((CONF / f"sweep_{over}.yaml").read_text())["levels"]
    assert list(made) == [f"{over}_{level}" for level in levels]
    drawn = [parameters(spec, image)[0] for spec in made.values()]
    assert [row[FIXED[over]] for row in drawn] == levels
    changing = {FIXED[over], "blur_sigma_y", "native_height", "native_width"}
    for row in drawn:
        assert {key: row[key] for key in row.keys() - changing} == {key: drawn[0][key] for key in row.keys() - changing}


@pytest.mark.parametrize("over", list(FIXED))
def test_each_level_is_further_from_the_reference(over: str, faces: dict[str, Path]) -> None:
    image = read(faces["hopper"])
    lqs = [parameters(spec, image)[1] for spec in composed(f"degradation=[sweep_{over}]").values()]
    errors = [float(np.mean((lq.astype(float) - image) ** 2)) for lq in lqs]
    assert errors == sorted(errors)
    assert len(set(errors)) == len(errors)


def test_parameter_and_levels_are_free_on_the_command_line() -> None:
    made = composed("degradation=[sweep,mild]", "degradation.sweep.over=q", "degradation.sweep.levels=[15,95,40]")
    assert list(made) == ["q_95", "q_40", "q_15", "mild"]


def test_a_level_is_a_plain_split_that_anybody_could_write() -> None:
    """So its results are shared with a hand-written configuration of the same key."""
    spec = composed("degradation=[sweep_delta]")["delta_10"]
    by_hand = yaml.safe_load((CONF / "x4_mild.yaml").read_text()) | {"key": "sweep"}
    values = {"GaussianBlur": {"sigma": 2, "isotropic": 1}, "GaussianNoise": {"delta": 10}, "Jpeg": {"quality": 80}}
    for step in by_hand["steps"]:
        step.update(values.get(step["_target_"].rpartition(".")[2], {}))
    assert spec.identity == Spec.of(by_hand, "by hand").identity


def test_two_sweeps_may_not_make_one_split_twice() -> None:
    with pytest.raises(ConfigError, match="'sigma_1' is selected twice"):
        composed("degradation=[sweep,sweep_sigma]")


def test_it_offers_what_the_engine_asks_of_a_sweep() -> None:
    assert isinstance(Sweep("q", [10, 20]), SweepProtocol)


@pytest.mark.parametrize(
    ("over", "levels", "message"),
    [
        ("gamma", [1, 2], "over 'gamma'; known: sigma, r, delta, q"),
        ("q", [50], "two or more"),
        ("q", [5, 5], "different"),
    ],
)
def test_settings_without_meaning_are_refused(over: Any, levels: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sweep(over, levels)
