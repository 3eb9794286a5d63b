"""Checks of evaluators, on the outputs of `make_outputs`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ferbench.cards import EvaluatorCard
from ferbench.errors import NotMeasurable, enumerate_first
from ferbench.interfaces.evaluator import Outputs, PerSubject, Value
from ferbench.randomness import own_random_state
from ferbench.testing.inputs import NotTried, make_outputs

Evaluate = Callable[[Outputs], Mapping[str, Value]]


def metrics_of_card(card: EvaluatorCard, evaluate: Evaluate) -> None:
    """The evaluator returns the metrics of its card, as numbers in their range.

    Let the names be those of the card's `Metric`s; one of a reference has the suffix "/NAME". Give `Metric` the `low` and `high`
    that values can have. A value is a number, `PerSubject`, or None where the data do not allow it.
    """
    found = _measured(evaluate, make_outputs())
    known = {metric.name: metric for metric in card.metrics}
    strange = sorted({name for name in found if name.partition("/")[0] not in known})
    assert not strange, f"it returns {enumerate_first(strange)}; the card has {', '.join(known) or 'no metrics'}"
    missing = sorted(set(known) - set(found))
    assert not missing, f"it does not return {enumerate_first(missing)}, which the card has"
    for name, value in found.items():
        assert value is None or isinstance(value, int | float | np.number | PerSubject), (
            f"{name} is {value!r} ({type(value).__name__}), not a number, PerSubject or None"
        )
        number = None if value is None else float(value.mean) if isinstance(value, PerSubject) else float(value)
        metric = known[name.partition("/")[0]]
        assert number is None or not math.isfinite(number) or metric.low <= number <= metric.high, (
            f"{name} is {number:g}, outside {metric.low:g} to {metric.high:g}"
        )


def same_metrics_twice(card: EvaluatorCard, evaluate: Evaluate) -> None:
    """Equal outputs give equal metrics, and the outputs stay as they are.

    Draw from `np.random.default_rng(seed)` with a fixed seed, not from `np.random`, and compute on copies of the arrays.
    """
    outputs = make_outputs()
    with own_random_state(0):
        first = _numbers(_measured(evaluate, outputs))
    with own_random_state(1):
        second = _numbers(_measured(evaluate, make_outputs()))
    differ = [name for name in first if not np.array_equal(first[name], second.get(name, np.nan), equal_nan=True)]
    assert not differ, f"{enumerate_first(differ)} differ from one call to the next"
    fresh = make_outputs()
    for name in ("logits", "features", "identity_features"):
        assert np.array_equal(getattr(outputs, name), getattr(fresh, name)), f"it changes outputs.{name}"
    assert outputs.frames.equals(fresh.frames), "it changes outputs.frames"


def little_to_measure(card: EvaluatorCard, evaluate: Evaluate) -> None:
    """Outputs without references, identity features and synthesised faces, or of one subject, are no error.

    Return {} where a part that the metrics are about is None; raise `ferbench.NotMeasurable` with a sentence where the data do not
    allow a metric. Any other error is taken for a fault of the evaluator.
    """
    for what, outputs in (
        ("a method without identity features and synthesised faces", make_outputs(least=True)),
        ("a single test subject", make_outputs(subjects=1)),
    ):
        try:
            evaluate(outputs)
        except NotMeasurable:
            continue
        except Exception as error:
            raise AssertionError(f"with {what} it raises {type(error).__name__}: {error}") from error


def _measured(evaluate: Evaluate, outputs: Outputs) -> Mapping[str, Value]:
    """Raises NotTried if the evaluator is not for such outputs."""
    try:
        found = evaluate(outputs)
    except NotMeasurable as error:
        raise NotTried(str(error)) from error
    assert isinstance(found, Mapping), f"it returns {type(found).__name__}, not a dict of metrics"
    return found


def _numbers(found: Mapping[str, Value]) -> dict[str, np.ndarray]:
    plain = {name: list(v.values.values()) if isinstance(v, PerSubject) else v for name, v in found.items()}
    return {name: np.asarray(np.nan if value is None else value, dtype=float) for name, value in plain.items()}
