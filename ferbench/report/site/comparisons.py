"""What `ferbench compare` says of any two rows of a board, as data: the tests are those of the command, made when the site is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ferbench.ranking.board import Board
from ferbench.ranking.cards import Cards
from ferbench.ranking.compare import Comparison, pairs
from ferbench.records.schema import Record
from ferbench.report.columns import cell, p_value, points
from ferbench.report.site.names import board_key, key
from ferbench.report.site.trials import COMPARED

MOST = 200
"""Rows of a board that are compared with one another, the first ones: as many pairs as the square of it."""


def file_of(board: str, row: str) -> str:
    """The data file with all that a row is compared with."""
    return f"pairs-{board}-{row}"


def of_board(board: Board, records: Mapping[str, Record], cards: Cards) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each row the name of its file, and by metric what is said of it against each other row.

    A comparison is [difference, p, sentences], and where there can be none, its reason alone.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for metric in COMPARED:
        for a, b, said in pairs(board, records, cards, metric, MOST):
            for one, ours, theirs in _both(said, a.key, b.key):
                found.setdefault(ours, {}).setdefault(theirs, {})[metric] = one
    for row, others in found.items():
        yield file_of(board_key(board), row), others


def _both(said: Comparison | str, a: str, b: str) -> list[tuple[Any, str, str]]:
    if isinstance(said, str):
        return [(said, a, b), (said, b, a)]
    return [(_texts(said), a, b), (_texts(said.turned()), b, a)]


def _texts(found: Comparison) -> list[str]:
    unit = " points" if found.metric.unit == "%" else ""
    mean, _, interval = points(found.difference, found.metric).partition(" ")
    words = [found.words(), *([found.code] if found.code else [])]
    return [f"{mean}{unit} {interval}".rstrip(), p_value(found.difference.p), " ".join(words)]


def index(boards: list[Board], cards: Cards) -> list[dict[str, Any]]:
    """What the page of comparisons offers: boards with their rows."""
    return [
        {
            "key": board_key(board),
            "title": f"{board.dataset} · {board.protocol}",
            "setting": board.setting,
            "left": max(0, len(board.rows) - MOST),
            "rows": [
                {
                    "key": row.key,
                    "name": row.name,
                    "backbone": row.backbone,
                    "file": key(row.method),
                    "figures": [cell(row, metric, cards) for metric in COMPARED],
                }
                for row in board.rows[:MOST]
                if row.trials
            ],
        }
        for board in boards
    ]
