"""The entry point: cards of the datasets, which stand in cards.py."""

from __future__ import annotations

from ferbench.cards import DatasetCard
from ferbench.hookspecs import hookimpl
from ferbench_labdata.cards import CARDS


@hookimpl
def ferbench_datasets() -> list[DatasetCard]:
    return list(CARDS.values())
