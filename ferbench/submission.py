"""Submissions: records with their predictions in one file, scored again by a host who has the same data.

A row of submitted records is marked by the worst of them: "disputed" (the host's frames or metrics say otherwise),
"submitted" (they agree, but nobody trained it again), "re-run" (the host trained the same trial and found the same answers).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.errors import FerbenchError
from ferbench.fingerprint import digest, file_digest
from ferbench.records import Record
from ferbench.store import Store

if TYPE_CHECKING:
    from ferbench.interfaces.evaluator import Outputs
    from ferbench.leaderboard.rows import Board
    from ferbench.registry import Registry

DISPUTED, SUBMITTED, RERUN = "disputed", "submitted", "re-run"
ORDER = (DISPUTED, SUBMITTED, RERUN)

PACKED = re.compile(
    r"record\.json|(predictions|losses)\.parquet|syntheses\.npz|logits\.npy|(\w+_)?embeddings\.npy|reference_\w+\.npy"
)
MEMBER = re.compile(rf"[0-9a-f]{{16}}/({PACKED.pattern})")
LARGEST = 2**31
"""Bytes of a submission, unpacked."""

TOLERANCE = 0.01
"""Probes are fitted by solvers whose last digits depend on the machine; recognition is counted and has to agree."""

SAME = 0.02
"""Of the answers of a trial that was trained again, so many may differ: rounding on unlike devices."""


def mark(boards: Sequence[Board], standing: Mapping[str, str]) -> None:
    """Give each row the worst standing of its records."""
    for board in boards:
        for row in board.rows:
            found = {standing[trial] for trial in row.trials if trial in standing}
            row.standing = next((name for name in ORDER if name in found), "")


def pack(folders: Mapping[Path, Record], output: Path) -> int:
    """Write records and what judges them, without weights, into a zip file; gives its bytes.

    Raises:
        FerbenchError: a file of a record was changed or is missing, or the output cannot be written.
    """
    draft = output.with_name(f".{output.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for folder, record in folders.items():
                for name in sorted(["record.json", *filter(PACKED.fullmatch, record.files)]):
                    path = folder / name
                    if name != "record.json" and (not path.is_file() or file_digest(path) != record.files[name]):
                        raise FerbenchError(f"{path} is not the file that its record names; nothing was packed.")
                    archive.writestr(
                        zipfile.ZipInfo(f"{record.trial.id}/{name}"), path.read_bytes(), zipfile.ZIP_DEFLATED
                    )
        draft.replace(output)
    except OSError as error:
        raise FerbenchError(f"{output} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return output.stat().st_size


def unpack(file: Path, store: Store) -> list[Record]:
    """Put the records of a submission into a store, each whole or not at all.

    Raises:
        FerbenchError: the file is no submission, or is damaged, and nothing is taken from it.
    """
    contents = _contents(file)
    store.prepare()
    records = []
    for trial, files in contents.items():
        record = _record(file, trial, files)
        for name, data in files.items():
            if name != "record.json" and record.files.get(name) != hashlib.sha256(data).hexdigest():
                raise FerbenchError(f"{file}: {trial}/{name} is not the file that its record names.")
        records.append(record)
    there = [record for record in records if store.has(record.trial.id)]
    for record in there:
        if store.load(record.trial.id) != record:
            raise FerbenchError(
                f"{store.root} holds {record.trial.id} with other content; unpack {file} into another folder with --into DIR."
            )
    for record in records:
        if record not in there:
            store.adopt(record.trial.id, contents[record.trial.id])
    return records


def _contents(file: Path) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise FerbenchError(f"{file} unpacks to more than {LARGEST >> 30} GiB; it is refused.")
            for member in archive.infolist():
                if not MEMBER.fullmatch(member.filename):
                    raise FerbenchError(f"{file} holds '{member.filename}', which no submission has; it is refused.")
                trial, _, name = member.filename.partition("/")
                found.setdefault(trial, {})[name] = archive.read(member)
    except (OSError, zipfile.BadZipFile) as error:
        raise FerbenchError(f"{file} cannot be read as a submission: {error}.") from error
    if not found:
        raise FerbenchError(f"{file} holds no record.")
    return found


def _record(file: Path, trial: str, files: Mapping[str, bytes]) -> Record:
    try:
        record = Record.from_json(files["record.json"].decode("utf-8"))
        identity = digest(record.trial.identity)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise FerbenchError(f"{file}: the record of {trial} cannot be read: {error}.") from error
    if not record.trial.id == trial == identity:
        raise FerbenchError(f"{file}: the record of {trial} was not made from the settings that it states.")
    return record


@dataclass(frozen=True)
class Verdict:
    """What the host found of a record, with the reasons in sentences."""

    record: Record
    standing: str
    reasons: tuple[str, ...] = ()


def verify(
    registry: Registry, records: Sequence[Record], store: Store, own: Store | None, settings: Mapping[str, Any]
) -> Iterator[Verdict]:
    """Score submitted records again with the host's frames and metrics, and write down their standing.

    Args:
        store: where they were unpacked. own: the host's results, in which the same trials may have been trained.
        settings: of the dataset on the host: root and so on.

    Raises:
        FerbenchError: the host's data cannot be read.
    """
    data: dict[str, Any] = {}
    for record in records:
        reasons = _disputes(registry, record, store, settings, data)
        standing = DISPUTED if reasons else SUBMITTED
        if not reasons and own is not None and own.has(record.trial.id):
            reasons, standing = _against_own(record, own.load(record.trial.id))
        store.write_standing(record.trial.id, standing, reasons)
        yield Verdict(record, standing, tuple(reasons))


def _disputes(
    registry: Registry, record: Record, store: Store, settings: Mapping[str, Any], data: dict[str, Any]
) -> list[str]:
    from ferbench.reevaluate import outputs_of

    try:
        outputs = outputs_of(store.path(record.trial.id), record)
    except (FerbenchError, OSError, ValueError, KeyError, TypeError) as error:
        return [f"Its files cannot be read: {error}"]
    found, tested = _host(registry, record, settings, data)
    if found.fingerprint != record.trial.identity["dataset"]["fingerprint"]:
        return ["The host's copy of the dataset has other content."]
    theirs = outputs.frames["frame_id"].tolist()
    if sorted(theirs) != sorted(tested["frame_id"]):
        return [f"It tests {len(theirs)} frames that are not the {len(tested)} of the protocol."]
    mine = tested.set_index("frame_id").loc[theirs].reset_index()
    reasons = []
    for column in ("expression", "subject"):
        if (wrong := int((mine[column].to_numpy() != outputs.frames[column].to_numpy()).sum())) > 0:
            reasons.append(f"{wrong} of {len(mine)} frames have another {column} here.")
    return reasons + _other_figures(registry, record, dataclasses.replace(outputs, frames=mine))


def _host(registry: Registry, record: Record, settings: Mapping[str, Any], data: dict[str, Any]) -> tuple[Any, Any]:
    """The host's data under the record's protocol, and the frames of its fold."""
    from ferbench.plan import load_data
    from ferbench.settings import from_plain

    config = dict(record.trial.config)
    config["dataset"] = {**config["dataset"], **settings}
    key = json.dumps([config["dataset"], config["test_dataset"], {**config["protocol"], "folds": None}], sort_keys=True)
    if key not in data:
        data[key] = load_data(registry, from_plain(config))
    found = data[key]
    return found, found.selected[found.selected["fold"] == record.trial.fold]


def _other_figures(registry: Registry, record: Record, outputs: Outputs) -> list[str]:
    from ferbench.evaluation.measure import measure, standard
    from ferbench.evaluation.recognition import by_subject

    reasons = []
    confusion, _ = by_subject(outputs)
    if {k: [list(row) for row in v] for k, v in confusion.items()} != record.confusion:
        reasons.append("Its confusion counts are not those of its predictions.")
    mine, _ = measure(standard(registry), outputs)
    for name, claimed in record.metrics.items():
        here = mine.get(name)
        if claimed is None or here is None or not math.isfinite(here):
            continue
        if abs(here - claimed) > TOLERANCE * max(1.0, abs(claimed)):
            reasons.append(f"{name} is {here:.3f} here; {claimed:.3f} is claimed.")
    return reasons


def _against_own(record: Record, own: Record) -> tuple[list[str], str]:
    ours, theirs = own.metrics.get("accuracy"), record.metrics.get("accuracy")
    if ours is not None and theirs is not None and abs(ours - theirs) <= SAME:
        return [], RERUN
    return [f"Trained again here, its accuracy is {ours or 0:.3f}; {theirs or 0:.3f} is claimed."], DISPUTED
