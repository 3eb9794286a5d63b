"""Which training steps can be recorded as CUDA graphs. No rule: those that cannot are run one by one."""

from __future__ import annotations

from ferbench.cards import MethodCard
from ferbench.testing.inputs import Make, training
from ferbench.training.graph import WARM, Rehearsal
from ferbench.training.loop import train


def obstacles(card: MethodCard, make: Make) -> dict[str, str]:
    """By stage, why its steps cannot be recorded as CUDA graphs, as far as it can be told without a GPU; "" where nothing stands in
    the way. Steps that cannot are run one by one, and no rule is broken."""
    found = {}
    method = make()
    for stage in method.stages():
        found[stage.name] = train(method, stage, 2 * WARM + 4, training(card=card, graph=Rehearsal())).obstacle
    return found
