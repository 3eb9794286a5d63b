"""What ferbench knows of method and evaluator before it runs. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferbench import EvaluatorCard, MethodCard, Metric, StageCard, hookimpl, settings_of

PRESENT = 0.4
"""The intensity, in [0, 1], from which an action unit counts as present: 2 of the 5 levels of FACS."""


@dataclass
class UnitCouplingSettings:
    """Settings of the method; each is `method.NAME=VALUE` on the command line."""

    lr: float = 1e-3
    """Learning rate of all networks."""
    unit_weight: float = 1.0
    """Weight of the loss of action units beside that of expression, as in the paper."""
    coupling_weight: float = 1.0
    """Weight of the coupling of both, as in the paper."""


@hookimpl
def ferbench_methods() -> Iterable[MethodCard]:
    """The methods of this package."""
    return [
        MethodCard(
            name="unit_coupling",
            target="ferbench_example_units.method:UnitCoupling",
            title="expression and action units from one representation, which have to agree",
            paper="Kollias, Sharmanska, Zafeiriou, Face Behavior a la carte, arXiv 1910.11111",
            settings=UnitCouplingSettings,
            factors=["au[0-9]*"],
            stages=[StageCard(name="training", settings=settings_of(UnitCouplingSettings))],
            ablations={
                "no_coupling": {"coupling_weight": 0.0},
                "no_units": {"unit_weight": 0.0},
                "expression_only": {"unit_weight": 0.0, "coupling_weight": 0.0},
            },
            api=1,
        )
    ]


@hookimpl
def ferbench_evaluators() -> Iterable[EvaluatorCard]:
    """The evaluators of this package."""
    return [
        EvaluatorCard(
            name="units_by_subject",
            target="ferbench_example_units.evaluator:evaluate",
            title="action units, by subject",
            metrics=[
                Metric(
                    name="au_f1_by_subject",
                    title="F1 of action units, mean of subjects",
                    heading="AU F1 by subject",
                    unit="%",
                    interval=True,
                )
            ],
            of_estimates=True,
            api=1,
        )
    ]
