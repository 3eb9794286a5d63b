"""What has golden values: every card whose version counts, and the parts of the core that no card stands for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ferbench.cards import BackboneCard, DatasetCard, EvaluatorCard, MethodCard, ProtocolCard
from ferbench.registry.loader import load_registry
from tests.golden import core, datasets, evaluators, methods, networks, protocols
from tests.golden.versions import CORE

DISTRIBUTION = "ferbench"
"""Whose cards are ours; a stranger's plugin that happens to be installed has tests of its own."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`rests_on`: keys of the cases whose change changes this one's values too."""

    kind: str
    name: str
    compute: Callable[[], Values]
    rests_on: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"

    def values(self) -> Values:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.compute()
        finally:
            torch.set_num_threads(threads)


@functools.cache
def cases() -> dict[str, Case]:
    return {case.key: case for case in _cases()}


def _cases() -> Iterator[Case]:
    for name, compute in core.PARTS.items():
        yield Case(CORE, name, compute, ("backbone/convnet", "dataset/synthfaces") if name in core.TRAINED else ())
    for card in _ours(BackboneCard):
        yield Case(card.kind, card.name, functools.partial(networks.values, card))
    for card in _ours(DatasetCard):
        yield Case(card.kind, card.name, functools.partial(datasets.values, card))
    for card in _ours(ProtocolCard):
        if not card.of_dataset:
            yield Case(card.kind, card.name, functools.partial(protocols.values, card), ("core/selection",))
    for card in _ours(EvaluatorCard):
        yield Case(card.kind, card.name, functools.partial(evaluators.values, card))
    for card in _ours(MethodCard):
        rests_on = ("core/loop", "core/seeds", "core/order", "core/selection", "backbone/convnet", "dataset/synthfaces")
        yield Case(card.kind, card.name, functools.partial(methods.values, card), rests_on)


def _ours(kind: Any) -> Iterator[Any]:
    registry = load_registry()
    for card in registry.catalogue(kind).values():
        if registry.owner(card).distribution == DISTRIBUTION:
            yield card
