"""Accuracy by the levels of a factor: subjects, expressions, or a column of the frame table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.errors import FerbenchError, UnknownName
from ferbench.factors import NAMES, cut
from ferbench.ranking import statistics
from ferbench.ranking.board import Board, Row, Score
from ferbench.records import files
from ferbench.records.schema import Record

GROUPS = 4
"""A factor with more numbers than twice this is cut into so many groups of equal size."""


@dataclass
class Breakdown:
    """Attributes:
    levels: of the factor, with the number of test frames each.
    rows: of the board, each with its accuracy by level; intervals resample the subjects that have the level.
    """

    factor: str
    levels: dict[str, int]
    rows: list[tuple[Row, dict[str, Score]]]


def breakdown(
    board: Board, records: Mapping[str, Record], where: Mapping[str, Path], factor: str, draws: int = statistics.DRAWS
) -> Breakdown:
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
        counts = own.groupby(["level", "subject"], observed=True)["right"].agg(["sum", "size"])
        scores = {}
        for level in levels.index:
            if level in counts.index.get_level_values(0):
                scores[str(level)] = _score(counts.loc[level].to_numpy(dtype=float), draws)
        found.append((row, scores))
    return Breakdown(factor, {str(k): int(v) for k, v in levels.items()}, found)


def _frames(folder: Path, record: Record, factor: str) -> pd.DataFrame:
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
        }
    )


def _levels(values: pd.Series) -> pd.Series:
    groups = cut(values, GROUPS, most=2 * GROUPS)
    return groups if groups is not None else values.astype(object).where(values.notna(), "-").astype(str)


def _score(counts: np.ndarray, draws: int) -> Score:
    """counts (S, 2): right and all, of each subject."""
    mean = float(counts[:, 0].sum() / counts[:, 1].sum())
    if len(counts) < 2 or not draws:
        return Score(mean)
    drawn = statistics.resampled(len(counts), draws).astype(float) @ counts
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), [0.025, 0.975])
    return Score(mean, float(low), float(high))
