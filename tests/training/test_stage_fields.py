"""Fields of stages and groups that would be taken for something else are refused."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from ferbench import Balanced, FerbenchError, Group, Part, Partner, Stage
from ferbench.blocks.schedules import StepDecay
from ferbench.blocks.transforms import Flip
from ferbench.interfaces.sampling import PK


def stage(**fields: Any) -> Stage:
    return Stage("training", lambda batch, clock: iter(()), {}, **fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"batches": PK},
            "Stage 'training' has batches=<class 'ferbench.interfaces.sampling.PK'>; it can be PK(",
        ),
        ({"batches": Balanced}, "it can be PK(frames=4), Balanced() or None."),
        ({"batches": "balanced"}, "Stage 'training' has batches='balanced'; it can be"),
        (
            {"second": "nonsense"},
            "has second='nonsense'; it can be Partner.EXPRESSION, Partner.SUBJECT, Partner.NEUTRAL or None.",
        ),
        ({"third": "another subject with the same expression"}, "Stage 'training' has third="),
        ({"transforms": Flip()}, "it can be a list of transforms."),
        ({"views": 0}, "has views=0; it can be a whole number from 1 on."),
        ({"views": 2.0}, "has views=2.0; it can be a whole number from 1 on."),
        ({"epoch_steps": 0}, "has epoch_steps=0; it can be a whole number from 1 on, or None."),
    ],
)
def test_a_stage(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FerbenchError) as error:
        stage(**fields)
    assert sentence in str(error.value)


def test_what_a_stage_can_have() -> None:
    assert stage(
        batches=PK(2), second=Partner.SUBJECT, third=Partner.EXPRESSION, transforms=[Flip()], views=2, epoch_steps=3
    )


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"parts": Part([nn.Linear(1, 1)])}, "it is a list of parts: [Part([self.backbone], lr=1e-4)]."),
        ({"parts": [nn.Linear(1, 1)]}, "it is a list of parts"),
        ({"schedule": StepDecay}, "Group.schedule is the class StepDecay; write StepDecay(...)."),
    ],
)
def test_a_group(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FerbenchError) as error:
        Group([nn.Linear(1, 1)], **fields)
    assert sentence in str(error.value)


@pytest.mark.parametrize("at", [0.5, (), (0.8, 0.5), (0.5, 0.5)])
def test_steps_of_a_schedule_grow(at: Any) -> None:
    with pytest.raises(FerbenchError, match="it has to be growing fractions of the stage, such as"):
        StepDecay(at)
