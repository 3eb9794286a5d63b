"""Running evaluators on outputs."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ferbench.cards import EvaluatorCard
from ferbench.errors import NotMeasurable
from ferbench.interfaces.evaluator import Outputs, PerSubject, Value
from ferbench.registry.loader import Registry


@dataclass
class Measured:
    """What evaluators found.

    Attributes:
        metrics: by name; None for those that the data do not allow.
        by_subject: the values of subjects of the metrics that were given so (`PerSubject`), without those of references.
        notes: a sentence for each metric or evaluator that the data do not allow, and for each evaluator that failed.
        failed: the evaluators that failed, by name, with their traceback. Their metrics are not in `metrics`.
    """

    metrics: dict[str, float | None] = field(default_factory=dict)
    by_subject: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, found: Mapping[str, Value]) -> None:
        """Add what one evaluator returned. A metric that is not finite, or not for one of the subjects, is None."""
        metrics: dict[str, float | None] = {}
        by_subject: dict[str, dict[str, float]] = {}
        for name, value in found.items():
            if isinstance(value, PerSubject):
                values = {str(subject): float(each) for subject, each in value.values.items()}
                if "/" not in name and values and all(map(math.isfinite, values.values())):
                    by_subject[name] = values
                value = math.fsum(values.values()) / len(values) if values else None
            metrics[name] = None if value is None or not math.isfinite(value) else float(value)
        self.metrics |= metrics
        self.by_subject |= by_subject

    def versions(self, cards: Iterable[EvaluatorCard]) -> dict[str, int]:
        """The versions, by name, of those of the evaluators that did not fail."""
        return {card.name: card.version for card in cards if card.name not in self.failed}


def standard(registry: Registry, outputs: Outputs) -> list[EvaluatorCard]:
    """The evaluators that a trial with these outputs is given to."""
    cards = [card for card in registry.catalogue(EvaluatorCard).values() if not card.on_request]
    return [card for card in cards if outputs.estimates or not card.of_estimates]


def measure(cards: Iterable[EvaluatorCard], outputs: Outputs) -> Measured:
    """Run evaluators. None of them can cost a trained trial: one that fails is named in a note, and the others run.

    Raises:
        FerbenchError: an evaluator's target does not exist, said before any of them is run.
    """
    measured = Measured()
    for card, evaluate in [(card, card.load()) for card in cards]:
        try:
            measured.add(evaluate(outputs))
        except NotMeasurable as error:
            measured.notes.append(str(error))
            measured.metrics |= {metric.name: None for metric in card.metrics}
        except Exception as error:
            measured.failed[card.name] = traceback.format_exc()
            measured.notes.append(
                f"The evaluator '{card.name}' failed ({type(error).__name__}: {error}); its metrics are missing. "
                f"'ferbench evaluate --metric {card.metrics[0].name if card.metrics else 'NAME'}' runs it again."
            )
    return measured
