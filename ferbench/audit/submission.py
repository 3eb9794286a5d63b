"""Submissions: records with their predictions in one file, scored again by a host who has the same data.

A row of submitted records is marked by the worst of them: "disputed" (the host's frames or metrics say otherwise),
"submitted" (they agree, but nobody trained it again), "re-run" (the host trained the same trial and found the same answers).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferbench.audit import archive
from ferbench.audit.untrusted import check_file, check_record
from ferbench.errors import FerbenchError, printable
from ferbench.hashing import digest, file_digest
from ferbench.interfaces.dataset import COLUMNS
from ferbench.plan.identity import Side
from ferbench.ranking.submitted import DISPUTED, RERUN, SUBMITTED
from ferbench.records import files, metrics
from ferbench.records.schema import Record
from ferbench.records.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from ferbench.interfaces.evaluator import Outputs
    from ferbench.registry.loader import Registry

TOLERANCE = 0.01
"""Probes are fitted by solvers whose last digits depend on the machine; recognition is counted and has to agree."""

SAME = 0.02
"""Largest share of test frames that a trial which was trained again may give another class: rounding on unlike devices."""


def pack(folders: Mapping[Path, Record], output: Path) -> int:
    """Write records and what judges them, without weights, into a zip file; gives its bytes.

    Raises:
        FerbenchError: a file of a record was changed or is missing, or the output cannot be written.
    """
    draft = output.with_name(f".{output.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as packed:
            for folder, record in folders.items():
                for name in [files.RECORD, *sorted(filter(files.packed, record.files))]:
                    path = folder / name
                    if name != files.RECORD and (not path.is_file() or file_digest(path) != record.files[name]):
                        raise FerbenchError(f"{path} is not the file that its record names; nothing was packed.")
                    packed.writestr(
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
    contents = archive.contents(file)
    store.prepare()
    records = []
    for trial, members in contents.items():
        record = _record(file, trial, members)
        for name, data in members.items():
            if name == files.RECORD:
                continue
            if record.files.get(name) != hashlib.sha256(data).hexdigest():
                raise FerbenchError(f"{file}: {trial}/{name} is not the file that its record names.")
            try:
                check_file(name, data)
            except ValueError as error:
                raise FerbenchError(f"{file}: {trial}/{name} is refused: {printable(str(error))}.") from error
        records.append(record)
    there = [record for record in records if store.has(record.trial.id)]
    for record in there:
        if store.load(record.trial.id) != record:
            raise FerbenchError(
                f"{store.root} holds {record.trial.id} with other content; unpack {file} into another folder with --into DIR."
            )
    for record in records:
        if record not in there:
            store.write_submission_status(
                record.trial.id, DISPUTED, ["It was not scored here; 'submit verify' did not end."]
            )
            store.adopt(record.trial.id, contents[record.trial.id])
    return records


def _record(file: Path, trial: str, members: Mapping[str, bytes]) -> Record:
    try:
        text = members[files.RECORD].decode("utf-8")
        record = check_record(text)
        identity = digest(json.loads(text)["trial"]["identity"])  # as it was written, of whatever version
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, OverflowError, FerbenchError) as error:
        why = printable(str(error)).removesuffix(".")
        raise FerbenchError(f"{file}: the record of {trial} cannot be read: {why}.") from error
    if not record.trial.id == trial == identity:
        raise FerbenchError(f"{file}: the record of {trial} was not made from the settings that it states.")
    return record


@dataclass(frozen=True)
class Verdict:
    """What the host found of a record, with the reasons in sentences."""

    record: Record
    status: str
    reasons: tuple[str, ...] = ()


def verify(
    registry: Registry, records: Sequence[Record], store: Store, own: Store | None, settings: Mapping[str, Any]
) -> Iterator[Verdict]:
    """Score submitted records again with the host's frames and metrics, and write down their status.

    Args:
        store: where they were unpacked. own: the host's results, in which the same trials may have been trained.
        settings: of the host's data by key: "dataset.root", "test_dataset.root", "protocol.file".

    Raises:
        FerbenchError: the host's data cannot be read.
    """
    data: dict[str, Any] = {}
    for record in records:
        reasons = _disputes(registry, record, store, settings, data)
        status = DISPUTED if reasons else SUBMITTED
        if not reasons and own is not None and own.has(record.trial.id):
            reasons, status = _against_own(record, store, own)
        store.write_submission_status(record.trial.id, status, reasons)
        yield Verdict(record, status, tuple(reasons))


def _disputes(
    registry: Registry, record: Record, store: Store, settings: Mapping[str, Any], data: dict[str, Any]
) -> list[str]:
    from ferbench.execution.outputs import read_outputs

    try:
        outputs = read_outputs(store.path(record.trial.id), record)
        if misfit := _misfit(outputs):
            return [f"Its files do not go together: {misfit}."]
    except (FerbenchError, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        return [f"Its files cannot be read: {printable(str(error))}"]
    found, tested = _host(registry, record, settings, data)
    if found.fingerprint != record.trial.identity.dataset.fingerprint:
        return ["The host's copy of the dataset has other content."]
    side = Side.of(found, record.trial.fold)
    if side.frames_digest != record.trial.identity.frames_digest:
        return ["Its training set or test set is not the one of the protocol."]
    theirs = outputs.frames["frame_id"].astype(str).tolist()
    if sorted(theirs) != sorted(tested["frame_id"]):
        return [f"It tests {len(theirs)} frames that are not the {len(tested)} of the protocol."]
    mine = tested.set_index("frame_id").loc[theirs].reset_index()
    reasons = []
    for column in ("expression", "subject"):
        if (wrong := int((mine[column].to_numpy() != outputs.frames[column].to_numpy()).sum())) > 0:
            reasons.append(f"{wrong} of {len(mine)} frames have another {column} here.")
    return reasons + _other_figures(registry, record, dataclasses.replace(outputs, frames=mine), store)


def _misfit(outputs: Outputs) -> str:
    """What of the outputs is not of the number of frames or classes; empty if all is."""
    frames, classes = len(outputs.frames), len(outputs.expressions)
    if lacking := [name for name in COLUMNS if name not in outputs.frames]:
        return f"the predictions have no column {lacking[0]}"
    if outputs.logits.shape != (frames, classes):
        return f"logits of the shape {outputs.logits.shape} for {frames} frames and {classes} classes"
    arrays = {"embeddings": outputs.features, **outputs.references}
    arrays |= {} if outputs.identity_features is None else {"identity_embeddings": outputs.identity_features}
    for name, values in arrays.items():
        if values.ndim != 2 or len(values) != frames:
            return f"{name} of the shape {values.shape} for {frames} frames"
        if not np.isfinite(values).all():
            return f"{name} are NaN or infinite"
    return "" if np.isfinite(outputs.logits).all() else "logits are NaN or infinite"


def _host(registry: Registry, record: Record, settings: Mapping[str, Any], data: dict[str, Any]) -> tuple[Any, Any]:
    """The host's data under the record's protocol, and the frames of its fold.

    Raises:
        FerbenchError: the data cannot be read, or `settings` are for a test dataset, and the record has none.
    """
    from ferbench.config.schema import from_dict
    from ferbench.data.load import data_key, load_data

    config = {**record.trial.config, "extra_dataset": {}}  # which the host need not have: it is not tested
    for key, value in settings.items():
        group, _, name = key.partition(".")
        if group == "test_dataset" and not config.get(group):
            raise FerbenchError(f"'{key}' is set, and the record has no test dataset.")
        config[group] = {**(config.get(group) or {}), name: value}
    key = data_key(config)
    if key not in data:
        data[key] = load_data(registry, from_dict(config))
    found = data[key]
    return found, found.selected[found.sides(record.trial.fold).tested]


def _other_figures(registry: Registry, record: Record, outputs: Outputs, store: Store) -> list[str]:
    """In what the record's figures differ from those that its outputs have here. Of evaluators that the record states in another
    version the host's own figures are stored, which boards then show."""
    from ferbench.evaluation.evaluators.recognition import by_subject
    from ferbench.evaluation.measure import measure, standard

    reasons = []
    for found, claimed_counts in zip(by_subject(outputs), (record.confusion, record.sequence_confusion), strict=True):
        if {k: [list(row) for row in v] for k, v in found.items()} != claimed_counts:
            reasons.append("Its confusion counts are not those of its predictions.")
    stated = record.provenance.get("evaluators", {})
    cards = standard(registry, outputs)
    same = [card for card in cards if stated.get(card.name, 1) == card.version]
    other = [card for card in cards if card not in same]
    measured = measure(registry, same, outputs)
    here_said = {metric.name: metric for card in same for metric in card.metrics}
    for name, values in metrics.stated(record).items():
        claimed_card = metrics.card(name, values)
        if name in here_said and claimed_card and metrics.meaning(claimed_card) != metrics.meaning(here_said[name]):
            reasons.append(f"It says otherwise than here what {name} means (direction, unit or range).")
    for name, claimed in record.metrics.items():
        here = measured.metrics.get(name)
        if here is None or not math.isfinite(here):
            continue
        if claimed is None:
            reasons.append(f"{name} is {here:.3f} here; the record states none.")
        elif _apart(here, claimed):
            reasons.append(f"{name} is {here:.3f} here; {claimed:.3f} is claimed.")
    for name, values in record.by_subject.items():
        here_by_subject = measured.by_subject.get(name)
        if here_by_subject is None and name in measured.metrics:
            reasons.append(f"{name} has no values by subject here; the record states some.")
        if here_by_subject is not None and (
            set(values) != set(here_by_subject) or any(_apart(here_by_subject[s], values[s]) for s in values)
        ):
            reasons.append(f"The values of {name} by subject are not those of its outputs.")
    if other:
        again = measure(registry, other, outputs)
        found_again = again.versions(other), again.cards(other)
        store.write_evaluated(record.trial.id, again.metrics, again.by_subject, *found_again)
    return reasons


def _apart(here: float, claimed: float) -> bool:
    return abs(here - claimed) > TOLERANCE * max(1.0, abs(claimed))


def _against_own(record: Record, store: Store, own: Store) -> tuple[list[str], str]:
    """Compare the predicted classes frame by frame."""
    trial = record.trial.id
    theirs, ours = (_predicted(place.path(trial), place.load(trial)) for place in (store, own))
    differing = float((theirs != ours.reindex(theirs.index)).mean())
    if differing <= SAME:
        return [], RERUN
    return [f"Trained again here, {differing:.0%} of its frames get another class; up to {SAME:.0%} may."], DISPUTED


def _predicted(folder: Path, record: Record) -> pd.Series:
    """The predicted class, an index, by frame_id.

    Raises:
        FerbenchError: the predictions cannot be read.
    """
    import pandas as pd

    files.check(folder, record.files, [files.PREDICTIONS])
    frames, probabilities = files.read_predictions(folder, record.expressions)
    return pd.Series(probabilities.argmax(axis=1), index=frames["frame_id"])
