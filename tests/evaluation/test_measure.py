"""From outputs to metrics: what may be left empty, what is an error, and what is worked out once."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping

import pytest

from ferbench import EvaluatorCard, FerbenchError, Metric, NotMeasurable, Outputs
from ferbench.evaluation.evaluators import expression_probe, leakage, selectivity
from ferbench.evaluation.measure import measure
from ferbench.metrics import ExpressionProbe, IdentityLeakage, Selectivity
from tests.evaluation.test_probes import codes, outputs


def too_few(outputs: Outputs) -> Mapping[str, float]:
    raise NotMeasurable("mine needs two test subjects; this fold has 1.")


def cannot_read(outputs: Outputs) -> Mapping[str, float]:
    raise FerbenchError("The table of mine cannot be read.")


def card(function: str) -> EvaluatorCard:
    return EvaluatorCard(
        name="mine", target=f"{__name__}:{function}", title="t", metrics=[Metric(name="mine", title="mine")]
    )


def test_what_the_data_do_not_allow_is_empty_with_a_note() -> None:
    made = outputs(codes("expression"))
    assert measure([card("too_few")], made) == ({"mine": None}, ["mine needs two test subjects; this fold has 1."])


def test_an_evaluator_whose_target_does_not_exist_is_an_error() -> None:
    sentence = "evaluator 'mine' points to 'tests.evaluation.test_measure:nothing', which has no 'nothing'."
    with pytest.raises(FerbenchError, match=sentence):
        measure([card("too_few"), card("nothing")], outputs(codes("expression")))


def test_every_other_error_of_an_evaluator_is_an_error() -> None:
    with pytest.raises(FerbenchError, match="The table of mine cannot be read"):
        measure([card("cannot_read")], outputs(codes("expression")))


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
        assert float(metric.compute()) == pytest.approx(found[name], abs=0.05)
