"""Entry point of the plugin: the cards (cards.py), and the results that papers report on these datasets (reported.yaml)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from ferbench.cards import DatasetCard, PublishedResult
from ferbench.hookspecs import hookimpl
from ferbench_labdata.cards import CARDS


@hookimpl
def ferbench_datasets() -> list[DatasetCard]:
    return list(CARDS.values())


@hookimpl
def ferbench_reported() -> Iterator[PublishedResult]:
    import yaml

    table = yaml.safe_load(files("ferbench_labdata").joinpath("reported.yaml").read_text(encoding="utf-8"))
    for row in table["rows"]:
        yield PublishedResult(**{**row, "source": table["sources"][row["source"]]})
