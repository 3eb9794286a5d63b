"""What cards say of the components behind records: those of metrics that the records state, and those that are installed. Boards
are made without them too: a metric then has its name as its heading, a backbone its name with all settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ferbench import core_metrics
from ferbench.cards import CLASSES, WEIGHTS, BackboneCard, Card, DatasetCard, EvaluatorCard, Metric
from ferbench.errors import FerbenchError
from ferbench.records import metrics as stated
from ferbench.records.schema import Record, Trial


@dataclass(frozen=True)
class Cards:
    """Attributes:
    metrics: by name; the core's are always among them.
    datasets, backbones: by the name that a configuration has.
    doubts: by the name of a metric, a sentence where those who say what it means contradict each other.
    unclear: metrics of which records say the opposite: that a high value is good, and that it is not.
    """

    metrics: Mapping[str, Metric] = field(default_factory=lambda: {metric.name: metric for metric in core_metrics.ALL})
    datasets: Mapping[str, DatasetCard] = field(default_factory=dict)
    backbones: Mapping[str, BackboneCard] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)
    unclear: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        evaluators: Iterable[EvaluatorCard],
        datasets: Mapping[str, DatasetCard] | None = None,
        backbones: Mapping[str, BackboneCard] | None = None,
    ) -> Cards:
        """From the catalogues of a registry."""
        metrics = [*(metric for card in evaluators for metric in card.metrics), *core_metrics.ALL]
        return cls({metric.name: metric for metric in metrics}, datasets or {}, backbones or {})

    def of_records(self, records: Iterable[Record]) -> Cards:
        """With what records state of their metrics, which counts before what is installed: it is what their numbers were when they
        were measured. Where records contradict each other, the newest counts."""
        found: dict[str, list[tuple[str, Metric]]] = {}
        read: dict[int, list[Metric]] = {}  # records of an index share what they state
        for record in records:
            values, began = stated.stated(record), str(record.provenance.get("began", ""))
            if id(values) not in read:
                of_record = (stated.card(name, of_metric) for name, of_metric in values.items())
                read[id(values)] = [card for card in of_record if card is not None]
            for card in read[id(values)]:
                found.setdefault(card.name, []).append((began, card))
        doubts, unclear, metrics = dict(self.doubts), set(self.unclear), dict(self.metrics)
        for name, cards in found.items():
            newest = max(cards, key=lambda item: item[0])[1]
            meanings = {stated.meaning(card) for _, card in cards}
            installed = self.metrics.get(name)
            if len(meanings) > 1:
                doubts[name] = (
                    f"Records contradict each other in what {name} means (direction, unit or range); the newest counts."
                )
            elif installed is not None and stated.meaning(installed) != stated.meaning(newest):
                doubts[name] = (
                    f"The installed plugin says otherwise than the records what {name} means (direction, unit or range); what the "
                    "records say counts."
                )
            if len({card.higher_is_better for _, card in cards}) > 1:
                unclear.add(name)
            metrics[name] = newest
        return dataclasses.replace(self, metrics=metrics, doubts=doubts, unclear=frozenset(unclear))

    def need_direction(self, name: str) -> None:
        """Raise FerbenchError if records contradict each other in whether a high value of a metric is good."""
        if name in self.unclear:
            raise FerbenchError(
                f"Some records say that a high {name} is good, and others that a low one is; no method can be said to be better. "
                "Measure them with one version of the evaluator: 'ferbench evaluate --again --metric "
                f"{name}'."
            )

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
        cards = [(self.datasets[node["name"]], node) for node in nodes if node]
        return "_to_".join(_label(card, card.name, node) for card, node in cards)

    def backbone(self, trial: Trial, pretrained: bool) -> str:
        """How boards call a trial's backbone: 'resnet18 (pretrained)'."""
        node = trial.config["backbone"]
        card = self.backbones.get(node["name"])
        if card is not None:
            text = _label(card, trial.identity.backbone.name, node)
        else:
            settings = trial.identity.backbone.settings
            text = " ".join([trial.identity.backbone.name, *(f"{k}={v}" for k, v in settings.items())])
        if path := given_weights(card, node):
            return f"{text} ({Path(path).stem} {str(trial.identity.backbone.settings.get(WEIGHTS))[:6]})"
        return f"{text} (pretrained)" if pretrained else text

    def pretrained(self, trial: Trial) -> bool:
        """Whether the settings say that the backbone's weights were trained before."""
        node = trial.config["backbone"]
        card = self.backbones.get(node["name"])
        if card is None:
            return False
        return bool(card.pretrained and node.get(card.pretrained)) or bool(given_weights(card, node))


def given_weights(card: BackboneCard | None, node: Mapping[str, object]) -> str:
    """The file with the weights that a backbone starts from; empty for none."""
    return str(node.get(WEIGHTS) or "") if card is not None and card.takes_weights else ""


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
