"""Composing the configuration of a study with Hydra. Nothing else uses Hydra; its errors are turned into sentences.

The groups of components (dataset, method ...) are made from the cards of the registry through Hydra's ConfigStore: their
settings are typed, and unknown keys are errors. The other groups and the defaults are the YAML files in configs/.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferbench.cards import MethodCard
from ferbench.config.groups import GROUPS, _version_base, register
from ferbench.config.overrides import as_registered, texts_quoted
from ferbench.config.schema import SECTIONS, RunConfig, choices, from_dict
from ferbench.config.sentences import _check_names, _sentence
from ferbench.deprecation import rename_overrides
from ferbench.errors import FerbenchError, UnknownName
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry
from ferbench.settings import plain as as_recorded


def hydra_main(registry: Registry, arguments: Sequence[str], prog: str = "ferbench run") -> None:
    """Pass the command line to Hydra, for Hydra's own options such as --cfg, --info and --shell-completion."""
    import sys

    import hydra

    register(registry)

    def nothing(_: Any) -> None:
        return None

    argv, handlers, level = sys.argv, logging.root.handlers[:], logging.root.level
    sys.argv = [prog, *texts_quoted(registry, as_registered(registry, arguments), sweep=True)]
    try:
        hydra.main(config_path=None, config_name="run", **_version_base())(nothing)()
    finally:
        sys.argv = argv
        logging.root.handlers[:] = handlers  # Hydra replaces them and does not restore them
        logging.root.setLevel(level)


@contextmanager
def _hydra(config_dir: str | None) -> Iterator[None]:
    from hydra import initialize, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    of_caller = GlobalHydra.instance().hydra  # a script may use Hydra itself
    GlobalHydra.instance().clear()
    try:
        if config_dir is not None:
            folder = Path(config_dir).resolve()
            if not folder.is_dir():
                raise FerbenchError(f"--config-dir names {folder}, which is not a folder.")
            with initialize_config_dir(str(folder), **_version_base()):
                yield
        else:
            with initialize(config_path=None, **_version_base()):
                yield
    finally:
        GlobalHydra.instance().hydra = of_caller


def compose(
    registry: Registry,
    overrides: Sequence[str],
    *,
    sweep: bool = False,
    config_dir: str | None = None,
    config_name: str = "run",
    method_needed: bool = True,
    tell: Callable[[str], None] = lambda sentence: None,
) -> list[RunConfig]:
    """Compose configurations from overrides.

    Args:
        overrides: Hydra overrides, such as "method=degan" or "budget.steps=100".
        sweep: whether overrides may have several values (--multirun). There is one configuration for each combination.
        config_dir: an additional folder with YAML files.
        config_name: name of the YAML file with the defaults.
        method_needed: whether it is an error if no method is named. If not, the first installed method is used; this is for
            commands that use only the data.
        tell: called with a sentence for each setting that is given by a former name.

    Returns:
        One configuration, or one for each combination of a sweep.

    Raises:
        FerbenchError: an override is misspelt, has the wrong type, or names something that does not exist.
    """
    register(registry)
    overrides, sentences = rename_overrides(overrides)
    for sentence in sentences:
        tell(sentence)
    if not method_needed and not any(o.startswith("method=") for o in overrides):
        overrides = [*overrides, f"method={next(iter(registry.catalogue(MethodCard)))}"]
    if not method_needed:
        overrides = [*overrides, *_any_of_shared(registry, overrides)]
    overrides = texts_quoted(registry, as_registered(registry, overrides), sweep)
    with _hydra(config_dir):
        points = [list(overrides)] if not sweep else _sweep_points(overrides)
        return [_compose_one(registry, point, config_name, config_dir) for point in points]


def _any_of_shared(registry: Registry, overrides: Sequence[str]) -> Iterator[str]:
    """For commands that use only the data: a backbone and an executor, where plugins share the name of one, maybe the default."""
    shared = {kind for kind, _ in registry.doubled()}
    for group in ("backbone", "executor"):
        if GROUPS[group].kind in shared and not any(o.startswith(f"{group}=") for o in overrides):
            yield f"{group}={next(iter(registry.catalogue(GROUPS[group])))}"


def _parse(overrides: Sequence[str]) -> list[Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for override in overrides:
        try:
            parsed += parser.parse_overrides([override])
        except HydraException as error:
            if override.startswith("-"):
                raise FerbenchError(
                    f"'{override}' is not an option of ferbench run; 'ferbench run --help' lists the options."
                ) from error
            raise FerbenchError(
                f"'{override}' is not an override. Write key=value, such as method=degan or budget=smoke, and quote values with "
                "spaces or brackets: 'protocol.folds=[0,1]'."
            ) from error
    return parsed


def _sweep_points(overrides: Sequence[str]) -> list[list[str]]:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    batches = BasicSweeper.split_arguments(_parse(overrides), max_batch_size=None)
    return [list(point) for batch in batches for point in batch]


def _compose_one(registry: Registry, overrides: list[str], config_name: str, config_dir: str | None) -> RunConfig:
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    parsed = _parse(overrides)
    _check_names(registry, parsed, config_name, config_dir)
    try:
        composed = hydra_compose(config_name=config_name, overrides=overrides)
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True, enum_to_str=True)
    except MissingMandatoryValue as error:
        key = getattr(error, "full_key", None) or str(error).rpartition(" ")[2]
        raise FerbenchError(f"{key} has no value; add {key}=... to the command.") from error
    except (HydraException, OmegaConfBaseException) as error:
        for kind_name, name in registry.doubled():  # one of the defaults, which nobody typed
            for group in (group for group, kind in GROUPS.items() if kind.kind == kind_name):
                if f"'{group}/{name}'" in str(error):
                    registry.get(GROUPS[group], name)
        raise _sentence(error, registry, parsed) from error
    assert isinstance(values, dict)
    plain = {str(k): as_recorded(v) for k, v in values.items()}  # OmegaConf from 2.4 on keeps tuples
    for key, value in _flat(plain):
        if isinstance(value, float) and not math.isfinite(value):
            raise FerbenchError(f"{key} is {value}; it has to be a finite number.")
    extra = sorted(set(plain) - {f.name for f in dataclasses.fields(RunConfig)})
    if extra:
        raise UnknownName("setting", extra[0], [f.name for f in dataclasses.fields(RunConfig)])
    plain["seeds"] = _numbers("seeds", plain["seeds"])
    if plain["protocol"].get("folds") is not None:
        plain["protocol"]["folds"] = _numbers("protocol.folds", plain["protocol"]["folds"])
    config = from_dict(plain)
    for group, kind in GROUPS.items():
        component: Component | None = getattr(config, group)
        if component is None:  # one of OPTIONAL
            continue
        allowed = registry.get(kind, component.name).setting_names
        if unknown := sorted(set(component.settings) - set(allowed)):
            raise UnknownName(f"setting of {group} '{component.name}'", unknown[0], allowed)
        registry.get(kind, component.name).check_values(component.settings, group)
    return config


def _numbers(name: str, given: object) -> list[int]:
    """One whole number, or a list of them."""
    values = given if isinstance(given, list) else [given]
    numbers = [value for value in values if type(value) is int]
    if not numbers or numbers != values:
        raise FerbenchError(f"{name} is {given}; write a whole number, or several such as {name}=[0,1,2].")
    return numbers


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(key, value) of every value in nested mappings; the parts of a key are joined by dots."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def complete(registry: Registry, overrides: Sequence[str], word: str) -> list[str]:
    """Shell completion: the possible completions of `word` after `overrides`. They are Hydra's, and the values of enums."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    key, equals, start = word.partition("=")
    section, _, name = key.partition(".")
    if equals and section in SECTIONS and name in (options := choices(SECTIONS[section])):
        return [f"{key}={option.value}" for option in options[name] if option.value.startswith(start)]
    register(registry)
    with _hydra(None):
        loader = GlobalHydra.instance().config_loader()
        return sorted(DefaultCompletionPlugin(loader)._query(config_name="run", line=" ".join([*overrides, word])))
