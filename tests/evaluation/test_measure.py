"""From outputs to metrics: what may be left empty, what is an error, and what is worked out once."""

from __future__ import annotations

import dataclasses
import gc
import math
import weakref
from collections.abc import Mapping
from pathlib import Path

import pytest

from ferbench import EvaluatorCard, FerbenchError, Metric, NotMeasurable, Outputs, PerSubject
from ferbench.evaluation.evaluators import expression_probe, leakage, selectivity
from ferbench.evaluation.measure import Measured, measure
from ferbench.metrics import ExpressionProbe, IdentityLeakage, Selectivity
from tests.evaluation.test_probes import codes, outputs


def too_few(outputs: Outputs) -> Mapping[str, float]:
    raise NotMeasurable("mine needs two test subjects; this fold has 1.")


def cannot_read(outputs: Outputs) -> Mapping[str, float]:
    raise FerbenchError("The table of mine cannot be read.")


def by_subject(outputs: Outputs) -> Mapping[str, PerSubject]:
    return {"good": PerSubject({"P1": 0.25, "P2": 0.75})}


def card(function: str) -> EvaluatorCard:
    return EvaluatorCard(
        name="mine", target=f"{__name__}:{function}", title="t", metrics=[Metric(name="mine", title="mine")]
    )


def test_what_the_data_do_not_allow_is_empty_with_a_note() -> None:
    made = outputs(codes("expression"))
    found = measure([card("too_few")], made)
    assert (found.metrics, found.notes, found.failed) == (
        {"mine": None}, ["mine needs two test subjects; this fold has 1."], {},
    )  # fmt: skip


def test_an_evaluator_whose_target_does_not_exist_is_an_error() -> None:
    sentence = "evaluator 'mine' points to 'tests.evaluation.test_measure:nothing', which has no 'nothing'."
    with pytest.raises(FerbenchError, match=sentence):
        measure([card("too_few"), card("nothing")], outputs(codes("expression")))


def test_an_evaluator_that_fails_is_named_and_costs_nothing_else() -> None:
    good = dataclasses.replace(card("by_subject"), name="good", metrics=[Metric(name="good", title="good")])
    found = measure([card("cannot_read"), good], outputs(codes("expression")))
    assert found.metrics == {"good": 0.5}
    assert found.by_subject == {"good": {"P1": 0.25, "P2": 0.75}}
    assert found.notes == [
        (
            "The evaluator 'mine' failed (FerbenchError: The table of mine cannot be read.); its metrics are missing. "
            "'ferbench evaluate --metric mine' runs it again."
        )
    ]
    assert "in cannot_read" in found.failed["mine"], "the traceback"


def test_a_value_that_is_not_finite_is_none(tmp_path: Path) -> None:
    """NaN of a subject may not get into a record, which could then not be written."""
    found = Measured()
    found.add({"good": PerSubject({"a": 0.25}), "bad": PerSubject({"a": math.nan, "b": 0.5}), "none": PerSubject({})})
    assert found.metrics == {"good": 0.25, "bad": None, "none": None}
    assert found.by_subject == {"good": {"a": 0.25}}


def test_probes_are_fitted_once_for_all_evaluators_that_ask() -> None:
    made = outputs(codes("expression"))
    assert leakage.evaluate(made) is leakage.evaluate(made)
    assert expression_probe.evaluate(made) is expression_probe.evaluate(made)
    selectivity.evaluate(made)
    assert made.once("how often", lambda _: 1) == made.once("how often", lambda _: 2) == 1


def test_outputs_live_no_longer_than_their_evaluation() -> None:
    made = outputs(codes("expression"))
    selectivity.evaluate(made)
    alive = weakref.ref(made)
    del made
    gc.collect()
    assert alive() is None


def test_the_metrics_agree_with_the_evaluators() -> None:
    import pandas as pd
    import torch

    made = outputs(codes("subject") + codes("expression"))
    found = {**leakage.evaluate(made), **expression_probe.evaluate(made), **selectivity.evaluate(made)}
    subjects, expressions = (torch.from_numpy(pd.factorize(made.frames[name])[0]) for name in ("subject", "expression"))
    for metric, name in (
        (IdentityLeakage(), "identity_leakage"),
        (IdentityLeakage("knn"), "identity_leakage_knn"),
        (ExpressionProbe(), "expression_probe"),
        (Selectivity(), "selectivity"),
    ):
        metric.update(torch.from_numpy(made.features), subjects, expressions)
        assert float(metric.compute()) == pytest.approx(found[name].mean, abs=0.05)
