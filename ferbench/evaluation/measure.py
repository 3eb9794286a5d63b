"""Evaluators on outputs: all metrics, and a sentence for each that the data did not allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ferbench.cards import EvaluatorCard
from ferbench.errors import NotMeasurable
from ferbench.interfaces.evaluator import Outputs
from ferbench.registry.loader import Registry


def standard(registry: Registry) -> list[EvaluatorCard]:
    """The evaluators that every trial is given to."""
    return [card for card in registry.catalogue(EvaluatorCard).values() if not card.on_request]


def measure(cards: Iterable[EvaluatorCard], outputs: Outputs) -> tuple[dict[str, float | None], list[str]]:
    """(metrics, None for those that the data did not allow; the sentences on these).

    Raises:
        FerbenchError: an evaluator's target does not exist, said before any of them is worked out.
    """
    metrics: dict[str, float | None] = {}
    notes = []
    for card, evaluate in [(card, card.load()) for card in cards]:
        try:
            found: Mapping[str, float | None] = evaluate(outputs)
        except NotMeasurable as error:
            notes.append(str(error))
            found = {metric.name: None for metric in card.metrics}
        metrics |= {k: None if v is None or not math.isfinite(v) else float(v) for k, v in found.items()}
    return metrics, notes
