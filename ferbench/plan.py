"""RunConfig -> Study: which trials, and the graph of their stages. No torch; `--dry-run` ends here."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ferbench import fingerprint
from ferbench.cards import BackboneCard, Card, DatasetCard, DetectorCard, MethodCard, ProtocolCard, StageCard
from ferbench.data.cache import Finder, Prepared, cache_folder, prepare
from ferbench.data.joined import Joined
from ferbench.errors import FerbenchError, UnknownName
from ferbench.interfaces.dataset import Dataset, Describes, check_frames
from ferbench.protocols.base import TRAIN_ONLY, Protocol, chosen_folds, split
from ferbench.records import IDENTITY, StageNode, Trial
from ferbench.registry import Registry
from ferbench.settings import COUNTS, SECTIONS, RunConfig

CORE = ("ferbench.interfaces", "ferbench.data", "ferbench.training")
"""Packages of the core whose code changes what is trained."""

JUDGES = "judges"


@dataclass(frozen=True)
class Data:
    """A dataset under a protocol.

    Attributes:
        frames: the whole frame table.
        selected: the frames that count, with `fold`.
        protocol: name, version and settings as used.
        fold_numbers: the folds that the protocol has.
        fingerprint: of the dataset's content.
    """

    dataset: Dataset
    card: DatasetCard
    frames: pd.DataFrame
    selected: pd.DataFrame
    protocol: Mapping[str, Any]
    fold_numbers: tuple[int, ...]
    fingerprint: str


@dataclass(frozen=True)
class Study:
    """Trials in the order in which they run; the data that they need, each with a configuration that prepares it; and the data
    of each trial, by its id."""

    trials: tuple[Trial, ...]
    data: tuple[tuple[Data, RunConfig], ...]
    results_dir: str
    executor: Mapping[str, Any]
    data_of_trial: Mapping[str, Data]

    @property
    def stage_trainings(self) -> tuple[int, int]:
        """(stage trainings without sharing, with sharing)."""
        keys = [stage.key for trial in self.trials for stage in trial.stages]
        return len(keys), len(set(keys))


def component(registry: Registry, kind: type[Card], node: Mapping[str, Any], *more: Any) -> tuple[Any, Any]:
    """(card, object) of a configuration node: settings without `name`, given to what the card points to."""
    card = registry.get(kind, node["name"])
    settings = card.settings(**{k: v for k, v in node.items() if k != "name"})
    return card, card.load()(settings, *more)


def load_data(registry: Registry, config: RunConfig) -> Data:
    """The dataset's frames under the protocol, with folds; of two datasets where `test_dataset` is given.

    Raises:
        FerbenchError: the data cannot be read, or the protocol cannot split it.
    """
    node = dict(config.protocol)
    card, dataset = _dataset(registry, config.dataset)
    if config.test_dataset:
        if node["name"] not in ("auto", "cross_dataset"):
            raise FerbenchError(
                f"test_dataset={config.test_dataset['name']} is for protocol=cross_dataset; protocol={node['name']} splits one "
                "dataset. Leave one of them out."
            )
        node["name"] = "cross_dataset"
        dataset = Joined((card, dataset), _dataset(registry, config.test_dataset))
        card = dataset.card
    elif node["name"] == "cross_dataset":
        raise FerbenchError("protocol=cross_dataset tests on another dataset: add test_dataset=NAME.")
    if node["name"] == "auto":
        node["name"] = card.protocol
    known = registry.get(ProtocolCard, node["name"]).setting_names
    if "assignment" not in known and node.get("assignment"):
        raise FerbenchError(
            f"protocol={node['name']} has one assignment of subjects to folds; leave protocol.assignment and protocol.repeats out."
        )
    node = {
        k: v for k, v in node.items() if k == "name" or k in known
    }  # protocol=auto may know more than what it stands for
    frames = check_frames(dataset.frames(), card)
    protocol_card, protocol = component(registry, ProtocolCard, node)
    assert isinstance(protocol, Protocol)
    if "subject" not in card.provides and node["name"] not in ("fixed", "cross_dataset"):
        raise FerbenchError(f"protocol={node['name']} splits by subject, and dataset '{card.name}' has no identities.")
    selected = split(frames, card, protocol)
    numbers = tuple(sorted({int(fold) for fold in selected["fold"]} - {TRAIN_ONLY}))
    described = {"name": node["name"], "version": protocol_card.version} | {
        k: v
        for k, v in node.items()
        if k not in ("name", "folds", "repeats", "file")  # a path; the frames count by name
    }
    if described.get("frames") == "auto":
        described["frames"] = card.frames
    return Data(dataset, card, frames, selected, described, numbers, dataset.fingerprint())


def _dataset(registry: Registry, node: Mapping[str, Any]) -> tuple[DatasetCard, Dataset]:
    card, dataset = component(registry, DatasetCard, node)
    return (dataset.describe(card) if isinstance(dataset, Describes) else card), dataset


def prepare_data(
    registry: Registry, data: Data, config: RunConfig, progress: Callable[[int, int], None] = lambda done, total: None
) -> Prepared:
    """The prepared images of a dataset under its protocol, from the cache or made now. Raises as `prepare` does."""
    finder = None
    if config.preparation.mode == "align":
        card = registry.get(DetectorCard, config.preparation.detector)
        finder = Finder(f"{card.name} {card.version}", lambda: card.load()(card.settings()))
    return prepare(
        data.dataset,
        data.fingerprint,
        data.frames,
        data.selected,
        config.preparation,
        cache_folder(config.cache_dir),
        progress,
        finder,
    )


def plan(registry: Registry, configs: Sequence[RunConfig]) -> Study:
    """All trials of a study, each once.

    Raises:
        FerbenchError: a name is unknown, a dataset lacks what a method needs, the data cannot be split.
    """
    trials: dict[str, Trial] = {}
    by_trial: dict[str, Data] = {}
    data_of: dict[str, Data] = {}
    prepares: dict[str, tuple[Data, RunConfig]] = {}
    for config in [single for asked in configs for single in _assignments(asked)]:
        key = fingerprint.digest(
            [config.dataset, config.test_dataset, {k: v for k, v in config.protocol.items() if k != "folds"}]
        )
        method = registry.get(MethodCard, config.method["name"])
        chosen = variants(method, config)
        if key not in data_of:
            data_of[key] = load_data(registry, config)
        data = data_of[key]
        if lacking := sorted(method.needs - data.card.provides):
            raise FerbenchError(
                f"method '{method.name}' needs '{lacking[0]}', which dataset '{data.card.name}' does not provide "
                f"(it has: {', '.join(sorted(data.card.provides)) or 'none'})."
            )
        prepares.setdefault(fingerprint.digest([key, config.plain()["preparation"]]), (data, config))
        folds = chosen_folds(data.fold_numbers, config.protocol.get("folds"))
        sides = {fold: _sides(data, fold) for fold in folds}
        for seed in config.seeds or [config.seed]:
            for fold in folds:
                for settings in chosen:
                    trial = _trial(registry, config, data, method, settings, fold, seed, sides[fold])
                    trials.setdefault(trial.id, trial)
                    by_trial[trial.id] = data
    first = configs[0]
    return Study(tuple(trials.values()), tuple(prepares.values()), first.results_dir, first.executor, by_trial)


def _assignments(config: RunConfig) -> list[RunConfig]:
    """A configuration for each assignment of subjects to folds that is asked for."""
    repeats, first = config.protocol.get("repeats", 1), config.protocol.get("assignment", 0)
    if repeats < 1 or first < 0:
        raise FerbenchError("protocol.repeats has to be at least 1, and protocol.assignment at least 0.")
    if "repeats" not in config.protocol:
        return [config]
    return [
        dataclasses.replace(config, protocol={**config.protocol, "assignment": number, "repeats": 1})
        for number in range(first, first + repeats)
    ]


def variants(card: MethodCard, config: RunConfig) -> list[dict[str, Any]]:
    """Settings of each variant that `ablation` asks for.

    Raises:
        UnknownName: the method has no such ablation.
    """
    base = {k: v for k, v in config.method.items() if k != "name"}
    if config.ablation in ("none", "full", ""):
        return [base]
    names = ["none", *card.ablations] if config.ablation == "all" else [config.ablation]
    found = []
    for name in names:
        settings = dict(base)
        for part in name.split("+") if name != "none" else []:
            if part not in card.ablations:
                raise UnknownName(f"ablation of method '{card.name}'", part, [*card.ablations, "all", "none"])
            settings |= card.ablations[part]
        found.append(settings)
    return found


def variant_name(card: MethodCard, settings: Mapping[str, Any]) -> str:
    """What the settings are called: "full", an ablation, several joined by '+', or the settings that differ."""
    changed = {k: v for k, v in settings.items() if card.defaults().get(k) != v}
    names = []
    for name, overrides in sorted(card.ablations.items(), key=lambda item: -len(item[1])):  # the most specific first
        if overrides and all(changed.get(k, card.defaults().get(k)) == v for k, v in overrides.items()):
            names.append(name)
            changed = {k: v for k, v in changed.items() if k not in overrides}
    return "+".join(names + [f"{k}={v}" for k, v in sorted(changed.items())]) or "full"


def _trial(
    registry: Registry,
    config: RunConfig,
    data: Data,
    method: MethodCard,
    settings: Mapping[str, Any],
    fold: int,
    seed: int,
    sides: Mapping[str, Any],
) -> Trial:
    values = copy.deepcopy(config.plain())
    values["method"] = {"name": config.method["name"], **settings}
    known = {"name", *registry.get(ProtocolCard, data.protocol["name"]).setting_names}
    values["protocol"] = {k: v for k, v in {**values["protocol"], "name": data.protocol["name"]}.items() if k in known}
    values |= {"seed": seed, "seeds": [], "ablation": "none"}
    backbone = registry.get(BackboneCard, config.backbone["name"])
    identity: dict[str, Any] = {
        "identity": IDENTITY,
        "dataset": {"name": data.card.name, "version": data.card.version, "fingerprint": data.fingerprint},
        "protocol": dict(data.protocol),
        **sides,
        "backbone": _component_identity(backbone, {k: v for k, v in config.backbone.items() if k != "name"}),
        "seed": seed,
        "code": dict(_code(registry, method, backbone)),
    }
    for name in SECTIONS:
        section = {k: v for k, v in values[name].items() if name in COUNTS or f"{name}.{k}" in COUNTS}
        identity[name] = section
    judged = {k: v for k, v in identity.items() if k != "evaluation"}
    stages = _stages(method, settings, judged | {"looks": config.evaluation.looks}, config.budget.steps)
    identity["method"] = _component_identity(method, settings) | {"steps": {s.name: s.steps for s in stages}}
    return Trial(
        id=fingerprint.digest(identity),
        config=values,
        identity=identity,
        variant=variant_name(method, settings),
        fold=fold,
        folds=len(data.fold_numbers),
        seed=seed,
        stages=stages,
        plugin_files=registry.files,
        judges=_judges(registry, backbone, judged, config),
    )


def _sides(data: Data, fold: int) -> dict[str, Any]:
    """Who is tested and trained on in a fold, and the hash of the frames of both sides."""
    tested = data.selected["fold"] == fold
    return {
        "test_subjects": sorted(data.selected.loc[tested, "subject"].unique()),
        "train_subjects": sorted(data.selected.loc[~tested, "subject"].unique()),
        "frames": fingerprint.digest([sorted(data.selected.loc[side, "frame_id"]) for side in (tested, ~tested)]),
    }


def _judges(
    registry: Registry, backbone: BackboneCard, common: Mapping[str, Any], config: RunConfig
) -> StageNode | None:
    """The same node for every method on a fold, seed and backbone; None where no judges are asked for."""
    steps = round(config.evaluation.judges * config.budget.steps)
    if not steps:
        return None
    code = dict(_code(registry, backbone)) | dict(fingerprint.code(["ferbench.judges"]))
    key = fingerprint.digest([{**common, "code": code}, JUDGES, steps], 24)
    return StageNode(JUDGES, key, steps)


def _component_identity(card: Card, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": card.name, "version": card.version, "settings": dict(settings)}


def _code(registry: Registry, *components: Card) -> Mapping[str, str]:
    """Hashes of the code behind the components and of the core that trains them.

    The modules that hold the cards are left out: what counts in them, the settings and stages, stands in the identity
    by value, so that a new card in a plugin leaves the trials of its other methods alone.
    """
    modules = [card.target.partition(":")[0] for card in components]
    core = [module for package in CORE for module in fingerprint.package_modules(package)]
    cards = {plugin.module for plugin in registry.plugins}
    hashes = fingerprint.code([*modules, *core], within=("ferbench.blocks",))
    return {name: value for name, value in hashes.items() if name not in cards or name in modules}


def _stages(
    method: MethodCard, settings: Mapping[str, Any], common: Mapping[str, Any], steps: int
) -> tuple[StageNode, ...]:
    """A stage is named by all that its weights depend on: the common part, its own settings, the stage before it. The
    method counts by the class behind its card, so that two methods of one class share the stages that are alike."""
    nodes: list[StageNode] = []
    previous = ""
    for card, count in zip(method.stages, stage_steps(method.stages, steps), strict=True):
        own = {name: settings[name] for name in sorted(card.settings)}
        previous = fingerprint.digest([common, method.target, method.version, card.name, count, own, previous], 24)
        nodes.append(StageNode(card.name, previous, count))
    return tuple(nodes)


def stage_steps(stages: Sequence[StageCard], steps: int) -> list[int]:
    """The budget, divided by the stages' shares; each gets at least one step."""
    counts = [max(1, round(stage.share * steps)) for stage in stages]
    counts[-1] = max(1, steps - sum(counts[:-1]))
    return counts
