"""Checks of what the weights depend on: of initial ones, and of those that a stage trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ferbench.cards import MethodCard
from ferbench.errors import enumerate_first
from ferbench.interfaces.method import Method
from ferbench.registry.loader import Registry
from ferbench.testing.inputs import STEPS, Make, make_method, training, variants_of
from ferbench.training.loop import train


def own_randomness(card: MethodCard, make: Make) -> None:
    """Initial weights are drawn in `task.init`: they are reproducible, and the global random state is not changed.

    Create every network inside `with task.init(part):`, or give `task.scope(name)` to networks of `ferbench.blocks`.
    """
    state = torch.get_rng_state()
    first = make()
    assert torch.equal(state, torch.get_rng_state()), "creating the method draws from the global random generator"
    torch.manual_seed(1)
    second = make()
    differ = [n for n, v in second.state_dict().items() if not torch.equal(v, first.state_dict()[n])]
    assert not differ, (
        f"{enumerate_first(differ)} have different initial weights each time; create them inside task.init(part)"
    )


def shared_weights(registry: Registry, card: MethodCard, settings: Mapping[str, Any]) -> None:
    """Layers of the same name and shape start from the same weights in all variants of a method.

    Create each part in an `init` of its own, so that what one variant leaves out does not change the random numbers of the
    others.
    """

    def layers(method: Method) -> dict[str, dict[str, Tensor]]:
        return {name: dict(module.named_parameters(recurse=False)) for name, module in method.named_modules()}

    full = layers(make_method(registry, card, dict(settings)))
    for variant, overrides in variants_of(card).items():
        for name, weights in layers(make_method(registry, card, {**settings, **overrides})).items():
            ours = full.get(name, {})
            if {n: w.shape for n, w in weights.items()} == {n: w.shape for n, w in ours.items()}:
                same = all(torch.equal(w, ours[n]) for n, w in weights.items())
                assert same, (
                    f"'{name}' has other initial weights in '{variant}' than in the full method; see Task.scope"
                )


def stage_settings(
    registry: Registry, card: MethodCard, overrides: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    """A stage whose card does not list a setting of the ablation ends with the same weights with and without the ablation.

    Add the setting to the `settings` of that `StageCard`, or let the stage not depend on it.
    """
    full = make_method(registry, card, dict(settings))
    ablated = make_method(registry, card, {**settings, **overrides})
    for stated, ours, theirs in zip(card.stages, full.stages(), ablated.stages(), strict=True):
        if stated.settings & set(overrides):
            return
        a = train(full, ours, STEPS, training(card=card)).state
        b = train(ablated, theirs, STEPS, training(card=card)).state
        assert a.keys() == b.keys(), (
            f"stage '{stated.name}' depends on {sorted(overrides)}, which its card does not state"
        )
        differ = [n for n in a if not torch.equal(a[n], b[n])]
        assert not differ, (
            f"stage '{stated.name}' depends on {sorted(overrides)}, which its card does not state: {enumerate_first(differ)}"
        )
