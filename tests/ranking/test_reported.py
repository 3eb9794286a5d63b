"""Published figures beside a board."""

from __future__ import annotations

import dataclasses
import io
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from ferbench import DatasetCard, FerbenchError, PublishedResult
from ferbench.ranking import reported
from ferbench.ranking.aggregate import boards
from ferbench.ranking.board import Board
from ferbench.records.identity import ComponentIdentity
from ferbench.registry.loader import load_registry
from ferbench.report.markdown import markdown
from ferbench.report.terminal import render
from tests.made_records import Make


def board(make: Make, dataset: str = "ckplus7c", method: str = "derl", right: int = 10, **protocol: object) -> Board:
    records = []
    for fold in range(10):
        record = make(method, fold, right=right, folds=10, dataset=dataset)
        used = ComponentIdentity("p", 1, {"frames": "last_3", **protocol})
        identity = dataclasses.replace(record.trial.identity, protocol=used)
        records.append(dataclasses.replace(record, trial=dataclasses.replace(record.trial, identity=identity)))
    (found,) = boards(records)
    return found


def beside(board: Board) -> list[reported.Reported]:
    registry = load_registry()
    return reported.beside(board, registry.reported(), registry.catalogue(DatasetCard))


def test_every_figure_is_of_a_known_form() -> None:
    """PublishedResult refuses a figure without a source, or not in percent."""
    assert len(load_registry().reported()) >= 35
    table = yaml.safe_load(files("ferbench_labdata").joinpath("reported.yaml").read_text())
    assert {row["source"] for row in table["rows"]} == set(table["sources"]), "no source without a figure"
    for row in table["rows"]:
        assert all(isinstance(row.get(name, ""), str) for name in ("classes", "frames", "folds")), (
            "YAML reads 6 as a number"
        )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"accuracy": 0.9, "source": ""}, "The figure that M reports on CK.* has no source"),
        ({"accuracy": 973.0, "source": "s"}, "is 973.0; it is written in percent"),
    ],
)
def test_what_a_published_result_refuses(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        PublishedResult(method="M", dataset="CK+", year=2020, **more)


PLUGIN = """
from ferbench import PublishedResult, hookimpl

@hookimpl
def ferbench_reported():
    return [PublishedResult(method="Mine", dataset="CK+", accuracy=99.9, year=2026, source="a paper"){more}]
"""


def test_a_plugin_brings_published_results(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "paper.py"
    file.write_text(PLUGIN.format(more=""))
    registry = load_registry([str(file)])
    found = reported.beside(board(make), registry.reported(), registry.catalogue(DatasetCard))
    assert found[0].method == "Mine"


def test_a_broken_plugin_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(PLUGIN.format(more=", 7"))
    with pytest.raises(
        FerbenchError, match=r"published results of plugin 'wrong' \(file\) are broken: .* gave 7, which is not"
    ):
        load_registry([str(file)]).reported()


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
    assert perfect.gap == "+2.7 [+0.6, +2.7], outside the interval of ours"
    worse = next(r for r in beside(board(make, right=5)) if r.method == "DeRL")
    assert worse.gap.startswith("-47.3")
    other = next(r for r in beside(board(make, method="mine")) if r.method == "DeRL")
    assert other.gap == ""


def test_nothing_is_reported_on_made_up_faces(make: Make) -> None:
    assert beside(board(make, dataset="synthfaces")) == []


def test_reported_figures_are_never_ranked(make: Make) -> None:
    found = board(make)
    text = markdown([found], None, [beside(found)])
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
