"""The boards of the home page, as what its template shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.reported import Reported
from ferbench.report.columns import Column, cost_cell, devices, extras, footnotes, missing, number, rank
from ferbench.report.site.figures import Figure
from ferbench.report.site.names import board_key, key, row_key


def board(
    board: Board, shown: Sequence[Column], papers: Sequence[Reported], figures: Sequence[Figure]
) -> dict[str, Any]:
    """A board: headings, rows, notes, what papers report, figures."""
    several = len(board.backbones) > 1
    more = extras(board)
    pretraining = any(row.pretraining for row in board.rows)
    heads = [_head("#", "rank"), _head("method", "method", words=True)]
    heads += [_head("backbone", "backbone", words=True)] if several else []
    heads += [
        _head("trials", "trials"),
        *(_head(c.heading, c.metric, best_first=c.card.higher_is_better) for c in shown),
    ]
    heads += [_head(extra.heading, f"extra{i}") for i, extra in enumerate(more)]
    heads += [_head("training", "training")]
    heads += [_head("weights have seen", "pretraining", words=True)] if pretraining else []
    marks = devices(board)
    notes = [*(note for row in board.rows if (note := missing(row))), *footnotes(board, shown)]
    notes += [f"{mark} {name}" for name, mark in marks.items() if mark]
    return {
        "key": board_key(board),
        "protocol": board.protocol,
        "setting": board.described,
        "heads": heads,
        "rows": [
            {
                "key": row.key,
                "page": f"methods/{key(row.method)}.html#{row_key(board, row)}",
                "name": row.name,
                "complete": row.complete,
                "status": row.submission_status,
                "cells": _cells(row, place, shown, several, pretraining, marks, board),
            }
            for place, row in enumerate(board.rows)
        ],
        "notes": notes,
        "reported": papers,
        "figures": [figure for figure in figures if figure.board == board_key(board)],
    }


def by_dataset(boards: Sequence[Board], made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The boards under the names of their datasets."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one, context in zip(boards, made, strict=True):
        found.setdefault(one.dataset, []).append(context)
    return [{"name": name, "key": f"data-{key(name)}", "boards": contexts} for name, contexts in found.items()]


def _cells(
    row: Row,
    place: int,
    shown: Sequence[Column],
    several: bool,
    pretraining: bool,
    marks: Mapping[str, str],
    board: Board,
) -> list[dict[str, Any]]:
    """Those before the method's name come first in the list, with the others behind it."""
    between = f"[{row.rank_low}, {row.rank_high}]" if row.rank_low is not None else ""
    cells = [{**_figure(rank(row), place), "beside": between}]
    cells += [_text(row.backbone)] if several else []
    cells.append(_figure(f"{row.done}/{row.planned}", row.done))
    cells += [score(row.scores.get(column.metric), column) for column in shown]
    cells += [_figure(extra.text(row), extra.value(row)) for extra in extras(board)]
    seconds = row.cost.get("train_seconds", math.nan)
    cells.append(_figure(cost_cell(row, "train_seconds") + marks.get("; ".join(row.devices), ""), seconds))
    cells += [_text(row.pretraining or "nothing")] if pretraining else []
    return cells


def _head(text: str, name: str, words: bool = False, best_first: bool = False) -> dict[str, Any]:
    """`name`: in fragments. best_first: whether sorting begins with the highest value."""
    return {"text": text, "name": name, "number": not words, "down": best_first}


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "order": text, "number": False, "beside": ""}


def _figure(text: str, order: float) -> dict[str, Any]:
    return {"text": text, "order": "" if math.isnan(order) else order, "number": True, "beside": ""}


def score(found: Score | None, column: Column) -> dict[str, Any]:
    """A figure, with its interval beside it."""
    cell = _figure(number(found, column), math.nan if found is None else found.mean)
    return {**cell, "beside": number(found, column, interval=True).partition(" ")[2]}
