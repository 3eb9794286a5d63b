"""Running evaluators on outputs."""

from __future__ import annotations

import copy
import dataclasses
import math
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ferbench.cards import EvaluatorCard
from ferbench.errors import FerbenchError, NotMeasurable, enumerate_first
from ferbench.interfaces.evaluator import Outputs, PerSubject, Syntheses, Value
from ferbench.randomness import own_random_state
from ferbench.records.metrics import CORE, as_stated
from ferbench.registry.loader import Registry


@dataclass
class Measured:
    """What evaluators found.

    Attributes:
        metrics: by name; None for those that the data do not allow.
        by_subject: the values of subjects of the metrics that were given so (`PerSubject`), without those of references.
        notes: a sentence for each metric or evaluator that the data do not allow, and for each evaluator that failed.
        failed: a sentence for each evaluator that failed, by name. Their metrics are not in `metrics`.
        traces: their tracebacks.
    """

    metrics: dict[str, float | None] = field(default_factory=dict)
    by_subject: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)

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

    def cards(self, cards: Iterable[EvaluatorCard]) -> dict[str, dict[str, Any]]:
        """What the cards of the evaluators say of the metrics that were found, as records state it."""
        return as_stated((metric for card in cards for metric in card.metrics), self.metrics)


def standard(registry: Registry, outputs: Outputs) -> list[EvaluatorCard]:
    """The evaluators that a trial with these outputs is given to."""
    cards = [card for card in registry.catalogue(EvaluatorCard).values() if not card.on_request]
    return [card for card in cards if outputs.estimates or not card.of_estimates]


def measure(registry: Registry, cards: Iterable[EvaluatorCard], outputs: Outputs) -> Measured:
    """Run evaluators. None of them can cost a trained trial, nor change what the others see: one that fails, changes its input or
    gives a metric of another evaluator's card is named in a note with its plugin, and the others run."""
    measured = Measured()
    owners: dict[str, list[EvaluatorCard]] = {}
    for each in registry.catalogue(EvaluatorCard).values():
        for metric in each.metrics:
            owners.setdefault(metric.name, []).append(each)
    given = _Guarded(outputs)
    for card in cards:
        try:
            with own_random_state(0):
                found = card.load()(given.outputs)
            _check(registry, card, found, owners)
            if changed := given.changed():
                raise FerbenchError(
                    f"It changes {changed} of the outputs, which the other evaluators and the record need"
                )
            measured.add(found)
        except NotMeasurable as error:
            given.changed()
            measured.notes.append(str(error))
            measured.metrics |= {metric.name: None for metric in card.metrics}
        except (Exception, SystemExit) as error:
            given.changed()
            measured.traces[card.name] = traceback.format_exc()
            names = [metric.name for metric in card.metrics]
            why = " ".join(str(error).split()).rstrip(".") or "no message"
            lacking, again = enumerate_first(names) or "its metrics", names[0] if names else "NAME"
            sentence = (
                f"The evaluator '{card.name}' of {registry.owner(card).words} failed ({type(error).__name__}: {why}); not "
                f"measured: {lacking}. 'ferbench evaluate --metric {again}' runs it again."
            )
            measured.failed[card.name] = sentence
            measured.notes.append(sentence)
    return measured


def _check(
    registry: Registry, card: EvaluatorCard, found: object, owners: Mapping[str, Sequence[EvaluatorCard]]
) -> None:
    """Raise FerbenchError if an evaluator did not give metrics by name, or gave one of another evaluator."""
    if not isinstance(found, Mapping):
        raise FerbenchError(f"It gave {type(found).__name__} instead of a mapping of names to numbers")
    for name, value in found.items():
        if not isinstance(name, str):
            raise FerbenchError(f"It gave a metric called {name!r}; a name is a text")
        base = name.partition("/")[0]
        others = [other for other in owners.get(base, ()) if other is not card]
        if card.target.startswith("ferbench."):
            continue
        if base in CORE:
            raise FerbenchError(f"It gave {name}, which is a metric of ferbench itself")
        if others:
            of = registry.owner(others[0]).words
            raise FerbenchError(f"It gave {name}, which is a metric of evaluator '{others[0].name}' of {of}, too")
        for each in value.values.values() if isinstance(value, PerSubject) else () if value is None else (value,):
            if not _is_number(each):
                raise FerbenchError(f"It gave {str(each)[:80]!r} for {name}, which is no number")


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, str | bytes) and isinstance(float(value), float)
    except (TypeError, ValueError):
        return False


class _Guarded:
    """Outputs for evaluators that might write into them."""

    def __init__(self, outputs: Outputs) -> None:
        self._original = outputs
        self.outputs = copy.deepcopy(outputs)

    def changed(self) -> str:
        """The name of an array or table that is not as it was, "" for none. All is then as it was again."""
        for name, before, now in _pairs(self._original, self.outputs):
            if not _same(before, now):
                self.outputs = copy.deepcopy(self._original)
                return name
        return ""


def _pairs(before: Outputs, now: Outputs) -> Iterator[tuple[str, Any, Any]]:
    yield "frames", before.frames, now.frames
    for name in ("logits", "features", "identity_features"):
        yield name, getattr(before, name), getattr(now, name)
    for name in {**before.references, **now.references}:
        yield f"references[{name!r}]", before.references.get(name), now.references.get(name)
    for part in dataclasses.fields(Syntheses) if before.syntheses is not None else ():
        yield f"syntheses.{part.name}", getattr(before.syntheses, part.name), getattr(now.syntheses, part.name)


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, np.ndarray):
        return isinstance(now, np.ndarray) and before.dtype == now.dtype and np.array_equal(_bytes(before), _bytes(now))
    return bool(before.equals(now)) if isinstance(before, pd.DataFrame) else before is now


def _bytes(array: np.ndarray) -> np.ndarray:
    """The array as bytes, of which NaN equals NaN; its shape counts too."""
    return np.ascontiguousarray(array).view(np.uint8) if array.ndim else array
