"""What a number means stays known when the plugin that gave it is uninstalled: records state the cards of their metrics."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ferbench import BySubject, Counts, CountScore, EvaluatorCard, FerbenchError, Metric
from ferbench.ranking.ablations import ablations
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.board import Board
from ferbench.ranking.cards import Cards
from ferbench.ranking.compare import compare
from ferbench.records.metrics import CARDS, as_stated, card, meaning
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.report.columns import columns
from tests.conftest import SMOKE
from tests.made_records import Make

ERROR = Metric(
    name="error", title="gaze error", heading="gaze", unit="deg", digits=3, higher_is_better=False, high=math.inf
)
SEEN = Metric(name="seen", title="seen", unit="%", by_subject=BySubject(Counts.SEQUENCES, CountScore.MACRO_F1))


def stating(record: Record, *metrics: Metric, began: str = "2026-01-01") -> Record:
    """The record with the cards of metrics, as it is read from its file."""
    said = as_stated(metrics, record.metrics)
    record = dataclasses.replace(record, provenance={**record.provenance, "began": began, CARDS: said})
    return Record.from_json(record.to_json())


def _as_it_is(record: Record, draft: Path) -> Record:
    return record


def installed(*metrics: Metric) -> Cards:
    return Cards.of([EvaluatorCard(name="gaze", target="gaze:evaluate", title="t", metrics=metrics)])


def pair(make: Make, metric: Metric = ERROR, **of_first: Any) -> list[Record]:
    """Two methods, of which 'low' has the lower value of the metric."""
    found = []
    for method, value in (("high", 9.0), ("low", 1.0)):
        for fold in (0, 1):
            record = make(method, fold, metrics={metric.name: value})
            record = dataclasses.replace(
                record, by_subject={metric.name: {s: value + i for i, s in enumerate(record.subjects)}}
            )
            said = dataclasses.replace(metric, **(of_first if method == "high" else {}))
            found.append(stating(record, said, began=f"2026-01-0{fold + 1}" if method == "high" else "2026-02-01"))
    return found


def board_of(records: list[Record], metric: str = "error", cards: Cards | None = None) -> Board:
    (board,) = boards(records, query=BoardQuery(metric=metric, cards=cards or Cards()))
    return board


@pytest.mark.parametrize("metric", [ERROR, SEEN, Metric(name="plain", title="plain", low=-math.inf, high=math.inf)])
def test_a_card_comes_back_as_it_was_stated(metric: Metric) -> None:
    said = json.loads(json.dumps(as_stated([metric], [metric.name, "accuracy"]), allow_nan=False))
    assert card(metric.name, said[metric.name]) == metric


def test_only_metrics_of_plugins_that_were_measured_are_stated() -> None:
    accuracy = Metric(name="accuracy", title="mine", higher_is_better=False)
    assert list(as_stated([ERROR, SEEN, accuracy], ["error/pixels", "accuracy"])) == ["error"]


def test_the_board_does_not_turn_round_without_the_plugin(make: Make) -> None:
    records = pair(make)
    with_plugin, without = board_of(records, cards=installed(ERROR)), board_of(records)
    assert [row.name for row in without.rows] == [row.name for row in with_plugin.rows] == ["low", "high"]
    assert [row.rank for row in without.rows] == [row.rank for row in with_plugin.rows]
    assert None not in [row.rank for row in without.rows]
    assert without.notes == with_plugin.notes == []
    cards = Cards().of_records(records)
    assert [column.heading for column in columns(["error", "error/pixels"], cards)] == ["gaze deg", "gaze deg (pixels)"]
    assert cards.metric("error") == ERROR


def test_records_from_before_are_ordered_and_not_ranked_as_before(make: Make) -> None:
    records = [dataclasses.replace(r, provenance={"seconds": 1.0}) for r in pair(make)]
    board = board_of(records)
    assert [row.rank for row in board.rows] == [None, None]
    assert "neither the records nor an installed plugin say whether a high value is good" in board.notes[0]
    assert [row.name for row in board_of(records, cards=installed(ERROR)).rows] == ["low", "high"]


def test_what_the_records_say_counts_before_what_is_installed(make: Make) -> None:
    board = board_of(pair(make), cards=installed(dataclasses.replace(ERROR, higher_is_better=True)))
    assert [row.name for row in board.rows] == ["low", "high"]
    (note,) = board.notes
    assert note.startswith(
        "The installed plugin says otherwise than the records what error means (direction, unit or range)"
    )
    other_words = dataclasses.replace(ERROR, title="error of gaze")
    assert board_of(pair(make), cards=installed(other_words)).notes == [], "a title is no contradiction"


def test_records_that_contradict_each_other_are_not_ranked(make: Make) -> None:
    records = pair(make, higher_is_better=True)
    board = board_of(records, cards=installed(ERROR))
    assert [row.rank for row in board.rows] == [None, None]
    assert any("records contradict each other in whether a high value is good" in note for note in board.notes)
    assert any("in what error means" in note for note in board.notes)
    for refused in (
        lambda: compare(records, "low", "high", metric="error"),
        lambda: ablations(records, metric="error"),
    ):
        with pytest.raises(
            FerbenchError, match="Some records say that a high error is good, and others that a low one"
        ):
            refused()
    assert [row.rank for row in board_of(records, "accuracy").rows] == [1, 1], "other metrics are ranked"


def test_of_records_that_differ_otherwise_the_newest_counts(make: Make) -> None:
    board = board_of(pair(make, unit="rad"))
    assert board.metric is not None
    assert board.metric.unit == "deg", "those of the method 'low' are newer"
    assert None not in [row.rank for row in board.rows]
    assert (
        "Records contradict each other in what error means (direction, unit or range); the newest counts."
        in board.notes
    )


def test_a_comparison_knows_which_is_better_without_the_plugin(make: Make) -> None:
    (found,) = compare(pair(make), "low", "high", metric="error")
    assert found.metric == ERROR
    assert not found.metric.higher_is_better


def test_no_plugin_and_no_record_turns_round_a_metric_of_the_core(make: Make) -> None:
    turned = Metric(name="accuracy", title="theirs", higher_is_better=False)
    assert (
        Cards.of([EvaluatorCard(name="e", target="m:e", title="t", metrics=[turned])])
        .metric("accuracy")
        .higher_is_better
    )
    values = as_stated([dataclasses.replace(turned, name="other")], ["other"])["other"]
    record = make()
    record = dataclasses.replace(record, provenance={CARDS: {"accuracy": values}})
    assert Cards().of_records([record]).metric("accuracy") == Cards().metric("accuracy")


@pytest.mark.parametrize(
    "values",
    [
        None, [], "text", {}, {"title": 3}, {"title": "t", "higher_is_better": "no"}, {"title": "t", "low": "deep"},
        {"title": "t", "digits": -1}, {"title": "t", "digits": True}, {"title": "t", "digits": 99},
        {"title": "t", "by_subject": ["guesses", "accuracy"]}, {"title": "t", "by_subject": 3},
        {"title": "t", "by_subject": []}, {"title": "t", "by_subject": [[], {}]},
    ],
)  # fmt: skip
def test_a_card_that_is_none_is_passed_over(make: Make, values: object) -> None:
    record = make(metrics={"error": 1.0})
    record = dataclasses.replace(record, provenance={CARDS: {"error": values}})
    assert not Cards().of_records([record]).known("error")


def test_cards_in_another_form_are_passed_over(make: Make) -> None:
    record = dataclasses.replace(make(), provenance={CARDS: ["error"]})
    assert Cards().of_records([record]) == Cards()


def test_the_index_keeps_them(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("store", "index"):
        monkeypatch.setattr(f"ferbench.records.{place}.LEAST", 1)
    store = Store(tmp_path / "results")
    store.prepare()
    for record in pair(make):
        store.write(record.trial.id, functools.partial(_as_it_is, record))
    for _ in range(2):
        assert board_of(store.scan()[0]).metric == ERROR
    assert type(store.scan()[0][0]) is not Record, "it was read from the index"


def test_what_was_evaluated_later_states_them_too(make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    store.prepare()
    for method, value in (("high", 9.0), ("low", 1.0)):
        record = make(method, folds=1)
        store.write(record.trial.id, functools.partial(_as_it_is, record))
        store.write_evaluated(record.trial.id, {"error": value}, cards=as_stated([ERROR], ["error"]))
        store.write_evaluated(record.trial.id, {"mig": 0.5})
    found = store.scan()[0]
    assert [row.name for row in board_of(found).rows] == ["low", "high"]
    assert all(set(record.metrics) >= {"error", "mig"} and CARDS not in record.metrics for record in found)


PLUGIN = """
from ferbench import EvaluatorCard, Metric, hookimpl

@hookimpl
def ferbench_evaluators():
    return [EvaluatorCard(name="gaze", target=__name__ + ":evaluate", title="t", metrics=[
        Metric(name="gaze_error", title="gaze error", heading="gaze [bold]", unit="deg", higher_is_better=False, high=90.0),
    ])]

def evaluate(outputs):
    return {"gaze_error": float(len(outputs.frames))}
"""


def test_a_trial_states_what_its_plugin_said(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "gaze.py").write_text(PLUGIN)
    results = tmp_path / "results"
    data = ("dataset.subjects=8", "protocol=subject_kfold", "protocol.k=2", "protocol.folds=0", "evaluation.judges=0")
    words = ("method=cross_entropy", *SMOKE, *data, f"results_dir={results}")
    assert ferbench("run", "--plugin", tmp_path / "gaze.py", *words).status == 0
    (record,) = Store(results).scan()[0]
    said: Mapping[str, Any] = record.provenance[CARDS]
    assert list(said) == ["gaze_error"], "of the core's metrics nothing is stated"
    assert meaning(card("gaze_error", said["gaze_error"]) or ERROR) == (False, "deg", 0.0, 90.0, None)
    shown = ferbench("leaderboard", results, "--metric", "gaze_error")
    assert "gaze [bold] deg" in " ".join(shown.out.split()), "a heading is shown as it is"
    assert CARDS not in ferbench("show", record.trial.id[:6], results).out
