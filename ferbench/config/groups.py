"""Hydra's configuration groups: cards and YAML files are registered in Hydra's ConfigStore."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, get_type_hints

from ferbench.cards import BackboneCard, Card, DatasetCard, ExecutorCard, MethodCard, ProtocolCard, TrackerCard
from ferbench.config.schema import RunConfig
from ferbench.registry.loader import Registry
from ferbench.settings import hydras, types_of

GROUPS: Mapping[str, type[Card]] = {
    "dataset": DatasetCard,
    "method": MethodCard,
    "backbone": BackboneCard,
    "protocol": ProtocolCard,
    "executor": ExecutorCard,
    "test_dataset": DatasetCard,
    "tracker": TrackerCard,
    "extra_dataset": DatasetCard,
}
"""Groups whose options are components, with the kind of their cards."""

OPTIONAL = ("test_dataset", "extra_dataset", "tracker")
"""Those that a run may be without."""

PRESETS = ("budget", "preparation")
"""Groups whose options are YAML files in configs/ and not components."""


def tree() -> Path:
    """The folder configs/: inside the installed package, or next to it in a checkout."""
    here = Path(__file__).parent.parent
    return here / "configs" if (here / "configs").is_dir() else here.parent / "configs"


def register(registry: Registry) -> None:
    """Register the files of configs/ and the settings of all cards in Hydra's ConfigStore."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(name="run_schema", node=_schema(), provider="ferbench", **_replace())
    for path in sorted(tree().rglob("*.yaml")):
        _store_yaml(store, path, path.parent.relative_to(tree()).as_posix(), "ferbench")
    for group, kind in GROUPS.items():
        for name, card in registry.catalogue(kind).items():
            node = _node(f"{card.name}_{group}", name, card.schema)
            *folders, last = [group, *name.split("/")]  # a name that plugins share is DISTRIBUTION/NAME
            origin = registry.owner(card).origin
            store.store(group="/".join(folders), name=last, node=node, package=group, provider=origin, **_replace())


def _node(title: str, name: str, settings: type) -> type:
    """The settings of a component, and its name. OmegaConf reads frozen dataclasses as values that nobody may set, and knows no
    Literal, so that the fields of such a one are copied."""
    fields: list[tuple[str, Any, Any]] = [("name", str, field(default=name))]
    types = types_of(settings, f"'{name}'")
    same = all(hydras(kind) == kind for kind in types.values())
    if same and not settings.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return dataclasses.make_dataclass(title, fields, bases=(settings,))
    types = {name: hydras(kind) for name, kind in types.items()}
    fields += [(f.name, types[f.name], _copied(f)) for f in dataclasses.fields(settings)]
    return dataclasses.make_dataclass(title, fields, kw_only=True)


def _copied(f: dataclasses.Field[Any]) -> Any:
    return field(default=f.default, default_factory=f.default_factory)


def _store_yaml(store: Any, path: Path, group: str, provider: str) -> None:
    from omegaconf import OmegaConf

    text = path.read_text(encoding="utf-8")
    package = "_global_" if group == "budget" else None
    store.store(
        group=None if group == "." else group,
        name=path.stem,
        node=OmegaConf.create(text),
        package=package,
        provider=provider,
        **_replace(),
    )


def _schema() -> type:
    """RunConfig as Hydra's schema. Components are untyped here and get the types of their cards; seeds is a list or a number."""
    types = get_type_hints(RunConfig)
    fields: list[tuple[str, Any, Any]] = []
    for f in dataclasses.fields(RunConfig):
        if f.name in GROUPS:
            fields.append((f.name, Any, field(default_factory=dict)))
        elif f.name == "seeds":
            fields.append((f.name, Any, field(default_factory=lambda: [0])))
        else:
            fields.append((f.name, types[f.name], f))
    return dataclasses.make_dataclass("run_schema", fields)


def _before_1_4() -> bool:
    import hydra

    return tuple(map(int, hydra.__version__.split(".")[:2])) < (1, 4)


def _version_base() -> dict[str, Any]:
    """Hydra before 1.4 needs the argument version_base; from 1.4 on it is deprecated."""
    return {"version_base": "1.3"} if _before_1_4() else {}


def _replace() -> dict[str, Any]:
    """Hydra from 1.4 on needs replace=True to store a name again; before, it always replaced."""
    return {} if _before_1_4() else {"replace": True}
