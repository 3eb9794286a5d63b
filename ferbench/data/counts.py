"""How many subjects and sequences a copy of a dataset has, beside what is published."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.protocols.select import select

WHOLE = ("subjects", "sequences")
"""What is counted of all classes together."""


@dataclass(frozen=True)
class Count:
    """How many there are of something.

    Attributes:
        what: one of WHOLE, or the expression of the sequences.
        here: in the copy.
        published: None where it is not known.
    """

    what: str
    here: int
    published: int | None


def counts(card: DatasetCard, selected: pd.DataFrame) -> list[Count]:
    """Subjects, sequences, and sequences of each class among the frames that a card's own selection leaves."""
    published = card.published
    sequences = selected.drop_duplicates("sequence")
    by_expression = sequences["expression"].value_counts()
    found = []
    if "subject" in card.provides:
        found.append(Count("subjects", selected["subject"].nunique(), (published and published.subjects) or None))
    found.append(Count("sequences", len(sequences), (published and published.sequences) or None))
    for expression in card.expressions:
        expected = published.by_expression.get(expression) if published else None
        found.append(Count(expression, int(by_expression.get(expression, 0)), expected))
    return found


def compared(card: DatasetCard, frames: pd.DataFrame) -> str:
    """A sentence about a copy that has fewer or more subjects or sequences than are published; empty for all others."""
    if card.published is None:
        return ""
    unlike = [
        c for c in counts(card, select(frames, card, "auto")) if c.what in WHOLE and c.published not in (None, c.here)
    ]
    if not unlike:
        return ""
    parts = " and ".join(_part(count) for count in unlike)
    return f"This copy of {card.name} has {parts.rstrip(',')}."


def _part(count: Count) -> str:
    if count.published is not None and count.here > count.published:
        return f"{count.here} {count.what}, where {count.published} are published,"
    return f"{count.here} of the {count.published} published {count.what}"
