"""From outputs to metrics: what may be left empty, what is an error, and what is worked out once."""

from __future__ import annotations

import dataclasses
import gc
import math
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ferbench import EvaluatorCard, FerbenchError, Metric, NotMeasurable, Outputs, PerSubject
from ferbench.evaluation.evaluators import expression_probe, leakage, selectivity
from ferbench.evaluation.measure import Measured, measure
from ferbench.metrics import ExpressionProbe, IdentityLeakage, Selectivity
from ferbench.registry.loader import Plugin, Registry
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


def among(*cards: EvaluatorCard) -> Registry:
    """The installed plugins of this test: one with the cards, and another with an evaluator of its own."""
    theirs = dataclasses.replace(card("by_subject"), name="theirs", metrics=[Metric(name="theirs", title="theirs")])
    return Registry(
        (
            Plugin("gaze", "gaze", "gaze-tools", "1.2", "loaded", cards=cards),
            Plugin("other", "other", "other", "1", "loaded", cards=(theirs,)),
        )
    )


def measured(*cards: EvaluatorCard) -> Measured:
    return measure(among(*cards), cards, outputs(codes("expression")))


def test_what_the_data_do_not_allow_is_empty_with_a_note() -> None:
    found = measured(card("too_few"))
    assert (found.metrics, found.notes, found.failed) == (
        {"mine": None}, ["mine needs two test subjects; this fold has 1."], {},
    )  # fmt: skip


def leaves(outputs: Outputs) -> Mapping[str, float]:
    raise SystemExit("goodbye")


def number(outputs: Outputs) -> Any:
    return 0.5


def text(outputs: Outputs) -> Any:
    return {"mine": "high"}


def of_the_core(outputs: Outputs) -> Mapping[str, float]:
    return {"mine": 0.5, "accuracy": 1.0}


def of_another(outputs: Outputs) -> Mapping[str, float]:
    return {"theirs": 1.0}


def unnamed(outputs: Outputs) -> Any:
    return {3: 1.0}


def changes_features(outputs: Outputs) -> Mapping[str, float]:
    outputs.features[:] = 0
    return {"mine": 0.5}


def changes_frames(outputs: Outputs) -> Mapping[str, float]:
    outputs.frames["expression"] = "anger"
    return {"mine": 0.5}


def changes_and_gives_up(outputs: Outputs) -> Mapping[str, float]:
    outputs.references["more"] = outputs.features  # type: ignore[index]
    raise NotMeasurable("too few")


def whole(outputs: Outputs) -> Mapping[str, float]:
    kept = (
        (outputs.features != 0).any()
        and outputs.frames["expression"].nunique() > 1
        and "more" not in outputs.references
    )
    return {"good": float(kept)}


GOOD = EvaluatorCard(name="good", target=f"{__name__}:whole", title="t", metrics=[Metric(name="good", title="good")])


OF_ANOTHER = (
    "FerbenchError: It gave theirs, which is a metric of evaluator 'theirs' of the plugin 'other' (other 1), too"
)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("cannot_read", "FerbenchError: The table of mine cannot be read"),
        ("nothing", "FerbenchError: evaluator 'mine' points to 'tests.evaluation.test_measure:nothing', which has no 'nothing'"),
        ("leaves", "SystemExit: goodbye"),
        ("number", "FerbenchError: It gave float instead of a mapping of names to numbers"),
        ("text", "FerbenchError: It gave 'high' for mine, which is no number"),
        ("unnamed", "FerbenchError: It gave a metric called 3; a name is a text"),
        ("of_the_core", "FerbenchError: It gave accuracy, which is a metric of ferbench itself"),
        ("of_another", OF_ANOTHER),
        ("changes_features", "FerbenchError: It changes features of the outputs, which the other evaluators and the record need"),
        ("changes_frames", "FerbenchError: It changes frames of the outputs, which the other evaluators and the record need"),
    ],
)  # fmt: skip
def test_an_evaluator_that_fails_is_named_with_its_plugin_and_costs_nothing_else(function: str, why: str) -> None:
    found = measured(card(function), GOOD)
    assert found.metrics == {"good": 1.0}
    sentence = (
        f"The evaluator 'mine' of the plugin 'gaze' (gaze-tools 1.2) failed ({why}); not measured: mine. "
        "'ferbench evaluate --metric mine' runs it again."
    )
    assert found.notes == [sentence]
    assert found.failed == {"mine": sentence}
    assert "Traceback" in found.traces["mine"]


def test_a_module_that_does_not_exist_costs_nothing_else() -> None:
    lost = dataclasses.replace(card("x"), target="no_such_package.mod:evaluate")
    found = measured(lost, GOOD)
    assert found.metrics == {"good": 1.0}
    assert "needs the module 'no_such_package', which is not installed" in found.failed["mine"]


def test_what_an_evaluator_changed_before_it_gave_up_is_as_it_was() -> None:
    assert measured(card("changes_and_gives_up"), GOOD).metrics == {"mine": None, "good": 1.0}


def test_an_evaluator_may_give_values_by_subject() -> None:
    good = dataclasses.replace(GOOD, target=f"{__name__}:by_subject")
    found = measured(good)
    assert (found.metrics, found.failed) == ({"good": 0.5}, {})
    assert found.by_subject == {"good": {"P1": 0.25, "P2": 0.75}}


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (["mine"], "have 'mine' among them, which is no ferbench.Metric"),
        ([Metric(name="a/b", title="t")], "is called 'a/b'; a name has lower-case letters"),
        ([Metric(name="a", title="t"), Metric(name="a", title="u")], "has two metrics 'a'"),
    ],
)
def test_a_card_with_other_metrics_is_refused(metrics: Any, why: str) -> None:
    with pytest.raises(FerbenchError, match=why):
        dataclasses.replace(GOOD, metrics=metrics)


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
