"""What plugins say of records, and boards of records: for the commands that read results folders, and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.errors import FerbenchError, UnknownName

if TYPE_CHECKING:
    from ferbench.ranking.aggregate import BoardQuery
    from ferbench.ranking.board import Board
    from ferbench.ranking.cards import Cards
    from ferbench.ranking.reported import Reported
    from ferbench.records.merge import Collected
    from ferbench.records.schema import Record
    from ferbench.registry.loader import Registry


def need_names(given: Collected, dataset: str | None = None, method: str | None = None) -> None:
    """Refuse a dataset or a method that no record has.

    Raises:
        UnknownName: with the names that there are.
    """
    trials = [r.trial for r in given.records.values()] + [o.trial for o in given.failures]
    for kind, name, names in (
        ("dataset", dataset, {trial.identity.dataset.name for trial in trials}),
        ("method", method, {trial.method for trial in trials}),
    ):
        if name and name not in names:
            raise UnknownName(f"{kind} among the records", name, names)


def known_cards(registry: Registry, given: Collected | None = None) -> Cards:
    """What the records state of their metrics, and the cards of all loaded plugins of metrics, datasets and backbones."""
    from ferbench.cards import BackboneCard, DatasetCard, EvaluatorCard
    from ferbench.ranking.cards import Cards

    evaluators = registry.catalogue(EvaluatorCard).values()
    cards = Cards.of(evaluators, registry.catalogue(DatasetCard), registry.catalogue(BackboneCard))
    return cards if given is None else cards.of_records(given.records.values())


def published(registry: Registry, boards: Sequence[Board], cards: Cards) -> list[list[Reported]]:
    """For each board what papers report on its data."""
    from ferbench.ranking.reported import beside

    results = registry.reported()
    return [beside(board, results, cards.datasets) for board in boards]


def shareable(registry: Registry) -> set[str]:
    """Datasets whose faces may be shown to anybody."""
    from ferbench.cards import DatasetCard

    return {card.name for card in registry.catalogue(DatasetCard).values() if card.shareable}


def reproduce(record: Record, plugins: Sequence[str] = ()) -> str:
    """The command that makes a record again, with the plugins that are installed here, and its own plugin files or `plugins`."""
    from ferbench.config.overrides import command_of
    from ferbench.registry.loader import load_registry

    trial = with_plugins(record, plugins).trial
    return command_of(load_registry(trial.plugin_files, needed=False), trial)


def with_plugins(record: Record, files: Sequence[str]) -> Record:
    """A record whose plugin files are where `files` says; as it is if that is empty."""
    if not files:
        return record
    from ferbench.records.index import with_plugin_files

    return with_plugin_files(record, [str(Path(file).resolve()) for file in files])


def need_metric(given: Collected, name: str) -> None:
    """Raise UnknownName if records have no metric of that name."""
    known = {metric for record in given.records.values() for metric in record.metrics}
    if known and name not in known:
        raise UnknownName("metric", name, known)


def chosen_boards(given: Collected, query: BoardQuery, wanted: Sequence[str] = ()) -> list[Board]:
    """The boards that were asked for, with the status of submitted records. `wanted`: metrics that have to be there.

    Raises:
        UnknownName: a metric, a dataset or a baseline is not among the records.
        FerbenchError: there are only ablations.
    """
    from ferbench.ranking.aggregate import boards
    from ferbench.ranking.submitted import mark

    records = list(given.records.values())
    for name in wanted:
        need_metric(given, name)
    need_names(given, query.dataset, query.baseline)
    found = boards(records, given.failures, query)
    if not found:
        raise FerbenchError("There are only ablations among the records; add --include-ablations.")
    mark(found, given.submission_status)
    return found
