"""What boards take from cards: names of datasets and backbones, units and directions of metrics."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ferbench import BackboneCard, BySubject, Counts, CountScore, EvaluatorCard, Metric, UnknownName
from ferbench.api.reading import known_cards
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.cards import Cards
from ferbench.records.schema import Record
from ferbench.registry.loader import load_registry
from ferbench.report.columns import cell, columns
from tests.made_records import Make

PLUGIN = """
from ferbench import BySubject, Counts, CountScore, EvaluatorCard, Metric, hookimpl

@hookimpl
def ferbench_evaluators():
    return [EvaluatorCard(name="gaze", target="gaze:evaluate", title="where the face looks", metrics=[
        Metric(name="gaze_kept", title="gaze that was kept", heading="gaze kept", unit="%", digits=2, interval=True),
        Metric(name="gaze_error", title="gaze error", unit="deg", higher_is_better=False, high=90.0),
        Metric(name="seen", title="seen", unit="%", by_subject=BySubject(Counts.SEQUENCES, CountScore.ACCURACY)),
    ])]
"""


def strangers(tmp_path: Path) -> Cards:
    file = tmp_path / "gaze.py"
    file.write_text(PLUGIN)
    return Cards.of(load_registry([str(file)]).catalogue(EvaluatorCard).values())


def configured(record: Record, **nodes: dict[str, object]) -> Record:
    trial = dataclasses.replace(record.trial, config={**record.trial.config, **nodes})
    return dataclasses.replace(record, trial=trial)


def test_a_strangers_metric_is_shown_in_its_unit(make: Make, tmp_path: Path) -> None:
    cards = strangers(tmp_path)
    records = [make(fold=f, metrics={"gaze_kept": 0.25, "gaze_error": 3.0}) for f in (0, 1)]
    (board,) = boards(records, query=BoardQuery(metric="gaze_kept", cards=cards))
    assert [column.heading for column in columns(["gaze_kept", "gaze_error", "seen"], cards)] == [
        "gaze kept %", "gaze error deg", "seen %",
    ]  # fmt: skip
    assert cell(board.rows[0], "gaze_kept", cards) == "25.00"
    assert cell(board.rows[0], "gaze_error", cards) == "3.00"


def test_a_strangers_metric_is_averaged_as_its_card_says(make: Make, tmp_path: Path) -> None:
    (board,) = boards([make(fold=0, right=9), make(fold=1, right=5)], query=BoardQuery(cards=strangers(tmp_path)))
    assert board.rows[0].scores["seen"] == board.rows[0].scores["sequence_accuracy"]


def test_a_metric_without_a_card_has_its_name_as_its_heading(make: Make) -> None:
    (board,) = boards([make(metrics={"theirs": 0.5}), make(fold=1, metrics={"theirs": 0.25})])
    assert columns(["theirs"])[0].heading == "theirs"
    assert cell(board.rows[0], "theirs") == "0.38"
    assert columns(["theirs/pixels"])[0].heading == "theirs (pixels)"


@pytest.mark.parametrize(
    ("dataset", "name"),
    [({"preset": "default"}, "synthfaces"), ({"preset": "confounded"}, "synthfaces confounded"), ({}, "synthfaces")],
)
def test_a_dataset_is_named_with_the_settings_that_its_card_shows(
    make: Make, dataset: dict[str, object], name: str
) -> None:
    record = configured(make(dataset="synthfaces"), dataset={"name": "synthfaces", **dataset})
    assert boards([record], query=BoardQuery(cards=known_cards(load_registry())))[0].dataset == name
    assert boards([record])[0].dataset == "synthfaces", "without its plugin"


def test_a_backbone_is_named_by_the_setting_that_its_card_names(make: Make) -> None:
    plain, trained = (
        configured(make(), backbone={"name": "timm", "model": "resnet18", "pretrained": p}) for p in (False, True)
    )
    found = boards([plain, trained], query=BoardQuery(cards=known_cards(load_registry())))
    assert {board.rows[0].backbone for board in found} == {"resnet18", "resnet18 (pretrained)"}


def test_a_backbone_without_a_card_is_named_with_its_settings(make: Make) -> None:
    record = make()
    backbone = dataclasses.replace(record.trial.identity.backbone, settings={"width": 8})
    identity = dataclasses.replace(record.trial.identity, backbone=backbone)
    record = dataclasses.replace(record, trial=dataclasses.replace(record.trial, identity=identity))
    assert boards([record])[0].rows[0].backbone == "net width=8"


def test_a_card_cannot_name_a_setting_that_it_lacks() -> None:
    for more in ({"label": "model"}, {"shown": ["model"]}, {"pretrained": "model"}, {"small": {"model": 8}}):
        with pytest.raises(UnknownName, match="There is no setting of backbone 'net' .* 'model'"):
            BackboneCard(name="net", target="m:Net", title="t", **more)


def test_the_cores_cards_say_how_boards_average() -> None:
    cards = Cards()
    assert cards.metric("macro_f1").by_subject == BySubject(Counts.FRAMES, CountScore.MACRO_F1)
    assert cards.metric("identity_leakage/pixels").by_subject is None
    assert not cards.metric("optimism").higher_is_better
    assert cards.metric("best_epoch_accuracy").column == "best epoch %"
    assert Metric(name="m", title="mine").column == "mine"
