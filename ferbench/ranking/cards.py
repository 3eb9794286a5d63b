"""What installed cards say of the components behind records. Boards are made without them too: a metric then has its name as its
heading, a backbone its name with all settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ferbench import core_metrics
from ferbench.cards import CLASSES, BackboneCard, Card, DatasetCard, EvaluatorCard, Metric
from ferbench.records.schema import Trial


@dataclass(frozen=True)
class Cards:
    """Attributes:
    metrics: by name; the core's are always among them.
    datasets, backbones: by the name that a configuration has.
    """

    metrics: Mapping[str, Metric] = field(default_factory=lambda: {metric.name: metric for metric in core_metrics.ALL})
    datasets: Mapping[str, DatasetCard] = field(default_factory=dict)
    backbones: Mapping[str, BackboneCard] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        evaluators: Iterable[EvaluatorCard],
        datasets: Mapping[str, DatasetCard] | None = None,
        backbones: Mapping[str, BackboneCard] | None = None,
    ) -> Cards:
        """From the catalogues of a registry."""
        metrics = [*core_metrics.ALL, *(metric for card in evaluators for metric in card.metrics)]
        return cls({metric.name: metric for metric in metrics}, datasets or {}, backbones or {})

    def metric(self, name: str) -> Metric:
        """The card of "metric" or "metric/reference"; one with the name as its title where there is none."""
        base = name.partition("/")[0]
        return self.metrics.get(base) or Metric(name=base, title=base, low=-math.inf, high=math.inf)

    def known(self, name: str) -> bool:
        """Whether there is a card of "metric" or "metric/reference"."""
        return name.partition("/")[0] in self.metrics

    def dataset(self, trial: Trial) -> str:
        """How boards call a trial's dataset: 'affectnet 7', and 'oulu_to_oulu Dark' where two were joined."""
        nodes = [trial.config["dataset"], trial.config.get("test_dataset")]
        if any(node and node["name"] not in self.datasets for node in nodes):
            return trial.identity.dataset.name
        return "_to_".join(_label(self.datasets[node["name"]], node["name"], node) for node in nodes if node)

    def backbone(self, trial: Trial, pretrained: bool) -> str:
        """How boards call a trial's backbone: 'resnet18 (pretrained)'."""
        node = trial.config["backbone"]
        card = self.backbones.get(node["name"])
        if card is not None:
            text = _label(card, node["name"], node)
        else:
            settings = trial.identity.backbone.settings
            text = " ".join([node["name"], *(f"{k}={v}" for k, v in settings.items())])
        return f"{text} (pretrained)" if pretrained else text

    def pretrained(self, trial: Trial) -> bool:
        """Whether the settings say that the backbone's weights were trained before."""
        node = trial.config["backbone"]
        card = self.backbones.get(node["name"])
        return card is not None and bool(card.pretrained) and bool(node.get(card.pretrained))


def _label(card: Card, name: str, node: Mapping[str, object]) -> str:
    defaults = card.defaults()
    shown = (*card.shown, CLASSES) if isinstance(card, DatasetCard) else card.shown
    beside = [_words(node[key]) for key in shown if key in node and node[key] != defaults.get(key)]
    return " ".join([str(node.get(card.label, name)), *beside])


def _words(value: object) -> str:
    """
    >>> _words(["anger", "fear"]), _words("Dark")
    ('anger+fear', 'Dark')
    """
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
