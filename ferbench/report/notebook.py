"""Boards and comparisons as a part of a page, for Jupyter: tables without scripts. Every string is escaped by Jinja."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from ferbench.ranking.board import Board
from ferbench.ranking.cards import Cards
from ferbench.ranking.compare import Comparison
from ferbench.records.merge import Collected
from ferbench.report.columns import Column, cell, p_value, points
from ferbench.report.site import home


def boards(found: Sequence[Board], given: Collected, shown: Sequence[Column]) -> str | None:
    """The tables of the site's home page; None where Jinja is not installed."""
    tables = [{**home.board(board, shown, (), ()), "dataset": board.dataset} for board in found]
    return _rendered(boards=tables, comparisons=[], notes=given.notes)


def comparison(found: Sequence[Comparison], cards: Cards) -> str | None:
    """A table for each comparison; None where Jinja is not installed."""
    tables = [
        {
            "title": one.heading,
            "setting": f"{one.board.setting}; {one.trials} trials each, {len(one.subjects)} subjects",
            "metric": one.metric.title,
            "ours": cell(one.ours, one.metric.name, cards),
            "theirs": cell(one.theirs, one.metric.name, cards),
            "difference": points(one.difference, one.metric),
            "p": p_value(one.difference.p),
            "classes": [
                {"name": name, "ours": f"{100 * x:.1f}", "theirs": f"{100 * y:.1f}", "gap": f"{100 * (x - y):+.1f}"}
                for name, x, y in one.classes
            ],
            "notes": [one.words(), *([one.code] if one.code else [])],
        }
        for one in found
    ]
    return _rendered(boards=[], comparisons=tables, notes=[])


def _rendered(**values: Any) -> str | None:
    if find_spec("jinja2") is None:
        return None
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("ferbench.report"), autoescape=True, trim_blocks=True)
    return environment.get_template("notebook.html.jinja").render(**values)
