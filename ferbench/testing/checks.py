"""The list of conformance checks: the rules that components have to keep.

A rule is a function that raises AssertionError with a sentence that says what is wrong. The first paragraph of its docstring is
the rule, the second says what an author does who has broken it. To add one, write it into the module of its topic and name it in
a list here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ferbench.cards import (
    EXTRA,
    BackboneCard,
    Card,
    DatasetCard,
    EvaluatorCard,
    ExecutorCard,
    MethodCard,
    ProtocolCard,
    TrackerCard,
)
from ferbench.deprecation import renamed
from ferbench.errors import UnknownName
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.dataset import Dataset, Describes
from ferbench.interfaces.executor import Executor
from ferbench.interfaces.protocol import Protocol
from ferbench.registry.loader import Registry, load_registry
from ferbench.testing import (
    accumulation,
    backbones,
    cards,
    datasets,
    evaluators,
    executors,
    factors,
    graphs,
    inputs,
    outputs,
    protocols,
    randomness,
    resuming,
    steps,
    trackers,
    weights,
)
from ferbench.testing.inputs import FULL, make_method, variants_of

Rule = Callable[..., None]

OF_VARIANTS: Sequence[Rule] = (
    steps.stages_match_card,
    steps.step_on_cpu,
    steps.step_on_meta,
    steps.step_in_bf16,
    steps.frozen_parts,
    outputs.outputs,
    randomness.outputs_repeat,
    factors.estimates,
    weights.own_randomness,
    randomness.construction_randomness,
    randomness.step_randomness,
    accumulation.micro_batches,
)
"""Rules of a method and of each of its ablations, called with (card, make); `make` creates the variant."""

OF_METHODS: Sequence[Rule] = (resuming.resume,)
"""Rules of the full method, called with (card, make)."""

OF_BACKBONES: Sequence[Rule] = (backbones.maps_as_stated, backbones.maps_on_meta)
"""Rules of backbones, called with the backbone."""

OF_DATASETS: Sequence[Rule] = (datasets.dataset_frames, datasets.dataset_images, datasets.dataset_fingerprint)
"""Rules of datasets, called with (card, dataset)."""

OF_PROTOCOLS: Sequence[Rule] = (protocols.folds_of_frames, protocols.subjects_in_one_fold, protocols.folds_reproducible)
"""Rules of protocols, called with (card, protocol)."""

OF_EVALUATORS: Sequence[Rule] = (
    evaluators.metrics_of_card,
    evaluators.same_metrics_twice,
    evaluators.little_to_measure,
)
"""Rules of evaluators, called with (card, function)."""

OF_EXECUTORS: Sequence[Rule] = (
    executors.every_trial_once,
    executors.failures_are_outcomes,
    executors.busy_is_tried_again,
)
"""Rules of executors, called with (card, executor)."""

OF_TRACKERS: Sequence[Rule] = (trackers.runs_at_a_time, trackers.a_run_goes_on, trackers.results_stay_clean)
"""Rules of trackers, called with (card, make); make(folder) gives the tracker of a results folder."""


@dataclass(frozen=True)
class Check:
    """A rule, applied to one component.

    Attributes:
        name: name of the rule.
        component: name of the component, with the ablation for variants of a method.
        package: the top-level package of its code.
        run: raises AssertionError if the component breaks the rule, NotTried if the rule does not apply.
        rule: the rule, in words.
        mend: what an author does who has broken it.
    """

    name: str
    component: str
    package: str
    run: Callable[[], None]
    rule: str = ""
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.component}]"

    @classmethod
    def of(cls, rule: Rule, card: Card, component: str, run: Callable[[], None]) -> Check:
        """The check of a rule, whose docstring gives the words."""
        words, _, mend = (inspect.getdoc(rule) or "").partition("\n\n")
        package = card.module.partition(".")[0]
        return cls(rule.__name__, component, package, run, " ".join(words.split()), " ".join(mend.split()))

    @property
    def makes(self) -> bool:
        """Whether it is about making the component, without which no other rule can be tried."""
        return self.name == cards.can_be_made.__name__


def checks_of(
    kind: str, name: str, registry: Registry | None = None, settings: Mapping[str, Any] | None = None
) -> list[Check]:
    """The checks of one component.

    Args:
        kind: "method", "backbone", "dataset", "protocol", "evaluator", "executor" or "tracker".
        name: name of the component.
        registry: installed plugins by default.
        settings: settings of the component that differ from its defaults, such as the folder of a dataset.

    Raises:
        UnknownName: there is no such component, or no checks for its kind, or no such setting.
    """
    registry = registry or load_registry()
    if kind not in CHECKED:
        raise UnknownName("kind of component with checks", kind, CHECKED)
    card = registry.get(CHECKED[kind], name)
    given = dict(settings or {})
    if unknown := sorted(set(given) - set(card.setting_names)):
        raise UnknownName(f"setting of {kind} '{name}'", unknown[0], card.setting_names)
    without_torch = Check.of(
        cards.card_without_torch, card, card.name, partial(cards.card_without_torch, registry, card)
    )
    if card.stand_in:
        return [without_torch]
    if isinstance(card, MethodCard):
        return [without_torch, *_method_checks(registry, card, given)]
    return [without_torch, *_component_checks(card, given)]


def _method_checks(registry: Registry, card: MethodCard, settings: Mapping[str, Any]) -> Iterator[Check]:
    def check(rule: Rule, variant: str, *arguments: Any) -> Check:
        name = card.name if variant == FULL else f"{card.name}-{variant}"
        return Check.of(rule, card, name, partial(rule, *arguments))

    for variant, ablation in variants_of(card).items():
        make = partial(make_method, registry, card, {**settings, **ablation})
        for rule in (cards.can_be_made, *OF_VARIANTS):
            yield check(rule, variant, card, make)
        if variant != FULL:
            yield check(cards.ablation_name, variant, card, variant, ablation)
            yield check(weights.stage_settings, variant, registry, card, ablation, settings)
    for rule in OF_METHODS:
        yield check(rule, FULL, card, partial(make_method, registry, card, dict(settings)))
    yield check(weights.shared_weights, FULL, registry, card, settings)
    if card.takes_extra and EXTRA not in card.needs:
        yield check(steps.without_extra, FULL, registry, card, settings)


def _component_checks(card: Card, settings: Mapping[str, Any]) -> Iterator[Check]:
    make, rules = partial(_made, card, settings), _RULES[card.kind]
    yield Check.of(cards.can_be_made, card, card.name, partial(cards.can_be_made, card, make))
    for rule in rules:
        yield Check.of(rule, card, card.name, partial(_made_and_checked, rule, card, make))


def _made_and_checked(rule: Rule, card: Card, make: Callable[[], Any]) -> None:
    made = make()
    if isinstance(card, BackboneCard):
        rule(made)
    elif isinstance(card, DatasetCard) and isinstance(made, Describes):
        rule(made.describe(card), made)
    else:
        rule(card, made)


def _made(card: Card, settings: Mapping[str, Any]) -> Any:
    """A component; of an evaluator, its function, and of a tracker what makes it in a results folder."""
    target = card.load()
    if isinstance(card, TrackerCard):
        return partial(target, card.own(settings))
    if isinstance(card, EvaluatorCard):
        assert callable(target), f"{card.target} is not a function"
        return target
    if isinstance(card, BackboneCard):
        torch.manual_seed(0)
        made = target(card.own(settings), 64)
    else:
        made = target(card.own(settings))
    base = _BASES[card.kind]
    assert isinstance(made, base), f"{card.target} is not a subclass of ferbench.{base.__name__}"
    return made


CHECKED: Mapping[str, type[Card]] = {
    card.kind: card
    for card in (MethodCard, BackboneCard, DatasetCard, ProtocolCard, EvaluatorCard, ExecutorCard, TrackerCard)
}
"""The kinds of components that have checks."""

_RULES: Mapping[str, Sequence[Rule]] = {
    "backbone": OF_BACKBONES,
    "dataset": OF_DATASETS,
    "protocol": OF_PROTOCOLS,
    "evaluator": OF_EVALUATORS,
    "executor": OF_EXECUTORS,
    "tracker": OF_TRACKERS,
}
_BASES: Mapping[str, type] = {"backbone": Backbone, "dataset": Dataset, "protocol": Protocol, "executor": Executor}


def all_rules() -> list[Rule]:
    """Every rule once, those of methods first."""
    found: list[Rule] = [cards.card_without_torch, cards.can_be_made, *OF_VARIANTS, *OF_METHODS]
    found += [cards.ablation_name, weights.stage_settings, weights.shared_weights]
    return [*found, *(rule for rules in _RULES.values() for rule in rules)]


def __getattr__(name: str) -> Any:
    rooms = (inputs, backbones, cards, datasets, graphs, outputs, resuming, steps, weights)
    return renamed(__name__, name, {n: f"{room.__name__}:{n}" for room in reversed(rooms) for n in vars(room)})
