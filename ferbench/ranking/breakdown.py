"""Accuracy by the levels of a factor: subjects, expressions, or a column of the frame table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError, UnknownName, printable
from ferbench.factors import NAMES, cut
from ferbench.ranking import intervals
from ferbench.ranking.answers import Answers
from ferbench.ranking.board import Board, Row, Score
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES
from ferbench.records import files
from ferbench.records.schema import Record

GROUPS = 4
"""A factor with more numbers than twice this is cut into so many groups of equal size."""


@dataclass
class Breakdown:
    """Attributes:
    levels: of the factor, with the number of test frames each.
    rows: of the board, each with its accuracy by level; intervals are of the subjects that have the level, and of trainings.
    """

    factor: str
    levels: dict[str, int]
    rows: list[tuple[Row, dict[str, Score]]]


def breakdown(board: Board, records: Mapping[str, Record], where: Mapping[str, Path], factor: str) -> Breakdown:
    """Raises UnknownName where the predictions have no such column, FerbenchError where they cannot be read."""
    tables = []
    for number, row in enumerate(board.rows):
        for trial in row.trials:
            tables.append(_frames(where[trial], records[trial], factor).assign(row=number))
    if not tables:
        raise FerbenchError(f"No row of {board.dataset} has records.")
    frames = pd.concat(tables, ignore_index=True)
    frames["level"] = _levels(frames["level"])
    first = frames[frames["row"] == frames["row"].iloc[0]].drop_duplicates("frame_id")
    levels = first["level"].value_counts(sort=False).sort_index()
    found = []
    for number, row in enumerate(board.rows):
        own = frames[frames["row"] == number]
        scores = {
            str(level): intervals.score_of(counted(_answers(part), SCORES["accuracy"]))
            for level, part in own.groupby("level", observed=True)
        }
        found.append((row, {str(level): scores[str(level)] for level in levels.index if str(level) in scores}))
    return Breakdown(factor, {str(k): int(v) for k, v in levels.items()}, found)


def _answers(frames: pd.DataFrame) -> Answers:
    """The right and wrong answers of a row on the frames of a level, as counts of two classes."""
    folds: dict[Any, Any] = {}
    for fold, part in frames.groupby(["assignment", "fold"]):
        counts = part.groupby(["seed", "subject"])["right"].agg(["sum", "size"]).unstack(fill_value=0)
        right, size = counts["sum"].to_numpy(dtype=float), counts["size"].to_numpy(dtype=float)
        tables = np.zeros((*right.shape, 2, 2))
        tables[..., 0, 0], tables[..., 0, 1] = right, size - right
        folds[fold] = (tuple(counts["sum"].columns), tuple(counts.index), tables)
    return Answers(folds)


def _frames(folder: Path, record: Record, factor: str) -> pd.DataFrame:
    files.check(folder, record.files, [files.PREDICTIONS])
    table, probabilities = files.read_predictions(folder, record.expressions)
    factors = [c for c in table.columns if c not in NAMES]
    if factor not in factors:
        raise UnknownName("factor among the predictions", factor, factors)
    predicted = np.array(record.expressions)[probabilities.argmax(1)]
    return pd.DataFrame(
        {
            "frame_id": table["frame_id"],
            "subject": table["subject"],
            "level": table[factor],
            "right": predicted == table["expression"].to_numpy(),
            **dict(zip(("assignment", "fold", "seed"), record.trial.repetition, strict=True)),
        }
    )


def _levels(values: pd.Series) -> pd.Series:
    groups = cut(values, GROUPS, most=2 * GROUPS)
    return groups if groups is not None else values.astype(object).where(values.notna(), "-").astype(str).map(printable)
