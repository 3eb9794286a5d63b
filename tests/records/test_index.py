"""The index of a results folder: never seen but in the time that boards take."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.errors import FerbenchError
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.records import index
from ferbench.records.index import PLACE
from ferbench.records.schema import Record
from ferbench.records.seals import unseal
from ferbench.records.store import Store
from ferbench.report.export import to_json

Make = Callable[..., Record]


@pytest.fixture(autouse=True)
def _for_few_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LEAST", 1)
    monkeypatch.setattr("ferbench.records.store.LEAST", 1)


def put(store: Store, record: Record) -> Path:
    folder = store.path(record.trial.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(record.to_json(), encoding="utf-8")
    return folder / "record.json"


@pytest.fixture
def store(make: Make, tmp_path: Path) -> Store:
    """Twelve records: two methods, two folds, three seeds; metrics that are missing, values by subject, a study's configuration."""
    store = Store(tmp_path / "results")
    for method, right in (("good", 9), ("bad", 6)):
        for fold in (0, 1):
            for seed in (0, 1, 2):
                made = make(method, fold, right - seed % 2, seed, metrics={"identity_leakage": None if seed else 0.25})
                trial = dataclasses.replace(
                    made.trial, config={**made.trial.config, "seeds": [seed], "root": "/d\udcff"}
                )
                values = {"identity_leakage": dict.fromkeys(made.subjects, 0.1 * seed)}
                put(store, dataclasses.replace(
                    made, trial=trial, by_subject=values if seed else {}, notes=(f"note {seed}",),
                    cost={"steps": 10, "train_seconds": 2.0}, files={"weights": "0" * 64},
                    provenance={"began": f"2026-01-0{seed + 1}", "seconds": 1.5, "device": "cpu", "code": {"core": method}},
                ))  # fmt: skip
    return store


def values(records: list[Record]) -> list[dict[str, object]]:
    """All fields of records, whichever class they have."""
    return [
        {f.name: getattr(record, f.name) for f in dataclasses.fields(Record) if f.name != "trial"}
        | {f"trial.{f.name}": getattr(record.trial, f.name) for f in dataclasses.fields(record.trial)}
        for record in records
    ]


def test_records_of_the_index_are_those_of_the_files(store: Store) -> None:
    read, damaged = store.scan()
    assert (store.root / PLACE).is_file()
    indexed, damaged_ = store.scan()
    assert {type(r) for r in read} == {Record}
    assert Record not in {type(r) for r in indexed}
    assert damaged == damaged_ == []
    assert values(indexed) == values(read)
    assert [r.to_json() for r in indexed] == [r.to_json() for r in read]
    assert [r.trial.repetition for r in indexed] == [r.trial.repetition for r in read]
    assert [r.trial.label for r in indexed] == [r.trial.label for r in read]


def test_boards_are_equal(store: Store) -> None:
    def shown() -> str:
        return to_json(boards(store.scan()[0], query=BoardQuery(baseline="bad")))

    assert shown() == shown()


def test_what_was_changed_added_or_removed_counts(store: Store, make: Make) -> None:
    before = {record.trial.id: record for record in store.scan()[0]}
    changed, removed = sorted(before)[:2]
    path = store.path(changed) / "record.json"
    found = unseal(path.read_text())
    found["metrics"]["accuracy"] = 0.125
    stamp = path.stat()
    path.write_text(json.dumps(found, indent=1))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    shutil.rmtree(store.path(removed))
    put(store, added := make("new", 0, 7))
    after = {record.trial.id: record for record in store.scan()[0]}
    assert after.keys() == before.keys() - {removed} | {added.trial.id}
    assert after[changed].metrics["accuracy"] == 0.125
    assert values(store.scan()[0]) == values(list(after.values()))


def test_a_copy_of_a_folder_does_not_trust_the_index_that_came_with_it(store: Store, tmp_path: Path) -> None:
    store.scan()
    shutil.copytree(store.root, tmp_path / "copy")
    assert {type(record) for record in Store(tmp_path / "copy").scan()[0]} == {Record}


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing else", b'{"version": 1}'])
def test_a_damaged_index_is_written_again(store: Store, content: bytes) -> None:
    first, _ = store.scan()
    (store.root / PLACE).write_bytes(content)
    assert values(store.scan()[0]) == values(first)
    assert Record not in {type(record) for record in store.scan()[0]}


def test_an_index_of_another_version_is_written_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.scan()
    monkeypatch.setattr(index, "VERSION", b"another")
    assert {type(record) for record in store.scan()[0]} == {Record}
    assert Record not in {type(record) for record in store.scan()[0]}


def test_where_no_index_can_be_written_there_is_none(store: Store) -> None:
    (store.root / ".index").write_text("a file where the folder would be")
    assert len(store.scan()[0]) == len(store.scan()[0]) == 12


def test_metrics_of_later_are_added(store: Store) -> None:
    store.scan()
    name = store.scan()[0][0].trial.id
    store.write_evaluated(name, {"mig": 0.5}, {"mig": {"P0": 0.4, "P1": 0.6}}, {"disentanglement": 2})
    record = next(r for r in store.scan()[0] if r.trial.id == name)
    assert (record.metrics["mig"], record.by_subject["mig"]["P1"]) == (0.5, 0.6)
    assert record.provenance["evaluators"] == {"disentanglement": 2}
    assert record.notes == store.load(name).notes


def test_a_record_that_no_column_holds_is_read_each_time(store: Store, make: Make) -> None:
    made = make("odd", 0, 8)
    put(store, dataclasses.replace(made, metrics={"accuracy": 1}))  # no float: a file that something else wrote
    store.scan()
    kinds = {record.trial.method: type(record) for record in store.scan()[0]}
    assert kinds["odd"] is Record
    assert kinds["good"] is not Record


def test_a_record_that_vanishes_meanwhile_is_a_sentence(store: Store) -> None:
    store.scan()
    record = store.scan()[0][0]
    shutil.rmtree(store.path(record.trial.id))
    assert record.metrics["accuracy"] is not None
    with pytest.raises(FerbenchError, match="was changed or removed while it was read"):
        _ = record.notes
