"""Several folders, several codes, several seeds: what counts, and what is said about the rest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ferbench.cards import EvaluatorCard, Metric
from ferbench.errors import FerbenchError
from ferbench.ranking.ablations import ablations
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.cards import Cards
from ferbench.ranking.compare import compare
from ferbench.records.identity import ComponentIdentity
from ferbench.records.merge import collect
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.report.columns import columns, devices, footnotes, missing
from tests.made_records import Make


def stored(folder: Path, *records: Record) -> str:
    store = Store(folder)
    store.prepare()
    for record in records:
        place = store.path(record.trial.id)
        place.mkdir()
        (place / "record.json").write_text(record.to_json())
    return str(folder)


def changed(record: Record, **values: Any) -> Record:
    return dataclasses.replace(record, **values)


def with_identity(record: Record, name: str, **parts: Any) -> Record:
    trial = dataclasses.replace(record.trial, id=name, identity=dataclasses.replace(record.trial.identity, **parts))
    return dataclasses.replace(record, trial=trial)


def test_the_same_trial_in_two_folders_counts_once(make: Make, tmp_path: Path) -> None:
    folders = [stored(tmp_path / name, make(fold=0), make(fold=1)) for name in ("a", "b")]
    found = collect(folders)
    assert len(found.records) == 2
    assert not found.notes
    (board,) = boards(list(found.records.values()))
    assert board.rows[0].done == 2


def test_a_trial_with_two_results_is_a_conflict(make: Make, tmp_path: Path) -> None:
    a, b = stored(tmp_path / "a", make(right=8)), stored(tmp_path / "b", make(right=9))
    found = collect([a, b])
    (note,) = found.notes
    assert f"{tmp_path / 'a'}" in note
    assert "have the same trial with different results; the first counts" in note
    assert next(iter(found.records.values())).metrics["accuracy"] == 0.8


def test_no_record_and_no_folder(tmp_path: Path) -> None:
    Store(tmp_path / "empty").prepare()
    with pytest.raises(FerbenchError, match="There is no record in"):
        collect([str(tmp_path / "empty")])
    with pytest.raises(FerbenchError, match="There is no results folder"):
        collect([str(tmp_path / "nowhere")])


def test_of_two_codes_the_newer_counts(make: Make) -> None:
    old = with_identity(make(right=5), "old", code={"method": "1"})
    old = changed(old, provenance={"began": "2026-01-01"})
    new = with_identity(make(right=9), "new", code={"method": "2"})
    new = changed(new, provenance={"began": "2026-02-01"})
    (board,) = boards([new, old, make(fold=1, right=9)])
    (row,) = board.rows
    assert row.done == 2
    assert row.scores["accuracy"].mean == pytest.approx(0.9)
    assert board.notes == ["m · fold 0 · seed 0: 2 records, which differ in code method; the newest counts."]


def test_a_row_without_the_seeds_of_the_others_is_not_ranked(make: Make) -> None:
    records = [make("many", fold, seed=seed) for fold in (0, 1) for seed in (0, 1)]
    (board,) = boards([*records, make("one", 0, right=10), make("one", 1, right=10)])
    assert [(row.name, row.rank) for row in board.rows] == [("many", 1), ("one", None)]
    assert missing(board.rows[1]) == "one: not ranked, 2 of 4 trials done; missing are fold 0-1 of seed 1."


def test_assignments_are_one_board_with_a_spread(make: Make) -> None:
    def again(fold: int, right: int, assignment: int) -> Record:
        protocol = ComponentIdentity("folds", 1, {"frames": "all", "assignment": assignment})
        return with_identity(make(fold=fold, right=right), f"{fold}-{assignment}", protocol=protocol)

    records = [again(0, 8, 0), again(1, 8, 0), again(0, 6, 1), again(1, 6, 1)]
    (board,) = boards(records)
    (row,) = board.rows
    assert (row.planned, row.done, row.assignments) == (4, 4, (0, 1))
    assert row.scores["accuracy"].mean == pytest.approx(0.7)
    assert row.spread == pytest.approx(0.1 * 2**0.5)
    (board,) = boards(records[:3])
    assert missing(board.rows[0]).endswith("missing are fold 1 of seed 0, assignment 1.")


def test_pretrained_backbones_have_a_board_of_their_own(make: Make) -> None:
    plain = make()
    trial = dataclasses.replace(
        plain.trial, id="p", config={**plain.trial.config, "backbone": {"name": "net", "pretrained": True}}
    )
    pretrained = dataclasses.replace(
        plain, trial=trial, provenance={"pretraining": "ImageNet-1k, no labels of identity"}
    )
    found = boards([plain, pretrained])
    assert len(found) == 2
    notes = [note for board in found for note in footnotes(board)]
    assert "The weights of net (pretrained) have seen: ImageNet-1k, no labels of identity." in notes


def test_groups(make: Make) -> None:
    records = [make("a"), make("b")]
    assert len(boards(records)) == 1
    assert len(boards(records, query=BoardQuery(group="method"))) == 2
    assert len(boards(records, query=BoardQuery(group="backbone"))) == 1


def test_a_plugins_metric_has_the_direction_of_its_card(make: Make) -> None:
    records = [make(m, f, metrics={"mine": v}) for m, v in (("a", 1.0), ("b", 2.0)) for f in (0, 1)]
    for higher, first in ((True, "b"), (False, "a")):
        card = EvaluatorCard(
            name="mine", target="m:f", title="t", metrics=[Metric(name="mine", title="mine", higher_is_better=higher)]
        )
        (board,) = boards(records, query=BoardQuery(metric="mine", cards=Cards.of([card])))
        assert board.rows[0].method == first


def test_references_stand_below_the_columns_that_have_them(make: Make) -> None:
    metrics = {"identity_leakage/pixels": 0.6, "identity_leakage/untrained": 0.5, "identity_leakage/identity": 0.9}
    (board,) = boards([make(metrics=metrics), make(fold=1, metrics=metrics)])
    assert footnotes(board, columns())[0] == (
        "id leak: raw pixels 0.60, untrained backbone 0.50, backbone trained on identity 0.90."
    )
    assert not [note for note in footnotes(board, columns(["accuracy"])) if "raw pixels" in note]


def test_times_of_two_devices_are_marked(make: Make) -> None:
    one, other = (changed(make(m), provenance={"device": d}) for m, d in (("a", "cpu"), ("b", "gpu")))
    (board,) = boards([one, other])
    assert devices(board) == {"cpu": "¹", "gpu": "²"}
    (board,) = boards([one])
    assert devices(board) == {"cpu": ""}


def test_later_metrics_are_read_with_the_record(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "a", make())
    store = Store(folder)
    store.write_evaluated(make().trial.id, {"mig": 0.5})
    store.write_evaluated(make().trial.id, {"sap": None})
    ((record,), _) = store.scan()
    assert (record.metrics["mig"], record.metrics["sap"], record.metrics["accuracy"]) == (0.5, None, 0.8)
    stored_text = json.loads((store.path(record.trial.id) / "record.json").read_text())
    assert "mig" not in stored_text["metrics"], "the record itself stays as it is"


def test_a_metric_that_could_not_be_measured_is_said_to_be_so(make: Make) -> None:
    (board,) = boards([make(fold=f, metrics={"identity_leakage": None}) for f in (0, 1)])
    (note,) = footnotes(board, columns(["identity_leakage"]))
    assert note == "id leak: not measurable for m; the records say why ('ferbench show')."


def test_a_metric_that_some_records_lack_is_said_to_be_partial(make: Make) -> None:
    (board,) = boards([make(fold=0, metrics={"kid": 0.5}), make(fold=1)])
    assert board.rows[0].measured["kid"] == 1
    (note,) = footnotes(board, columns(["kid"]))
    assert note.startswith("KID: some records of m lack it and do not count; 'ferbench evaluate' works out")
    assert footnotes(board, columns(["accuracy"])) == []


def test_an_older_version_of_a_method_has_its_own_name(make: Make) -> None:
    """Never averaged with the newer one, and not what 'm' means any more."""
    records = [make("m", fold, right, version=version) for fold in (0, 1) for version, right in ((1, 5), (2, 9))]
    records += [make("m", fold, 4, variant="less", version=1) for fold in (0, 1)]
    records += [make("m", fold, 7, variant="less", version=2) for fold in (0, 1)]
    records += [make("other", fold, 6) for fold in (0, 1)]
    (board,) = boards(records, query=BoardQuery(baseline="m", include_ablations=True))
    named = {row.name: row for row in board.rows}
    assert set(named) == {"m", "m v1", "m/less", "m v1/less", "other"}
    assert named["m"].scores["accuracy"].mean == pytest.approx(0.9)
    assert named["m"].against is None
    against = named["other"].against
    assert against is not None
    assert against.mean == pytest.approx(-0.3)
    (table,) = ablations(records, "m")
    assert [variant.row.name for variant in table.variants] == ["m", "m/less"]
    (pair,) = compare(records, "m", "m v1")
    assert pair.difference.mean == pytest.approx(0.4)
