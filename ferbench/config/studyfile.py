"""Study files: the methods, datasets, protocols and seeds of a comparison in one YAML file.

    methods: [degan, {name: derl, lr: 0.0002}]      # a name, or a name with settings
    datasets: [synthfaces, {name: oulu, root: $OULU_ROOT}]
    protocols: [auto]                                # optional
    ablations: {degan: all}                          # optional: ablations of a method
    seeds: [0, 1, 2]                                 # optional
    overrides: [budget=demo, backbone=timm]          # optional: as on the command line, for all runs

Each method is run on each dataset with each protocol. Overrides on the command line take precedence over those in the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench.cards import DatasetCard, MethodCard, ProtocolCard
from ferbench.config.groups import tree
from ferbench.config.overrides import component_words
from ferbench.errors import FerbenchError, UnknownName
from ferbench.registry.loader import Registry

KEYS = ("methods", "datasets", "protocols", "ablations", "seeds", "overrides")


def find(name: str, registry: Registry, config_dir: str | None = None) -> Path:
    """The file of a study.

    Args:
        name: path of a YAML file, or the name of a file in the folder `study` of configs/, of `config_dir` or of a plugin.

    Raises:
        FerbenchError: there is no such file, or several plugins have a study of that name.
        UnknownName: there is no study of that name.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise FerbenchError(f"study={name}: there is no such file.")
        return path
    known: dict[str, list[Path]] = {}
    for path in [*(tree() / "study").glob("*.yaml"), *(p for plugin in registry.plugins for p in plugin.studies)]:
        known.setdefault(path.stem, []).append(path)
    if config_dir:  # the user's own folder takes precedence
        known |= {path.stem: [path] for path in (Path(config_dir) / "study").glob("*.yaml")}
    if name not in known:
        raise UnknownName("study", name, known, hint="For your own file write study=./mine.yaml.")
    if len(known[name]) > 1:
        files = " and ".join(map(str, known[name]))
        raise FerbenchError(f"There are several studies '{name}': {files}. Write study=FILE with one of them.")
    return known[name][0]


def expand(path: Path, registry: Registry, more: Sequence[str] = ()) -> list[list[str]]:
    """The overrides of each run of a study, ordered by dataset, protocol and method.

    Args:
        more: overrides from the command line, which come last. They must not set method, dataset, protocol or ablation.

    Raises:
        FerbenchError: the file cannot be read, or `more` sets what the file sets.
        UnknownName: the file names something that does not exist.
    """
    study = _read(path)
    for word in more:
        key = word.lstrip("+~").partition("=")[0]
        if key in ("method", "dataset", "protocol", "ablation"):
            raise FerbenchError(
                f"'{word}' does not go with study={path.stem}, which sets {key} itself; change the file."
            )
    methods, datasets = (_nodes(study, key, path) for key in ("methods", "datasets"))
    protocols = _nodes(study, "protocols", path) if "protocols" in study else [{"name": "auto"}]
    for kind, nodes in ((MethodCard, methods), (DatasetCard, datasets), (ProtocolCard, protocols)):
        for node in nodes:
            registry.get(kind, str(node["name"]))
    names = {str(node["name"]) for node in methods}
    ablations = study.get("ablations") or {}
    if unknown := sorted(set(ablations) - names):
        raise UnknownName(f"method of the study {path.stem} (ablations)", unknown[0], names)
    common = [str(word) for word in study.get("overrides") or []]
    if seeds := study.get("seeds"):
        common.append(f"seeds=[{','.join(map(str, seeds))}]")
    return [
        [
            *_overrides("dataset", dataset, path),
            *_overrides("protocol", protocol, path),
            *_overrides("method", method, path),
            *([f"ablation={ablations[method['name']]}"] if method["name"] in ablations else []),
            *common,
            *more,
        ]
        for dataset in datasets
        for protocol in protocols
        for method in methods
    ]


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise FerbenchError(f"The study {path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise FerbenchError(f"The study {path} is not a mapping with methods and datasets.")
    if unknown := sorted(set(map(str, values)) - set(KEYS)):
        raise UnknownName(f"key of a study ({path.name})", unknown[0], KEYS)
    for key in ("methods", "datasets"):
        if not values.get(key):
            raise FerbenchError(f"The study {path} has no {key}.")
    for key, kind in (("ablations", dict), ("seeds", list), ("overrides", list)):
        if values.get(key) is not None and not isinstance(values[key], kind):
            raise FerbenchError(f"{key} of the study {path} is not a {'mapping' if kind is dict else 'list'}.")
    return values


def _nodes(study: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """The components under `key` as mappings of name and settings; a plain name has no settings."""
    entries = study[key] if isinstance(study[key], list) else [study[key]]
    nodes = []
    for entry in entries:
        node = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(node, dict) or "name" not in node:
            raise FerbenchError(
                f"{key} of the study {path} contains {entry!r}; write a name, or {{name: NAME, SETTING: VALUE}}."
            )
        nodes.append(node)
    return nodes


def _overrides(group: str, node: Mapping[str, Any], path: Path) -> list[str]:
    """The overrides of a component: its name and its settings, with environment variables filled in."""
    return component_words(group, {key: _expanded(value, path) for key, value in node.items()})


def _expanded(value: Any, path: Path) -> Any:
    """A value with each $NAME in its texts replaced by the environment variable of that name."""
    if isinstance(value, list):
        return [_expanded(part, path) for part in value]
    if not isinstance(value, str):
        return value
    for name in re.findall(r"\$(\w+)", value):
        if name not in os.environ:
            raise FerbenchError(
                f"The study {path.stem} needs the environment variable {name}: export {name}=/path/to/the/copy."
            )
    return os.path.expandvars(value)
