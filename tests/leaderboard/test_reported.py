"""Published figures beside a board."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from ferbench.leaderboard import plain
from ferbench.leaderboard.aggregate import boards
from ferbench.leaderboard.reported import DATASETS, beside, table
from ferbench.leaderboard.rows import Board
from ferbench.leaderboard.table import render
from tests.leaderboard.conftest import Make


def board(make: Make, dataset: str = "ckplus7c", method: str = "derl", right: int = 10, **protocol: object) -> Board:
    records = []
    for fold in range(10):
        record = make(method, fold, right=right, folds=10, dataset=dataset)
        identity = {**record.trial.identity, "protocol": {"name": "p", "version": 1, "frames": "last_3", **protocol}}
        records.append(dataclasses.replace(record, trial=dataclasses.replace(record.trial, identity=identity)))
    (found,) = boards(records)
    return found


def test_every_figure_has_a_source_and_a_known_form() -> None:
    sources, rows = table()["sources"], table()["rows"]
    assert len(rows) >= 35
    for row in rows:
        assert row["source"] in sources
        assert 0 < row["accuracy"] <= 100
        assert row["input"] in ("static", "sequence")
        assert isinstance(row.get("classes", ""), str), "YAML reads 6 as a number"
    assert {row["source"] for row in rows} == set(sources), "no source without a figure"


def test_the_same_protocol_differs_in_pretraining_alone(make: Make) -> None:
    derl = next(r for r in beside(board(make)) if r.method == "DeRL")
    assert derl.figure == "97.3 (96.6 by class)"
    assert derl.otherwise == ("pretrained on BU-4DFE and BP4D",)


@pytest.mark.parametrize(
    ("dataset", "frames", "method", "wanted"),
    [
        ("ckplus8", "last_3", "DeRL", ("classes: 7c", "pretrained on BU-4DFE and BP4D")),
        ("ckplus7c", "apex", "DeRL", ("frames: last 3", "pretrained on BU-4DFE and BP4D")),
        ("ckplus7c", "last_3", "IACNN", ("folds: 8",)),
        ("ckplus7c", "last_3", "Emotion-FAN", ("frames: all", "sees sequences", "best epoch on the test fold")),
        (
            "ckplus7c",
            "last_3",
            "SD-CNN",
            ("classes not said", "frames not said", "folds not said", "protocol not seen"),
        ),
    ],
)
def test_in_what_a_protocol_differs(
    make: Make, dataset: str, frames: str, method: str, wanted: tuple[str, ...]
) -> None:
    found = next(r for r in beside(board(make, dataset, frames=frames)) if r.method == method)
    assert found.otherwise == wanted


def test_the_gap_to_what_was_run_here(make: Make) -> None:
    perfect = next(r for r in beside(board(make)) if r.method == "DeRL")
    assert perfect.gap == "+2.7 [+2.7, +2.7], outside the interval of ours"
    worse = next(r for r in beside(board(make, right=5)) if r.method == "DeRL")
    assert worse.gap.startswith("-47.3")
    other = next(r for r in beside(board(make, method="mine")) if r.method == "DeRL")
    assert other.gap == ""


def test_nothing_is_reported_on_made_up_faces(make: Make) -> None:
    assert beside(board(make, dataset="synthfaces")) == []
    assert "synthfaces" not in DATASETS


def test_reported_figures_are_never_ranked(make: Make) -> None:
    found = board(make)
    text = plain.markdown([found], None, [beside(found)])
    ranked, _, reported = text.partition("*Reported, not run here")
    assert "DeRL" not in ranked
    assert "| *DeRL (2018)* | *97.3 (96.6 by class)* |" in reported


def test_the_terminal_shows_them_below_in_eighty_columns(make: Make) -> None:
    found = board(make)
    out = io.StringIO()
    Console(file=out, width=80).print(render([found], None, False, [beside(found)]))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    place = next(i for i, line in enumerate(lines) if "Reported, not run here" in line)
    assert any(line.startswith((" 1 derl", "1 derl")) for line in lines[:place])
    assert any("DeRL (2018)" in line for line in lines[place:])
    assert "run here: +2.7" in " ".join(" ".join(lines).split())
