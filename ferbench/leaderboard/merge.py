"""Several results folders as one: what is the same counts once, and what contradicts itself is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ferbench.errors import FerbenchError
from ferbench.records import Outcome, Record
from ferbench.store import Store


@dataclass
class Collected:
    """Attributes:
    records: by trial. where: the folder of each.
    failures: of trials.
    notes: sentences on damaged records and on trials that two folders hold with other results.
    standing: of records that were submitted: see ferbench.submission.
    """

    records: dict[str, Record] = field(default_factory=dict)
    where: dict[str, Path] = field(default_factory=dict)
    failures: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    standing: dict[str, str] = field(default_factory=dict)


def collect(folders: Sequence[str]) -> Collected:
    """The records and failures of results folders (by default "results"). Of a trial that two folders hold, the first counts.

    Raises:
        FerbenchError: a folder does not exist, or there is neither record nor failure.
    """
    found = Collected()
    for folder in folders or ("results",):
        store = Store(folder)
        whole, damaged = store.scan()
        for record in whole:
            name = record.trial.id
            first = found.records.setdefault(name, record)
            place = found.where.setdefault(name, store.path(name))
            if first is not record and not same(first, record):
                found.notes.append(
                    f"{record.trial.label}: {place} and {store.path(name)} hold the same trial with other results; the first "
                    "counts. 'ferbench show' prints both."
                )
        found.failures += store.failures()
        found.standing |= store.standings()
        found.notes += [f"Left out: {item.path} ({item.reason})." for item in damaged]
    if not found.records and not found.failures:
        raise FerbenchError(f"There is no record in {', '.join(folders or ('results',))}.")
    return found


def same(one: Record, other: Record) -> bool:
    """Whether two records of a trial agree: the same right and wrong answers, subject by subject."""
    return one.confusion == other.confusion and one.sequence_confusion == other.sequence_confusion
