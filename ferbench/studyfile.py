"""Study files: methods, datasets, protocols and seeds in one place, so that a whole comparison is one command.

    methods: [degan, {name: derl, lr: 0.0002}]      # each with settings of its own, if need be
    datasets: [synthfaces, {name: oulu, root: $OULU_ROOT}]
    protocols: [auto]                                # optional
    ablations: {degan: all}                          # optional: by method
    seeds: [0, 1, 2]                                 # optional
    overrides: [budget=demo, backbone=timm]          # optional: as on the command line, for all

Each method runs on each dataset under each protocol. Words on the command line come last and win.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench.cards import DatasetCard, MethodCard, ProtocolCard
from ferbench.config import quoted, tree
from ferbench.errors import FerbenchError, UnknownName
from ferbench.registry import Registry

KEYS = ("methods", "datasets", "protocols", "ablations", "seeds", "overrides")


def find(name: str, config_dir: str | None = None) -> Path:
    """The file of a study: a path to YAML, or a name in the folder `study` of configs/ or of --config-dir.

    Raises:
        UnknownName, FerbenchError: there is none.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise FerbenchError(f"study={name}: there is no such file.")
        return path
    folders = [Path(config_dir) / "study"] if config_dir else []
    known = {path.stem: path for folder in [tree() / "study", *folders] for path in sorted(folder.glob("*.yaml"))}
    if name not in known:
        raise UnknownName("study", name, known, hint="A file of your own is study=./mine.yaml.")
    return known[name]


def expand(path: Path, registry: Registry, more: Sequence[str] = ()) -> list[list[str]]:
    """The overrides of each run of a study: method by method, dataset by dataset.

    Args:
        more: from the command line; they come last. One that names a method, dataset or protocol is refused.

    Raises:
        FerbenchError: the file cannot be read, or names what there is not.
    """
    study = _read(path)
    for word in more:
        key = word.lstrip("+~").partition("=")[0]
        if key in ("method", "dataset", "protocol", "ablation"):
            raise FerbenchError(f"'{word}' does not go with study={path.stem}, which names its own; change the file.")
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
            *_words("dataset", dataset, path),
            *_words("protocol", protocol, path),
            *_words("method", method, path),
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
        raise FerbenchError(f"The study {path} is no mapping with methods and datasets.")
    if unknown := sorted(set(map(str, values)) - set(KEYS)):
        raise UnknownName(f"key of a study ({path.name})", unknown[0], KEYS)
    for key in ("methods", "datasets"):
        if not values.get(key):
            raise FerbenchError(f"The study {path} names no {key}.")
    for key, kind in (("ablations", dict), ("seeds", list), ("overrides", list)):
        if values.get(key) is not None and not isinstance(values[key], kind):
            raise FerbenchError(f"{key} of the study {path} is no {'mapping' if kind is dict else 'list'}.")
    return values


def _nodes(study: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """Names, or mappings with a name and settings."""
    entries = study[key] if isinstance(study[key], list) else [study[key]]
    nodes = []
    for entry in entries:
        node = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(node, dict) or "name" not in node:
            raise FerbenchError(f"{key} of the study {path} has {entry!r}; write a name, or name: and settings.")
        nodes.append(node)
    return nodes


def _words(group: str, node: Mapping[str, Any], path: Path) -> Iterable[str]:
    yield f"{group}={node['name']}"
    for key, value in node.items():
        if key != "name":
            yield f"{group}.{key}={_value(value, path)}"


def _value(value: Any, path: Path) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(_value(v, path) for v in value)}]"
    if not isinstance(value, str):
        return str(value)
    for name in re.findall(r"\$(\w+)", value):
        if name not in os.environ:
            raise FerbenchError(
                f"The study {path.stem} needs the environment variable {name}: export {name}=/path/to/the/copy."
            )
    return quoted(os.path.expandvars(value))
