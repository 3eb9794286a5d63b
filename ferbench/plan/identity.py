"""Creation of trials: their identities, and the keys of their stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ferbench.cards import (
    EXTRA,
    SEEN,
    WEIGHTS,
    BackboneCard,
    Card,
    DatasetCard,
    DetectorCard,
    EvaluatorCard,
    MethodCard,
    ProtocolCard,
    StageCard,
    counted,
)
from ferbench.config.schema import COUNTS, SECTIONS, RunConfig, parts
from ferbench.data.load import Data, detector_name
from ferbench.errors import FerbenchError
from ferbench.hashing import digest
from ferbench.plan.variants import variant_name
from ferbench.records import weights
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity, counted_preparation
from ferbench.records.schema import StageNode, Trial
from ferbench.registry.code import Functions, code_digest, core_functions, functions_of
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry

CORE_VERSION = 1
"""Version of ferbench's computations in data, training and evaluation. Raise it when the same settings give another result
(tests/golden detects that). All trials are then new."""

JUDGES = "judges"


@dataclass(frozen=True)
class Side:
    """The test set and the training set of a fold.

    Attributes:
        test_subjects, train_subjects: subject IDs, sorted.
        frames_digest: hash of the frame_ids of both sets.
    """

    test_subjects: tuple[str, ...]
    train_subjects: tuple[str, ...]
    frames_digest: str

    @classmethod
    def of(cls, data: Data, fold: int) -> Side:
        """The sets of one fold of the data."""
        sides = data.sides(fold)
        tested, trained = sides.tested, sides.trained
        return cls(
            tuple(sorted(data.selected.loc[tested, "subject"].unique())),
            tuple(sorted(data.selected.loc[trained, "subject"].unique())),
            digest([sorted(data.selected.loc[side, "frame_id"]) for side in (tested, trained)]),
        )


@dataclass(frozen=True)
class Cards:
    """The cards of the components whose code a trial runs."""

    method: MethodCard
    backbone: BackboneCard
    dataset: DatasetCard
    protocol: ProtocolCard
    test_dataset: DatasetCard | None = None
    extra_dataset: DatasetCard | None = None
    detector: DetectorCard | None = None

    @classmethod
    def of(cls, registry: Registry, config: RunConfig, protocol: str) -> Cards:
        """The registered cards of a configuration. `protocol`: name of the protocol that is used, which `auto` does not tell."""
        detector = detector_name(registry, config.preparation)
        return cls(
            registry.get(MethodCard, config.method.name),
            registry.get(BackboneCard, config.backbone.name),
            registry.get(DatasetCard, config.dataset.name),
            registry.of_record(ProtocolCard, protocol),
            registry.get(DatasetCard, config.test_dataset.name) if config.test_dataset else None,
            registry.get(DatasetCard, config.extra_dataset.name) if config.extra_dataset else None,
            registry.get(DetectorCard, detector) if detector else None,
        )

    @cached_property
    def functions(self) -> dict[str, Functions]:
        """Digests of the functions of each part: "core", "method", "backbone", "dataset", "protocol",
        "test_dataset", "extra_dataset" and "detector"."""
        return {"core": core_functions()} | {part: _functions(card) for part, card in self._parts().items()}

    @cached_property
    def code(self) -> dict[str, str]:
        """One digest of the code of each part in `functions`."""
        return {part: code_digest(functions) for part, functions in self.functions.items()}

    def packages(self) -> list[str]:
        """Distributions whose versions the record states: those of the cards."""
        return list(dict.fromkeys(package for card in self._parts().values() for package in card.packages))

    def names(self) -> dict[str, str]:
        """The name of each card, by part."""
        return {part: card.name for part, card in self._parts().items()}

    def distributions(self, registry: Registry) -> list[str]:
        """The installed distributions that the components come from."""
        owners = [registry.owner(card) for card in self._parts().values()]
        return list(dict.fromkeys(plugin.distribution for plugin in owners if plugin.distribution != "file"))

    def origins(self, registry: Registry, evaluators: Iterable[EvaluatorCard] = ()) -> dict[str, str]:
        """Distribution and version of the plugin that each component comes from, by part, and of each evaluator by
        "evaluator NAME"; of a plugin file, its name."""
        found: dict[str, Card] = {**self._parts(), **{f"evaluator {card.name}": card for card in evaluators}}
        return {part: registry.owner(card).source for part, card in found.items()}

    @property
    def modules(self) -> set[str]:
        """The modules of the components."""
        return {card.module for card in self._parts().values()}

    def unreleased(self, registry: Registry) -> dict[str, str]:
        """Digest of the code of each component that has no released version, by part."""
        return {part: self.code[part] for part, card in self._parts().items() if not registry.owner(card).released}

    def _parts(self) -> dict[str, Card]:
        cards = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {part: card for part, card in cards.items() if card is not None}


def evaluator_functions(cards: Iterable[EvaluatorCard]) -> dict[str, Functions]:
    """Digests of the functions of each evaluator of a plugin, by "evaluator NAME". Those of the core are part of "core"."""
    return {f"evaluator {card.name}": _functions(card) for card in cards if not card.target.startswith("ferbench.")}


def _functions(card: Card) -> Functions:
    return functions_of([card.module])


def make_trial(
    registry: Registry,
    config: RunConfig,
    data: Data,
    cards: Cards,
    settings: Mapping[str, Any],
    fold: int,
    seed: int,
    side: Side,
) -> Trial:
    """The trial of one variant of a method on one fold with one seed.

    Args:
        settings: all settings of the method, as the variant has them.
        side: test and training set of the fold.
    """
    method = cards.method
    chosen = dataclasses.replace(
        config,
        method=Component(config.method.name, dict(settings)),
        protocol=_protocol_of(registry, config, cards.protocol),
        preparation=dataclasses.replace(
            config.preparation, detector=registry.typed(cards.detector) if cards.detector else ""
        ),
        seeds=[seed],
        ablation="none",
    )
    sections = {name: _counted(chosen, name) for name in SECTIONS}
    if cards.detector is not None:
        sections["preparation"]["detector_version"] = cards.detector.version
    sections["trainer"]["accumulate"] = parts(config.trainer, method.synchronised)
    stages = method.stages_with(extra=data.extra is not None)
    steps = stage_steps(stages, config.budget.steps)
    identity = Identity(
        dataset=DatasetIdentity(data.card.name, data.card.version, data.fingerprint),
        protocol=data.protocol,
        test_subjects=side.test_subjects,
        train_subjects=side.train_subjects,
        frames_digest=side.frames_digest,
        backbone=_backbone(registry, cards.backbone, config.backbone.settings, side, data),
        method=_component(registry, method, settings),
        stage_steps={card.name: count for card, count in zip(stages, steps, strict=True)},
        seed=seed,
        preparation=sections["preparation"],
        augment=sections["augment"],
        budget=sections["budget"],
        trainer=sections["trainer"],
        evaluation=sections["evaluation"],
        core=CORE_VERSION,
        code=cards.unreleased(registry),
        extra=data.extra.identity if data.extra else None,
    )
    return Trial(
        id=identity.id,
        config={name: value for name, value in chosen.to_dict().items() if name != "tracker"},  # of the study alone
        identity=identity,
        variant=variant_name(method, settings),
        fold=fold,
        fold_count=len(data.folds),
        seed=seed,
        stages=_stages(method, stages, identity, steps),
        plugin_files=registry.files,
        judges=_judges(identity, config),
        code=cards.code,
    )


def _component(registry: Registry, card: Card, settings: Mapping[str, Any]) -> ComponentIdentity:
    return ComponentIdentity(registry.recorded(card), card.version, counted(card.settings, settings))


def _backbone(
    registry: Registry, card: BackboneCard, settings: Mapping[str, Any], side: Side, data: Data
) -> ComponentIdentity:
    """With the digest of the weights that it starts from in place of their path, and without what somebody says of them."""
    if not card.takes_weights or not settings.get(WEIGHTS):
        return ComponentIdentity(registry.recorded(card), card.version, counted(card.schema, settings))
    if card.pretrained and settings.get(card.pretrained):
        raise FerbenchError(
            f"backbone.{card.pretrained} and backbone.{WEIGHTS} both say what the backbone starts from; leave one of them out."
        )
    path = str(settings[WEIGHTS])
    weights.refuse_those_of_tested(path, data.card.name, side.test_subjects)
    kept = {name: value for name, value in counted(card.schema, settings).items() if name != SEEN}
    return ComponentIdentity(registry.recorded(card), card.version, {**kept, WEIGHTS: weights.digest_of(path)})


def _protocol_of(registry: Registry, config: RunConfig, card: ProtocolCard) -> Component:
    """The protocol that is used, which is another one for `auto`, with those of the settings that it has."""
    known = {k: v for k, v in config.protocol.settings.items() if k in card.setting_names}
    return Component(registry.typed(card), known)


def _counted(config: RunConfig, section: str) -> dict[str, Any]:
    """The settings of a section that are part of the identity."""
    values = counted(SECTIONS[section], dataclasses.asdict(getattr(config, section)))
    if section == "preparation":
        values = counted_preparation(values)
    return {k: v for k, v in values.items() if section in COUNTS or f"{section}.{k}" in COUNTS}


def _common(identity: Identity, *without: str) -> dict[str, Any]:
    """The parts of an identity on which every training on this fold depends, whatever is trained."""
    values = identity.to_dict()
    return {k: v for k, v in values.items() if k not in ("method", "stage_steps", "evaluation", "version", *without)}


def _judges(identity: Identity, config: RunConfig) -> StageNode | None:
    """The node of the judges, equal for all methods with the same fold, seed and backbone; None if no judges are trained."""
    steps = round(config.evaluation.judges * config.budget.steps)
    if not steps:
        return None
    code = {part: value for part, value in identity.code.items() if part not in ("method", "extra_dataset")}
    return StageNode(JUDGES, digest([_common(identity, "extra") | {"code": code}, JUDGES, steps], 24), steps)


def _stages(
    method: MethodCard, stages: Sequence[StageCard], identity: Identity, steps: Sequence[int]
) -> tuple[StageNode, ...]:
    """The nodes of a trial's stages. A key is a digest of all that the weights depend on: the common parts of the identity, the
    settings of the stage, and the key of the stage before it."""
    common = _common(identity) | {"test_curve_points": identity.evaluation["test_curve_points"]}
    nodes: list[StageNode] = []
    previous = ""
    for card, count in zip(stages, steps, strict=True):
        own = {k: v for k, v in sorted(identity.method.settings.items()) if k in card.settings}
        name = method.trains_as or identity.method.name
        previous = digest([common, name, method.version, card.name, count, own, previous], 24)
        nodes.append(StageNode(card.name, previous, count))
    return tuple(nodes)


def stage_steps(stages: Sequence[StageCard], steps: int) -> list[int]:
    """Divide `steps` among stages according to their shares; each stage gets at least one step. Those on extra data come on top."""
    counts = [max(1, round(stage.share * steps)) for stage in stages]
    own = [place for place, stage in enumerate(stages) if stage.data != EXTRA]
    counts[own[-1]] = max(1, steps - sum(counts[place] for place in own[:-1]))
    return counts
