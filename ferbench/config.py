"""Hydra composes the configuration of a study, once, and does nothing else; its errors become sentences.

Component groups come from the cards of the registry, through Hydra's ConfigStore: their settings are typed, and an
unknown key is refused. The rest of the tree stands in configs/.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ferbench.cards import BackboneCard, Card, DatasetCard, ExecutorCard, MethodCard, ProtocolCard
from ferbench.errors import FerbenchError, UnknownName
from ferbench.registry import Registry
from ferbench.settings import SECTIONS, RunConfig, from_plain

GROUPS: Mapping[str, type[Card]] = {
    "dataset": DatasetCard,
    "method": MethodCard,
    "backbone": BackboneCard,
    "protocol": ProtocolCard,
    "executor": ExecutorCard,
    "test_dataset": DatasetCard,
}


PRESETS = ("budget", "preparation")
"""Groups of configs/ that are chosen by name and are no component."""


def tree() -> Path:
    """The folder configs/, in an installed wheel or beside the sources."""
    here = Path(__file__).parent
    return here / "configs" if (here / "configs").is_dir() else here.parent / "configs"


def register(registry: Registry) -> None:
    """Put the configuration tree and every card's settings into Hydra's ConfigStore."""
    import yaml
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(name="run_schema", node=_schema(), provider="ferbench", **_replace())
    for path in sorted(tree().rglob("*.yaml")):
        _store_yaml(store, path, path.parent.relative_to(tree()).as_posix(), "ferbench")
    for plugin in registry.plugins:
        for path in plugin.experiments:
            try:
                _store_yaml(store, path, "experiment", plugin.origin)
            except (OSError, yaml.YAMLError) as error:
                raise FerbenchError(
                    f"The plugin '{plugin.name}' gives the experiment {path}, which cannot be read: {error}"
                ) from error
    for group, kind in GROUPS.items():
        for name, card in registry.catalogue(kind).items():
            fields = [("name", str, field(default=name))]
            node = dataclasses.make_dataclass(f"{card.name}_{group}", fields, bases=(card.settings,))
            store.store(
                group=group, name=name, node=node, package=group, provider=registry.owner(card).origin, **_replace()
            )


def _store_yaml(store: Any, path: Path, group: str, provider: str) -> None:
    from omegaconf import OmegaConf

    text = path.read_text(encoding="utf-8")
    package = "_global_" if group in ("experiment", "budget") else None
    store.store(
        group=None if group == "." else group,
        name=path.stem,
        node=OmegaConf.create(text),
        package=package,
        provider=provider,
        **_replace(),
    )


def _schema() -> type:
    """RunConfig with untyped component nodes: Hydra fills those with the cards' dataclasses."""
    components: list[tuple[str, Any, Any]] = [(name, Any, field(default_factory=dict)) for name in GROUPS]
    return dataclasses.make_dataclass("run_schema", components, bases=(RunConfig,))


def _before_1_4() -> bool:
    import hydra

    return tuple(map(int, hydra.__version__.split(".")[:2])) < (1, 4)


def _version_base() -> dict[str, Any]:
    """Hydra below 1.4 wants to be told which version's behaviour is meant; 1.4 deprecates the argument."""
    return {"version_base": "1.3"} if _before_1_4() else {}


def _replace() -> dict[str, Any]:
    """Hydra from 1.4 wants to be told that storing a name again is meant; before, it always was."""
    return {} if _before_1_4() else {"replace": True}


def hydra_main(registry: Registry, arguments: Sequence[str], prog: str = "ferbench run") -> None:
    """Hand the command line to Hydra itself: --cfg, --info, --shell-completion and the like."""
    import sys

    import hydra

    register(registry)

    def nothing(_: Any) -> None:
        return None

    argv, handlers, level = sys.argv, logging.root.handlers[:], logging.root.level
    sys.argv = [prog, *arguments]
    try:
        hydra.main(config_path=None, config_name="run", **_version_base())(nothing)()
    finally:
        sys.argv = argv
        logging.root.handlers[:] = handlers  # Hydra leaves its own behind
        logging.root.setLevel(level)


@contextmanager
def _hydra(config_dir: str | None) -> Iterator[None]:
    from hydra import initialize, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    if config_dir is not None:
        folder = Path(config_dir).resolve()
        if not folder.is_dir():
            raise FerbenchError(f"--config-dir names {folder}, which is no folder.")
        with initialize_config_dir(str(folder), **_version_base()):
            yield
    else:
        with initialize(config_path=None, **_version_base()):
            yield


def compose(
    registry: Registry,
    overrides: Sequence[str],
    *,
    sweep: bool = False,
    config_dir: str | None = None,
    config_name: str = "run",
    method_needed: bool = True,
) -> list[RunConfig]:
    """The configurations that the overrides ask for: one, or with `sweep` one for each point of the sweep.

    Args:
        method_needed: without it, a configuration that names no method gets the first that is installed; for what
            looks at data only.

    Raises:
        FerbenchError: an override is misspelt, of the wrong type, or names something that is not there.
    """
    register(registry)
    if not method_needed and not any(o.startswith("method=") for o in overrides):
        overrides = [*overrides, f"method={next(iter(registry.catalogue(MethodCard)))}"]
    with _hydra(config_dir):
        points = [list(overrides)] if not sweep else _sweep_points(overrides)
        return [_compose_one(registry, point, config_name) for point in points]


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
                    f"'{override}' is no option of ferbench run; 'ferbench run --help' lists them."
                ) from error
            raise FerbenchError(
                f"'{override}' is not an override; one reads key=value, such as method=degan or budget=smoke. "
                "Quote values that hold spaces or brackets: 'protocol.folds=[0,1]'."
            ) from error
    return parsed


def _sweep_points(overrides: Sequence[str]) -> list[list[str]]:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    batches = BasicSweeper.split_arguments(_parse(overrides), max_batch_size=None)
    return [list(point) for batch in batches for point in batch]


def _compose_one(registry: Registry, overrides: list[str], config_name: str) -> RunConfig:
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    parsed = _parse(overrides)
    _check_names(registry, parsed, config_name)
    try:
        composed = hydra_compose(config_name=config_name, overrides=overrides)
        values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = getattr(error, "full_key", None) or str(error).rpartition(" ")[2]
        raise FerbenchError(f"{key} has to be given: add {key}=... to the command.") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise _sentence(error, registry, parsed) from error
    assert isinstance(values, dict)
    values.pop("experiment", None)
    plain = {str(k): v for k, v in values.items()}
    for key, value in _flat(plain):
        if isinstance(value, float) and not math.isfinite(value):
            raise FerbenchError(f"{key} is {value}; it has to be a number.")
    extra = sorted(set(plain) - {f.name for f in dataclasses.fields(RunConfig)})
    if extra:
        raise UnknownName("setting", extra[0], [f.name for f in dataclasses.fields(RunConfig)])
    config = from_plain(plain)
    for group, kind in GROUPS.items():
        node = getattr(config, group)
        if not node:  # no test dataset was asked for
            continue
        allowed = {"name", *registry.get(kind, node["name"]).setting_names}
        if unknown := sorted(set(node) - allowed):
            raise UnknownName(f"setting of {group} '{node['name']}'", unknown[0], allowed - {"name"})
    return config


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every leaf."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_names(registry: Registry, parsed: Iterable[Any], config_name: str) -> None:
    """Unknown components get the registry's own sentence, before Hydra sees them."""
    named = set()
    for override in parsed:
        key = override.key_or_group
        if key in GROUPS:
            if override.is_sweep_override():
                raise FerbenchError(
                    f"{override.input_line} names several; add --multirun to run them all as one study."
                )
            named.add(key)
            if not override.is_delete() and override.value() not in (None, "???"):
                registry.get(GROUPS[key], str(override.value()))
        elif key.endswith(".name") and key.partition(".")[0] in GROUPS:
            group = key.partition(".")[0]
            raise FerbenchError(
                f"{key} follows from {group}; write {group}={override.value()} instead of {override.input_line}."
            )
        elif key.startswith(("hydra/launcher", "hydra/sweeper")):
            raise FerbenchError(
                f"ferbench runs a sweep as one study and takes no Hydra launcher or sweeper ({override.input_line}); "
                f"use executor=NAME. Known: {', '.join(registry.catalogue(ExecutorCard))}."
            )
        elif key in PRESETS and not override.is_sweep_override():
            known = [p.stem for p in (tree() / key).glob("*.yaml")]
            if override.value() not in known:
                raise UnknownName(key, override.value(), known)
        elif key == "experiment":
            named |= set(GROUPS)
    if "method" not in named and config_name == "run":
        raise FerbenchError(f"Which method? Write method=NAME. Known: {', '.join(registry.catalogue(MethodCard))}.")


_KEY = re.compile(r"(?:Could not override '([^']+)'|Error merging override ([^\n=]+=[^\n]*))")


def _sentence(error: Exception, registry: Registry, parsed: Sequence[Any]) -> FerbenchError:
    """One sentence for an error of Hydra or OmegaConf: the override, what is wrong, the near miss."""
    found = _KEY.search(str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if found is None:
        key = getattr(error, "full_key", None)
        where = f"{key}: " if key else ""
        return FerbenchError(f"{where}{lines[0] if lines else type(error).__name__}")
    if found.group(2):
        cause = str(error.__cause__ or "").splitlines()
        reasons = [
            line
            for line in [*lines[1:], *cause]
            if not line.strip().startswith(("full_key", "reference_type", "object_type"))
        ]
        reason = reasons[0] if reasons else "the value does not fit"
        return FerbenchError(f"{found.group(2).strip()} is not possible: {reason[0].lower()}{reason[1:].rstrip('.')}.")
    key = found.group(1)
    known = _known_keys(registry, parsed)
    near = get_close_matches(key, known, 3, 0.6)
    parent = key.rpartition(".")[0]
    siblings = sorted(k for k in known if k.rpartition(".")[0] == parent)
    text = f"There is no setting '{key}'."
    if near:
        text += f" Did you mean {' or '.join(repr(n) for n in near)}?"
    if siblings:
        text += f" Known: {', '.join(siblings)}."
    return FerbenchError(text)


def _known_keys(registry: Registry, parsed: Sequence[Any]) -> list[str]:
    chosen = {o.key_or_group: str(o.value()) for o in parsed if o.key_or_group in GROUPS and not o.is_sweep_override()}
    keys = [f.name for f in dataclasses.fields(RunConfig)]
    for name, section in SECTIONS.items():
        keys += [f"{name}.{f.name}" for f in dataclasses.fields(section)]
    for group, kind in GROUPS.items():
        cards = registry.catalogue(kind)
        card = cards.get(chosen.get(group, ""))
        keys += [f"{group}.{s}" for c in ([card] if card else cards.values()) for s in c.setting_names]
    return keys


def complete(registry: Registry, given: Sequence[str], word: str) -> list[str]:
    """What Hydra would complete `word` to, after the overrides `given`."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    register(registry)
    with _hydra(None):
        loader = GlobalHydra.instance().config_loader()
        return sorted(DefaultCompletionPlugin(loader)._query(config_name="run", line=" ".join([*given, word])))


def quoted(value: str) -> str:
    """As Hydra takes any text: in quotes, where it holds more than names are made of."""
    if all(c.isalnum() or c in "_-./:" for c in value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
