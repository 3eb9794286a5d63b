"""`ferbench evaluate`: computes metrics of finished records from their stored outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ferbench.cards import EvaluatorCard
from ferbench.errors import FerbenchError, UnknownName
from ferbench.evaluation.measure import measure
from ferbench.execution.outputs import read_outputs
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.records.store import Store
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Evaluated:
    """The result of evaluating a record.

    Attributes:
        record: the record.
        metrics: metrics by name; None if one cannot be computed from the data.
        notes: sentences about metrics that cannot be computed.
        error: why the record could not be evaluated; empty if it was.
    """

    record: Record
    metrics: dict[str, float | None]
    notes: tuple[str, ...] = ()
    error: str = ""


def chosen(registry: Registry, metrics: Sequence[str]) -> list[EvaluatorCard]:
    """The evaluators that compute the given metrics; without any, all evaluators.

    Raises:
        UnknownName: no evaluator computes such a metric.
    """
    cards = list(registry.catalogue(EvaluatorCard).values())
    names = {metric.name for card in cards for metric in card.metrics}
    for metric in metrics:
        if metric not in names:
            raise UnknownName("metric", metric, names)
    return [card for card in cards if not metrics or {m.name for m in card.metrics} & set(metrics)]


def evaluate(
    registry: Registry, store: Store, records: Sequence[Record], cards: Sequence[EvaluatorCard], again: bool = False
) -> Iterator[Evaluated]:
    """Compute the metrics of evaluators for records that do not have them or have those of another version of the evaluator's
    card, and store them next to the records.

    Args:
        cards: the evaluators.
        again: whether to compute metrics that records have already.

    Yields:
        One result for each record that was evaluated.
    """
    for record in records:
        possible = [card for card in cards if files.ESTIMATES in record.files or not card.of_estimates]
        lacking = [card for card in possible if again or not _measured(card, record)]
        if not lacking:
            continue
        try:
            outputs = read_outputs(store.path(record.trial.id), record)
        except (FerbenchError, OSError, ValueError, KeyError, TypeError) as error:
            yield Evaluated(record, {}, error=str(error))
            continue
        measured = measure(registry, lacking, outputs)
        found = measured.versions(lacking), measured.cards(lacking)
        store.write_evaluated(record.trial.id, measured.metrics, measured.by_subject, *found)
        yield Evaluated(record, measured.metrics, tuple(measured.notes), " ".join(measured.failed.values()))


def _measured(card: EvaluatorCard, record: Record) -> bool:
    """Whether a record has the metrics of this version of an evaluator. Records that do not state it have those of version 1."""
    versions = record.provenance.get("evaluators", {})
    return bool({m.name for m in card.metrics} & set(record.metrics)) and versions.get(card.name, 1) == card.version
