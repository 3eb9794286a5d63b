"""The leaderboard as a table, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json

from rich.console import Console

from ferbench.ranking.aggregate import boards
from ferbench.report import export
from ferbench.report.columns import _ranges, cell, missing
from ferbench.report.markdown import markdown
from ferbench.report.terminal import render
from tests.made_records import Make


def test_a_cell_has_its_interval(make: Make) -> None:
    (board,) = boards([make(fold=0, right=8), make(fold=1, right=6)])
    assert cell(board.rows[0], "accuracy") == "70.0 [60.0, 80.0]"
    assert cell(board.rows[0], "expression_probe") == "-"


def test_the_table_fits_eighty_columns(make: Make) -> None:
    (board,) = boards(
        [make("cross_entropy", f, metrics={"expression_probe": 0.5}) for f in (0, 1)] + [make("degan", 0)]
    )
    out = io.StringIO()
    Console(file=out, width=80).print(render([board]))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if line.strip().startswith("1 cross_entropy"))
    assert "80.0 [80.0, 80.0]" in row
    assert "degan: not ranked, 1 of 2 trials done; missing are fold 1 of seed 0." in out.getvalue()


def test_markdown_is_escaped(make: Make) -> None:
    text = markdown(boards([make("m", variant="a|b<script>")]))
    assert "a\\|b&lt;script>" in text
    assert "| # | method | folds |" in text


def test_csv_and_json_hold_every_metric_and_agree(make: Make) -> None:
    found = boards([make(fold=f) for f in (0, 1)] + [make("n", metrics={"identity_leakage": None})])
    rows = list(csv.DictReader(io.StringIO(export.to_csv(found))))
    values = json.loads(export.to_json(found))
    assert [r["method"] for r in rows] == [v["method"] for v in values] == ["m", "n"]
    assert float(rows[0]["accuracy_low"]) == values[0]["accuracy_low"]
    assert values[0]["trials"] == ["m-full-made-0-0-1-10", "m-full-made-1-0-1-10"]
    assert values[1]["rank"] is None
    assert rows[1]["rank"] == ""
    assert rows[1]["identity_leakage"] == ""


def test_what_is_missing_in_words(make: Make) -> None:
    (board,) = boards([make(fold=0, folds=10), make(fold=4, folds=10)])
    assert missing(board.rows[0]) == "m: not ranked, 2 of 10 trials done; missing are fold 1-3, 5-9 of seed 0."
    assert _ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
