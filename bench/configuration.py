"""The edge: Hydra's configuration becomes Specs and plain settings here, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from . import schema
from .api import Sweep
from .errors import ConfigError, RestorebenchError, suggest
from .files import as_path
from .overrides import GROUPS
from .plan import Options, Request
from .spec import Spec

CONFIG_MODULE = "restorebench.conf"
_CONF = Path(__file__).parent.parent / "conf"

_FOLDER_OF_RESULTS = "restorebench.adapters.folder.Folder"
_REFERENCE_PATH = "restorebench.datasets.degradation.Pipeline"
_BATCHED_PATH = "restorebench.datasets.batched.BatchedPipeline"
_PATHS = {"opencv": "", "torch_cpu": "cpu", "torch_cuda": "cuda"}
DEGRADATION_SETTINGS = ("seed", "path", "kernels")
"""Keys of the group `degradation` that are settings of all splits, not splits."""

_FOLDER_OF_IMAGES = "restorebench.datasets.folder.Folder"


def compose_config(command: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Compose a command's configuration as the command line would.

    Raises:
        ConfigError: an override is wrong; the message keeps the key and suggests what was meant.
    """
    schema.register()
    with _own_hydra(), translated():
        return to_plain(compose(command, list(overrides)))


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Compose without disturbing a Hydra application that calls us."""
    state = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = state


def default_choices(command: str) -> dict[str, list[str]]:
    """Return what a command selects of each group when the user selects nothing."""
    primary = OmegaConf.to_container(OmegaConf.load(_CONF / f"{command}.yaml"))
    entries = primary.get("defaults", []) if isinstance(primary, dict) else []
    chosen = {group: value for entry in entries if isinstance(entry, dict) for group, value in entry.items()}
    return {group: list(chosen[group]) for group in GROUPS if isinstance(chosen.get(group), list)}


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Resolve a composed configuration into plain mappings, lists and scalars."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=False, enum_to_str=True)
    if not isinstance(plain, dict):
        raise ConfigError("the configuration is not a mapping")
    return {str(key): value for key, value in plain.items()}


@contextmanager
def translated() -> Iterator[None]:
    """Turn what Hydra, OmegaConf and YAML raise while they compose into one `ConfigError` with the key."""
    try:
        yield
    except (RestorebenchError, BrokenPipeError):
        raise
    except RecursionError:
        raise ConfigError("a configuration file refers to itself, or is nested too deeply") from None
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from None
    except Exception as error:  # YAML's own, and for odd content nearly anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConfigError(f"the configuration cannot be read: {'; '.join(lines[:4]) or type(error).__name__}") from None


def explain(error: BaseException) -> str:
    """Say in one or two lines what Hydra or OmegaConf refused."""
    cause = error.__cause__ or error.__context__
    text = str(error).strip()
    choice = re.search(r"Could not (?:find|load) '([^']+)'", text)
    if choice:
        group, _, name = choice[1].rpartition("/")
        known = _options(text) or _choices(group)
        return f"{group or 'config'}: no choice '{name}'; known: {', '.join(known)}.{suggest(name, known)}"
    unknown = re.search(r"Key '([^']+)' (?:is not in struct|not in '(\w+)')", f"{text}\n{cause}")
    if unknown:
        full = re.search(r"full_key: (\S+)", f"{text}\n{cause}")
        key = full[1] if full else unknown[1]
        return f"{key}: no such setting.{suggest(key, _keys(key))} See the settings with --cfg job"
    value = re.search(r"Value '(.*)' of type '\w+' could not be converted to (\w+)", f"{text}\n{cause}")
    if value:
        full = re.search(r"full_key: (\S+)", f"{text}\n{cause}")
        return f"{full[1] if full else 'a setting'}: '{value[1]}' is not of type {value[2].lower()}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if cause is not None and "Error merging override" in text:
        lines = [lines[0], *(line.strip() for line in str(cause).splitlines() if line.strip())]
    kept = [line for line in lines if not line.startswith(("object_type=", "reference_type=", "See https"))]
    return "; ".join(kept[:3]) or type(error).__name__


def _options(text: str) -> list[str]:
    _, found, rest = text.partition("Available options in")
    return [line.strip() for line in rest.splitlines()[1:] if line.strip() and ":" not in line] if found else []


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (_CONF / group).glob("*.yaml"))


def _keys(key: str) -> list[str]:
    """Settings a misspelt key may have meant."""
    top = {name for kind in (schema.RunSchema, schema.ScoreSchema) for name in kind.__dataclass_fields__}
    parent, _, _ = key.rpartition(".")
    inner: dict[str, Any] = {
        "mlflow": schema.MlflowSchema,
        "report": schema.ReportSchema,
        "report.figures": schema.FiguresSchema,
        "restorer": schema.RestorerSchema,
    }
    if re.fullmatch(r"report\.table\.\w+", parent):
        inner[parent] = schema.TableSchema
    if parent in inner:
        return [f"{parent}.{name}" for name in inner[parent].__dataclass_fields__]
    return sorted(top)


# -- from plain configuration to requests ------------------------------------------------------


def run_request(config: Mapping[str, Any], splits_chosen: bool) -> Request:
    """Read what `restorebench run` was asked for.

    Args:
        config: the composed configuration, plain.
        splits_chosen: whether the user named a degradation; if not, sets that bring LQ images use those.

    Raises:
        ConfigError: a setting is unknown, missing or of the wrong type.
    """
    return Request(
        adapters=specs(config["adapter"], "adapter"),
        datasets=specs(config["dataset"], "dataset"),
        splits=splits(config["degradation"]),
        metrics=specs(config["metric"], "metric"),
        degradation_seed=int(config["degradation"].get("seed", 0)),
        restorer_seeds=tuple(config["restorer"]["seeds"]) or (0,),
        splits_chosen=splits_chosen,
        **_common(config),
    )


def score_request(config: Mapping[str, Any]) -> Request:
    """Read what `restorebench score` was asked for: folders of results on the split `given`."""
    restored, reference = config["restored"], config["reference"]
    if restored is None or restored == "???":
        raise ConfigError("restored: a folder of restored images is needed, such as restored=results")
    named = restored if isinstance(restored, Mapping) else {Path(str(restored)).name or "restored": restored}
    adapters = {
        str(name): {"_target_": _FOLDER_OF_RESULTS, "path": str(path), "partial": config["partial"]}
        for name, path in named.items()
    }
    dataset = {"_target_": _FOLDER_OF_IMAGES, "alignment": config["alignment"]}
    if reference is None:
        dataset |= {"root": str(next(iter(named.values()))), "holds": "lq", "name": "restored"}
    else:
        dataset |= {"root": reference, "name": "reference"}
    return Request(
        adapters=specs(adapters, "restored"),
        datasets=specs({"reference": dataset}, "reference"),
        splits={"given": None},
        metrics=specs(config["metric"], "metric"),
        **_common(config),
    )


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("batch", "shard"):
        if config[key] < 1:
            raise ConfigError(f"{key}: {config[key]} is too small; use 1 or more")
    for key in ("threads", "limit"):
        if config[key] < 0:
            raise ConfigError(f"{key}: {config[key]} is negative; use 0 or more")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", config["device"]):
        raise ConfigError(f"device: '{config['device']}' is not auto, cpu, cuda or cuda:N")
    names = ("batch", "shard", "threads", "device", "keep", "limit")
    return {
        "out": as_path(config["out"]),
        "options": Options(**{name: config[name] for name in names}),
        "sort": tuple(config["report"]["sort"]),
        "protocol": config["protocol"],
        "fetch": config["fetch"],
        "reference_row": config["reference_row"],
    }


def specs(group: Mapping[str, Any], where: str) -> dict[str, Spec]:
    """Turn the choices of one group into Specs by name, in the order of the command."""
    found = {}
    for name, config in group.items():
        if not isinstance(config, Mapping):
            raise ConfigError(f"{where}.{name}: expected a mapping with _target_, found {config!r}")
        found[name] = Spec.of(config, f"{where}.{name}")
    return found


def splits(group: Mapping[str, Any]) -> dict[str, Spec | None]:
    """Turn the degradation group into Specs by split name; `given` is None, a sweep becomes its levels.

    Raises:
        ConfigError: a setting is wrong, or two sweeps make a split of one name.
    """
    found: dict[str, Spec | None] = {}
    path = str(group.get("path", "opencv"))
    if path not in _PATHS:
        raise ConfigError(f"degradation.path: '{path}' is not {', '.join(_PATHS)}{suggest(path, _PATHS)}")
    for name, config in group.items():
        if name in DEGRADATION_SETTINGS:
            continue
        for split, spec in _levels(name, config).items():
            if split in found:
                raise ConfigError(f"degradation.{name}: split '{split}' is selected twice")
            found[split] = _on_path(split, spec, path)
    return found


def _on_path(split: str, spec: Spec | None, path: str) -> Spec | None:
    """Move a degradation to the batched path, whose images are others and whose identity says so."""
    if spec is None or path == "opencv":
        return spec
    if spec.target != _REFERENCE_PATH:
        raise ConfigError(f"degradation.{split}: {spec.target} has no batched form; use degradation.path=opencv")
    return Spec.of({"_target_": _BATCHED_PATH, **spec.arguments, "device": _PATHS[path]}, f"degradation.{split}")


def _levels(name: str, config: Mapping[str, Any] | None) -> dict[str, Spec | None]:
    if config is None:
        return {name: None}
    spec = Spec.of(config, f"degradation.{name}")
    made = spec.build()
    if not isinstance(made, Sweep):
        return {name: spec}
    return {split: Spec.of(level, f"degradation.{split}") for split, level in made.splits().items()}
