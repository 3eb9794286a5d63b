"""Reading several results folders as one. Equal trials count once, and contradictions are reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ferbench.errors import FerbenchError
from ferbench.records.index import with_plugin_files
from ferbench.records.schema import Outcome, Record
from ferbench.records.store import Store


@dataclass
class Collected:
    """The content of results folders.

    Attributes:
        records: records by trial.
        where: folder of each record, by trial.
        failures: outcomes of failed trials.
        notes: sentences about damaged records, and about trials with different results in two folders.
        submission_status: status of submitted records by trial, see ferbench.submission.
    """

    records: dict[str, Record] = field(default_factory=dict)
    where: dict[str, Path] = field(default_factory=dict)
    failures: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    submission_status: dict[str, str] = field(default_factory=dict)


def collect(folders: Sequence[str]) -> Collected:
    """The records and failures of results folders, by default of "results". If two folders have the same trial, the first counts.

    Raises:
        FerbenchError: a folder does not exist, or there are no records and no failures.
    """
    collected = Collected()
    for folder in folders or ("results",):
        store = Store(folder)
        whole, damaged = store.scan()
        for record in whole:
            name = record.trial.id
            first = collected.records.setdefault(name, record)
            place = collected.where.setdefault(name, store.path(name))
            if first is not record and not same(first, record):
                collected.notes.append(
                    f"{record.trial.label}: {place} and {store.path(name)} have the same trial with different results; the first "
                    "counts. 'ferbench show' prints both."
                )
        collected.failures += store.failures()
        statuses = store.submission_statuses()
        for name in statuses.keys() & {record.trial.id for record in whole}:
            collected.records[name] = _without_plugin_files(collected.records[name])
        collected.submission_status |= statuses
        collected.notes += [f"Left out: {item.path} ({item.reason})." for item in damaged]
    if not collected.records and not collected.failures:
        raise FerbenchError(f"There is no record in {', '.join(folders or ('results',))}.")
    return collected


def _without_plugin_files(record: Record) -> Record:
    """A submitted record without the paths of plugin files that it states: they would be loaded, and they are the submitter's."""
    if not record.trial.plugin_files:
        return record
    return with_plugin_files(record, ())


def same(one: Record, other: Record) -> bool:
    """Whether two records of a trial agree: equal confusion matrices of each subject, for frames and for sequences."""
    return one.confusion == other.confusion and one.sequence_confusion == other.sequence_confusion
