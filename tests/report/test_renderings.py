"""The leaderboard as a table, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from pathlib import Path

from rich.console import Console

from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.board import Score
from ferbench.records.merge import Collected
from ferbench.report import export
from ferbench.report.columns import _ranges, cell, columns, missing, number, points
from ferbench.report.latex import latex
from ferbench.report.markdown import markdown
from ferbench.report.site.build import Material, build
from ferbench.report.terminal import render
from tests.made_records import Make


def test_a_cell_has_its_interval(make: Make) -> None:
    (board,) = boards([make(fold=0, right=8), make(fold=1, right=6)])
    assert cell(board.rows[0], "accuracy") == "70.0 [50.0, 84.5]"
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
    assert "80.0 [62.8, 90.5]" in row
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


def test_every_format_prints_the_same_number_for_the_same_cell(make: Make, tmp_path: Path) -> None:
    """Terminal, Markdown, LaTeX and the site print a cell alike; CSV and JSON hold the number that it was printed from."""
    right = {"alpha": (9, 7, 8), "beta": (7, 7, 6), "gamma": (3, 10, 4)}
    records = [
        make(method, fold, r, folds=3, metrics={"identity_leakage": 0.0449 * r, "expression_probe": r / 7})
        for method, column in right.items()
        for fold, r in enumerate(column)
    ]
    chosen, given = columns(), Collected()
    given.records.update({record.trial.id: record for record in records})
    given.where.update({record.trial.id: Path() for record in records})
    for baseline in ("", "beta"):
        found = boards(records, query=BoardQuery(baseline=baseline))
        out = io.StringIO()
        Console(file=out, width=220).print(render(found, shown=chosen))
        build(Material(given, found, found), tmp_path)
        texts = {
            "terminal": out.getvalue(),
            "markdown": markdown(found, chosen),
            "latex": latex(found, chosen).replace("\\_", "_"),
            "site": re.sub(r"<[^>]+>", "", (tmp_path / "index.html").read_text()),
        }
        rows = list(csv.DictReader(io.StringIO(export.to_csv(found))))
        values = json.loads(export.to_json(found))
        for row, line, node in zip(found[0].rows, rows, values, strict=True):
            for name, text in texts.items():
                # beside a baseline, the terminal shows one metric
                shown = chosen[:1] if baseline and name == "terminal" else chosen
                for column in shown:
                    assert number(row.scores[column.metric], column, column.interval) in text, (name, row.name)
                assert points(row.against) in text, (name, row.name)
            for column in chosen:
                for source in (line, node):
                    low, high = (source[f"{column.metric}_{end}"] for end in ("low", "high"))
                    score = Score(
                        *(math.nan if v in ("", None) else float(v) for v in (source[column.metric], low, high))
                    )
                    assert number(score, column, True) == number(row.scores[column.metric], column, True)


def test_json_has_null_where_there_is_no_number(make: Make) -> None:
    """One subject has no interval, and a baseline no p-value; assignments of which one is missing have no spread."""
    one = [
        dataclasses.replace(make(m, folds=1), confusion={"P0": [[r, 10 - r], [0, 0]]}) for m, r in (("a", 9), ("b", 5))
    ]
    (row, _) = json.loads(export.to_json(boards(one, query=BoardQuery(baseline="b"))))
    assert row["accuracy_low"] is None
    assert row["against_p"] is None
    assert "NaN" not in export.to_json(boards(one))


def test_what_is_missing_in_words(make: Make) -> None:
    (board,) = boards([make(fold=0, folds=10), make(fold=4, folds=10)])
    assert missing(board.rows[0]) == "m: not ranked, 2 of 10 trials done; missing are fold 1-3, 5-9 of seed 0."
    assert _ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
