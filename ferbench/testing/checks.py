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

from ferbench.cards import BackboneCard, Card, DatasetCard, MethodCard
from ferbench.deprecation import renamed
from ferbench.errors import UnknownName
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.dataset import Dataset
from ferbench.interfaces.method import Method
from ferbench.registry.loader import Registry, load_registry
from ferbench.testing import backbones, cards, datasets, graphs, inputs, outputs, resuming, steps, weights
from ferbench.testing.inputs import make_method, variants_of

Rule = Callable[..., None]

OF_COMPONENTS: Sequence[Rule] = (cards.card_without_torch,)
"""Rules of every component, called with (registry, card)."""

OF_VARIANTS: Sequence[Rule] = (
    steps.stages_match_card,
    steps.step_on_cpu,
    steps.step_on_meta,
    steps.step_in_bf16,
    steps.frozen_parts,
    outputs.outputs,
    weights.own_randomness,
)
"""Rules of a method and of each of its ablations, called with (card, make); `make` creates the variant."""

OF_METHODS: Sequence[Rule] = (resuming.resume,)
"""Rules of the full method, called with (card, make)."""

OF_BACKBONES: Sequence[Rule] = (backbones.maps_as_stated, backbones.maps_on_meta)
"""Rules of backbones, called with the backbone."""

OF_DATASETS: Sequence[Rule] = (datasets.dataset_frames, datasets.dataset_images, datasets.dataset_fingerprint)
"""Rules of datasets, called with (card, dataset)."""


@dataclass(frozen=True)
class Check:
    """A rule, applied to one component.

    Attributes:
        name: name of the rule.
        component: name of the component, with the ablation for variants of a method.
        run: raises AssertionError if the component breaks the rule.
        rule: the rule, in words.
        mend: what an author does who has broken it.
    """

    name: str
    component: str
    run: Callable[[], None]
    rule: str = ""
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.name}[{self.component}]"

    @classmethod
    def of(cls, rule: Rule, component: str, run: Callable[[], None]) -> Check:
        """The check of a rule, whose docstring gives the words."""
        words, _, mend = (inspect.getdoc(rule) or "").partition("\n\n")
        return cls(rule.__name__, component, run, " ".join(words.split()), " ".join(mend.split()))


def checks_of(
    kind: str, name: str, registry: Registry | None = None, settings: Mapping[str, Any] | None = None
) -> list[Check]:
    """The checks of one component.

    Args:
        kind: "method", "backbone" or "dataset".
        name: name of the component.
        registry: installed plugins by default.
        settings: settings of the component that differ from its defaults, such as the folder of a dataset.

    Raises:
        UnknownName: there is no such component, or no checks for its kind, or no such setting.
    """
    registry = registry or load_registry()
    if kind not in _MAKERS:
        raise UnknownName("kind of component with checks", kind, _MAKERS)
    card_kind, make = _MAKERS[kind]
    card = registry.get(card_kind, name)
    given = dict(settings or {})
    if unknown := sorted(set(given) - set(card.setting_names)):
        raise UnknownName(f"setting of {kind} '{name}'", unknown[0], card.setting_names)
    general = [Check.of(rule, name, partial(rule, registry, card)) for rule in OF_COMPONENTS]
    return [*general, *make(registry, card, given)]


def _method_checks(registry: Registry, card: MethodCard, settings: Mapping[str, Any]) -> Iterator[Check]:
    def full() -> Method:
        return make_method(registry, card, dict(settings))

    for variant, ablation in variants_of(card).items():
        name = card.name if variant == "full" else f"{card.name}-{variant}"
        overrides = {**settings, **ablation}
        make = partial(make_method, registry, card, overrides)
        for rule in OF_VARIANTS:
            yield Check.of(rule, name, partial(rule, card, make))
        if variant != "full":
            yield Check.of(cards.ablation_name, name, partial(cards.ablation_name, card, variant, ablation))
            yield Check.of(
                weights.stage_settings, name, partial(weights.stage_settings, registry, card, ablation, settings)
            )
    for rule in OF_METHODS:
        yield Check.of(rule, card.name, partial(rule, card, full))
    yield Check.of(weights.shared_weights, card.name, partial(weights.shared_weights, registry, card, settings))


def _backbone_checks(registry: Registry, card: BackboneCard, settings: Mapping[str, Any]) -> Iterator[Check]:
    def make() -> Backbone:
        torch.manual_seed(0)
        backbone = card.load()(card.settings(**settings), 64)
        assert isinstance(backbone, Backbone), f"{card.target} is not a subclass of ferbench.Backbone"
        return backbone

    for rule in OF_BACKBONES:
        yield Check.of(rule, card.name, lambda rule=rule: rule(make()))  # type: ignore[misc]


def _dataset_checks(registry: Registry, card: DatasetCard, settings: Mapping[str, Any]) -> Iterator[Check]:
    def make() -> Dataset:
        dataset = card.load()(card.own(settings))
        assert isinstance(dataset, Dataset), f"{card.target} is not a subclass of ferbench.Dataset"
        return dataset

    for rule in OF_DATASETS:
        yield Check.of(rule, card.name, lambda rule=rule: rule(card, make()))  # type: ignore[misc]


_MAKERS: Mapping[str, tuple[type[Card], Callable[[Registry, Any, Mapping[str, Any]], Iterator[Check]]]] = {
    "method": (MethodCard, _method_checks),
    "backbone": (BackboneCard, _backbone_checks),
    "dataset": (DatasetCard, _dataset_checks),
}


def __getattr__(name: str) -> Any:
    rooms = (inputs, backbones, cards, datasets, graphs, outputs, resuming, steps, weights)
    return renamed(__name__, name, {n: f"{room.__name__}:{n}" for room in reversed(rooms) for n in vars(room)})
