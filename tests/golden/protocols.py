"""The fold of every frame of a small table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ferbench.cards import DatasetCard, ProtocolCard
from ferbench.protocols.select import split

CARD = DatasetCard(
    name="made", target="m:D", title="t", expressions=("a", "b", "c"), provides=frozenset({"subject"}), frames="last_3"
)
SUBJECTS = 23


def table() -> pd.DataFrame:
    """23 subjects with five frames of each of three expressions, some of which they lack; the last four are for testing."""
    rows = []
    for subject in range(SUBJECTS):
        for number, expression in enumerate(CARD.expressions):
            if (subject * 7 + number * 5) % 6 == 0:
                continue
            name = f"P{subject + 1:03d}/{expression}"
            side = "test" if subject >= SUBJECTS - 4 else "val" if subject % 9 == 4 else "train"
            rows += [
                (f"{name}/{position}", f"P{subject + 1:03d}", name, position, _phase(position), expression, side)
                for position in range(5)
            ]
    return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression", "split"])


def _phase(position: int) -> str:
    return "neutral" if position == 0 else "apex" if position > 2 else "onset"


def values(card: ProtocolCard) -> dict[str, Any]:
    """The subjects of each fold, by assignment where there are several; what is only trained on is fold -1."""
    found = {}
    for assignment in (0, 1) if "assignment" in card.setting_names else (0,):
        with _settings(card) as settings:
            if "assignment" in card.setting_names:
                settings.assignment = assignment
            selected = split(table(), CARD, card.load()(settings))
        for fold, part in selected.groupby("fold"):
            subjects = " ".join(sorted(part["subject"].unique()))
            found[f"assignment {assignment}/fold {fold}"] = f"{len(part)} frames of {subjects}"
    return found


@contextmanager
def _settings(card: ProtocolCard) -> Iterator[Any]:
    """The card's defaults, and a file for a protocol that reads one."""
    if "file" not in card.setting_names:
        yield card.settings()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "splits.csv"
        table()[["frame_id", "split"]].to_csv(path, index=False)
        yield card.settings(file=str(path))
