"""Trials as data, one file a method, which the pages of trials and of comparisons read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferbench.errors import printable
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.cards import Cards
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.report.columns import REFERENCES, columns, number
from ferbench.report.site.names import board_key, row_key

COMPARED = ("accuracy", "identity_leakage")
"""Metrics of which two rows are compared, with `ferbench compare`'s test."""

POINTS = 80
"""Of a curve in training; each is a mean over the steps that it stands for."""

LOOKED_AT = ": test accuracy (looked at, never used)"


def script(name: str, value: Any) -> str:
    """A file that hands a value to the page that loads it. Pages that are read from disk may load scripts, and no JSON.

    The value goes through JSON.parse, and the text has no '<', so that whatever it holds stays data.
    """
    text = json.dumps(json.dumps(value, allow_nan=False, separators=(",", ":")))
    return f"ferbench.take({json.dumps(name)}, {text});\n".replace("<", "\\u003c")


class Shared:
    """Values that many trials have in common, each held once and stood for by its number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[str, int] = {}

    def number(self, value: Any) -> int:
        text = json.dumps(value)
        if text not in self._numbers:
            self._numbers[text] = len(self.values)
            self.values.append(value)
        return self._numbers[text]


def method_data(
    method: str,
    rows: Iterable[tuple[Board, Row]],
    records: Mapping[str, Record],
    where: Mapping[str, Path],
    cards: Cards,
    command: Callable[[Record], str],
    pictures: Mapping[str, str],
) -> dict[str, Any]:
    """All trials of a method.

    Args:
        rows: its rows with their boards. pictures: the file of made faces, by trial.
    """
    shared = Shared()
    trials = []
    for board, row in rows:
        for name in row.trials:
            record = records[name]
            place = {"board": board_key(board), "row": row.key, "anchor": row_key(board, row), "name": row.name}
            place |= {"dataset": board.dataset, "protocol": board.protocol, "backbone": row.backbone}
            trials.append(
                {
                    "id": name,
                    "at": list(record.trial.repetition),
                    "place": shared.number(place),
                    "picture": pictures.get(name, ""),
                    **_trial(record, cards, shared, command),
                    "losses": losses(where[name]),
                }
            )
    beside = list(REFERENCES.values())
    return {"method": method, "compared": list(COMPARED), "beside": beside, "shared": shared.values, "trials": trials}


def _trial(record: Record, cards: Cards, shared: Shared, command: Callable[[Record], str]) -> dict[str, Any]:
    tables = {name: np.asarray(table) for name, table in record.confusion.items()}
    return {
        "label": record.trial.label,
        "expressions": shared.number(list(record.expressions)),
        "subjects": shared.number(list(tables)),
        "frames": [int(table.sum()) for table in tables.values()],
        "right": [int(np.trace(table)) for table in tables.values()],
        "confusion": np.sum(list(tables.values()), axis=0).tolist() if tables else [],
        "headings": shared.number([column.heading for column in columns(_metrics(record), cards)]),
        "figures": _figures(record, cards),
        "values": [record.metrics.get(name) for name in COMPARED],
        "settings": shared.number(_settings(record)),
        "provenance": [[name, shared.number(text)] for name, text in _flat(record.provenance, leave=("code",))],
        "cost": [[name, f"{value:g}"] for name, value in record.cost.items()],
        "stages": [[s.name, s.steps, s.steps_run, round(s.seconds), s.weights[:12]] for s in record.stages],
        "notes": shared.number(list(record.notes)),
        "command": command(record),
    }


def _metrics(record: Record) -> list[str]:
    """The metrics of a record without those of references, which stand beside them."""
    return list(dict.fromkeys(name.partition("/")[0] for name in record.metrics))


def _figures(record: Record, cards: Cards) -> list[list[str]]:
    """For each metric its figure, and those of REFERENCES."""
    return [
        [
            number(None if (value := record.metrics.get(name)) is None else Score(value), column)
            for name in (column.metric, *(f"{column.metric}/{reference}" for reference in REFERENCES))
        ]
        for column in columns(_metrics(record), cards)
    ]


def _settings(record: Record) -> list[list[str]]:
    """All that the result depends on, without names of subjects."""
    identity = {
        k: v for k, v in record.trial.identity.to_dict().items() if k not in ("test_subjects", "train_subjects")
    }
    people = {"test subjects": len(record.trial.identity.test_subjects)}
    people["training subjects"] = len(record.trial.identity.train_subjects)
    return [*_flat(identity, leave=("code", "seed")), *_flat(people)]


def _flat(values: Mapping[str, Any], leave: Sequence[str] = (), before: str = "") -> list[list[str]]:
    """[["method.settings.lr", "0.001"], ...]"""
    found: list[list[str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, (), f"{before}{key}.") if key not in leave else []
        elif key not in leave and value not in (None, "", []):
            found.append([f"{before}{key}", printable(str(value))])
    return found


def losses(folder: Path) -> list[dict[str, Any]]:
    """Curves of a trial's losses, each by stage and name; none where its record has no such file."""
    try:
        table = files.read_losses(folder)
        return [
            {"stage": f"{stage}{LOOKED_AT if loss == files.TEST_ACCURACY else ''}", "loss": str(loss), **_curve(part)}
            for (stage, loss), part in table.groupby(["stage", "loss"], sort=False)
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _curve(part: pd.DataFrame) -> dict[str, list[float]]:
    steps, values = part["step"].to_numpy(dtype=float), part["value"].to_numpy(dtype=float)
    known = np.isfinite(values)
    bins = np.array_split(np.flatnonzero(known), min(POINTS, max(int(known.sum()), 1)))
    return {
        "steps": [round(float(steps[b].mean())) for b in bins if len(b)],
        "values": [_short(float(values[b].mean())) for b in bins if len(b)],
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}") if math.isfinite(value) else 0.0
