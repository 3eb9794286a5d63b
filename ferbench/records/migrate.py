"""`ferbench migrate`: give records of version 1 the identity and the name of version 2, in their results folder.

Nothing is computed again and nothing is lost: weights, predictions and metrics stay as they are, and the old name is kept in
the provenance. After an interruption, the same command continues. Trained stages of version 1 are not migrated.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import FerbenchError
from ferbench.files import replace_text
from ferbench.records import files, upgrade
from ferbench.records.seals import seal, unseal
from ferbench.records.store import OF, Store

MIGRATED, STOOD, DAMAGED = "migrated", "there already", "damaged"
OLD_NAME = "name_of_version_1"
"""Key of the old name in the provenance."""

BESIDE = {".failures": ".failures", ".evaluated": ".evaluated", ".standing": ".submissions"}
"""Names of the folders with one file for each trial: in version 1 and in version 2."""


@dataclass(frozen=True)
class Migration:
    """The result of migrating one record of version 1.

    Attributes:
        old: name of the trial in version 1.
        new: name of the trial in version 2; empty for damaged records.
        state: MIGRATED, STOOD (there is a record of version 2 of the same trial, and the old one is left as it is) or DAMAGED.
        unreleased: whether the trial used a plugin file. Its code, which is part of the identity, is unknown, so that
            `ferbench run` will not find the record.
    """

    old: str
    new: str
    state: str
    unreleased: bool = False


def migrate(store: Store) -> Iterator[Migration]:
    """Migrate all records of version 1 in a results folder, and the files about them. Yields one result for each record."""
    if not store.root.is_dir():
        raise FerbenchError(f"There is no results folder {store.root}.")
    folders = sorted(path for path in store.root.iterdir() if path.is_dir() and not path.name.startswith("."))
    frames = _frames(folders)
    for folder in folders:
        try:
            values = json.loads((folder / files.RECORD).read_text(encoding="utf-8"))
            if values["schema"] == 1:
                yield _migrate(store, folder, values, frames)
            elif values["trial"]["id"] != folder.name == values["provenance"].get(OLD_NAME):
                yield _rename(
                    store, folder, values
                )  # an earlier migration was interrupted before it renamed the folder
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            yield Migration(folder.name, "", DAMAGED)
    for old, new in BESIDE.items():
        _beside(store.root / old, store.root / new, frames)


def waiting(store: Store) -> bool:
    """Whether a results folder contains records of version 1. Reads only the end of each record, where its version stands."""
    for path in store.root.glob(f"[!.]*/{files.RECORD}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(path.stat().st_size - 40, 0))
            if b'"schema": 1\n' in file.read():
                return True
    return False


def _frames(folders: Sequence[Path]) -> dict[str, str]:
    """The digest of each fold's frames by `upgrade.fold_key`, from the records that contain it."""
    digests = {}
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            identity = json.loads((folder / files.RECORD).read_text(encoding="utf-8"))["trial"]["identity"]
            if identity.get("frames"):
                digests[upgrade.fold_key(identity)] = str(identity["frames"])
    return digests


def _migrate(store: Store, folder: Path, values: dict[str, Any], frames: Mapping[str, str]) -> Migration:
    new, identity = upgrade.new_name(values["trial"], frames)
    if store.path(new).exists():
        return Migration(folder.name, new, STOOD)
    upgraded = upgrade.record(values)
    upgraded["trial"] |= {"id": new, "identity": identity}
    upgraded["provenance"][OLD_NAME] = folder.name
    upgraded["files"] = {_new_file(folder, name): digest for name, digest in values["files"].items()}
    replace_text(folder / files.RECORD, json.dumps(upgraded, indent=1, ensure_ascii=False, allow_nan=False))
    return _rename(store, folder, upgraded)


def _rename(store: Store, folder: Path, values: dict[str, Any]) -> Migration:
    new = values["trial"]["id"]
    if store.path(new).exists():
        return Migration(folder.name, new, STOOD)
    folder.rename(store.path(new))
    return Migration(folder.name, new, MIGRATED, bool(values["trial"].get("plugin_files")))


def _new_file(folder: Path, name: str) -> str:
    """Rename `floor_NAME.npy` to `reference_NAME.npy`; returns the new name."""
    match = files.REFERENCE.fullmatch(name)
    if match is None:
        return name
    new = f"reference_{match.group(1)}.npy"
    with contextlib.suppress(FileNotFoundError):
        (folder / name).rename(folder / new)
    return new


def _beside(old: Path, new: Path, frames: Mapping[str, str]) -> None:
    """Migrate a folder with one JSON file for each trial. Failures contain the trial; other files are only named after it."""
    if not old.is_dir():
        return
    records = {path.parent.name: _json(path) for path in old.parent.glob(f"[!.]*/{files.RECORD}")}
    names = {
        values["provenance"][OLD_NAME]: name
        for name, values in records.items()
        if OLD_NAME in values.get("provenance", {})
    }
    new.mkdir(exist_ok=True)
    for path in old.glob("*.json"):
        values = _json(path)
        if not values:
            continue
        name = names.get(path.stem, path.stem)
        if values.get("schema") == 1:
            try:
                name, identity = upgrade.new_name(values["trial"], frames)
                trial = upgrade.trial(values["trial"]) | {"id": name, "identity": identity}
            except (KeyError, TypeError, AttributeError):
                continue  # not a failure as version 1 wrote it; it is left as it is
            values |= {"schema": 2, "trial": trial}
        if "standing" in values:
            values["status"] = values.pop("standing")
        if OF in values:
            values[OF] = name
        target = new / f"{name}.json"
        if target != path:
            replace_text(target, seal(json.dumps(values, indent=1, ensure_ascii=False)))
            path.unlink()
    if old != new:
        with contextlib.suppress(OSError):
            old.rmdir()


def _json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty if it cannot be read or is not an object."""
    try:
        return unseal(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
