"""What goes to machines that do not share the results folder, and what comes home: see ferbench.interfaces.parcels."""

from __future__ import annotations

import dataclasses
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ferbench.config.schema import from_dict
from ferbench.execution.installed import PACKAGES, version
from ferbench.files import draft_of, publish
from ferbench.interfaces.executor import Node
from ferbench.interfaces.parcels import Files
from ferbench.plan.identity import Cards
from ferbench.records import files
from ferbench.records.schema import Outcome, Record, Trial
from ferbench.records.store import Store
from ferbench.registry.code import imported_beside
from ferbench.registry.loader import load_registry, moved

FAILURE, CHECKPOINT = "failure", "checkpoint"
"""Names in a parcel for what is a file beside the folders of records and stages."""


def prepare(results_dir: str | Path) -> None:
    Store(results_dir).prepare()


def pack(node: Node) -> Files:
    store = _store(node)
    if node.stage is not None:
        if store.trained(node.key):
            return _contents(store.stage(node.key))
        return _one(CHECKPOINT, files.checkpoint(store.stage(node.key)))
    if store.has(node.key):
        return _contents(store.path(node.key))
    failure = store.failure(node.key)
    return {} if failure is None else {FAILURE: failure.to_json().encode()}


def adopt(node: Node, found: Files) -> None:
    store, trial = _store(node), node.trial
    if CHECKPOINT in found and not store.trained(node.key):
        path = files.checkpoint(store.stage(node.key))
        draft = draft_of(path)
        draft.write_bytes(found[CHECKPOINT])
        draft.replace(path)
    elif files.STAGE in found:
        _adopt_stage(store, node.key, found)
    elif FAILURE in found:
        outcome = Outcome.from_json(found[FAILURE].decode())
        store.write_failure(dataclasses.replace(outcome, trial=trial))
    elif files.RECORD in found and not store.finished(trial):

        def fill(folder: Path) -> Record:
            _write(folder, {name: data for name, data in found.items() if name != files.RECORD})
            return dataclasses.replace(Record.from_json(found[files.RECORD].decode()), trial=trial)

        store.write(trial.id, fill, replace=bool(trial.replaces))


def _adopt_stage(store: Store, key: str, found: Files) -> None:
    """Store a trained stage. It replaces one that was trained by other code: whoever trained it again was to do so."""
    target = store.stage(key)
    if store.trained(key):
        if (target / files.STAGE).read_bytes() == found[files.STAGE]:
            return
        shutil.rmtree(target)
    draft = draft_of(target)
    draft.mkdir()
    try:
        _write(draft, found)
        publish(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    files.checkpoint(target).unlink(missing_ok=True)


def plugin_files(trials: Sequence[Trial]) -> dict[str, Files]:
    paths = dict.fromkeys(path for trial in trials for path in trial.plugin_files)
    return {
        path: {
            file.relative_to(Path(path).parent).as_posix(): file.read_bytes() for file in imported_beside(Path(path))
        }
        for path in paths
    }


def place(plugins: Mapping[str, Files], folder: Path) -> None:
    for number, (path, contents) in enumerate(plugins.items()):
        here = Path(path).parent
        if all((here / name).is_file() and (here / name).read_bytes() == data for name, data in contents.items()):
            continue
        target = folder / str(number)
        target.mkdir(parents=True, exist_ok=True)
        _write(target, contents)
        moved(path, target / Path(path).name)


def installed(trials: Sequence[Trial]) -> dict[str, str]:
    packages: dict[str, None] = dict.fromkeys(PACKAGES)
    found: dict[str, str] = {}
    for trial in trials:
        registry = load_registry(trial.plugin_files)
        cards = Cards.of(registry, from_dict(trial.config), trial.config["protocol"]["name"])
        packages |= dict.fromkeys([*cards.packages(), *cards.distributions(registry)])
        found |= {f"the code of {part} {name}": cards.code[part] for part, name in cards.names().items()}
        found["the code of ferbench"] = cards.code["core"]
    found |= {name: known for name in packages if (known := version(name)) is not None}
    return {"Python": ".".join(platform.python_version_tuple()[:2]), **found}


def _store(node: Node) -> Store:
    return Store(node.trial.config["results_dir"])


def _contents(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _one(name: str, path: Path) -> Files:
    return {name: path.read_bytes()} if path.is_file() else {}


def _write(folder: Path, contents: Files) -> None:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
