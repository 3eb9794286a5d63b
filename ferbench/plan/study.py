"""Planning of a study: the trials of its configurations and their stages. It does not import torch; `--dry-run` ends here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ferbench.cards import EXTRA, EvaluatorCard, MethodCard
from ferbench.config.schema import RunConfig
from ferbench.data.frames import factor_columns
from ferbench.data.load import Data, data_key, load_data
from ferbench.errors import FerbenchError, enumerate_first
from ferbench.hashing import digest
from ferbench.plan.identity import Cards, Side, make_trial
from ferbench.plan.variants import variants
from ferbench.protocols.select import chosen_folds
from ferbench.records.schema import Trial
from ferbench.registry.code import edited
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Study:
    """The trials of a study.

    Attributes:
        trials: the trials, each once, in the order in which they are run.
        data: each dataset with its protocol, and a configuration with which its images are prepared.
        results_dir: the results folder.
        executor: the executor that runs the trials.
        data_of_trial: dataset and protocol of each trial, by its id.
        tracker: the tracker that is told of them; None for none.
    """

    trials: tuple[Trial, ...]
    data: tuple[tuple[Data, RunConfig], ...]
    results_dir: str
    executor: Component
    data_of_trial: Mapping[str, Data]
    tracker: Component | None = None

    @property
    def stage_trainings(self) -> tuple[int, int]:
        """(number of stages of all trials, number of stages to train when trials share equal ones)."""
        keys = [stage.key for trial in self.trials for stage in trial.stages]
        return len(keys), len(set(keys))


def plan(registry: Registry, configs: Sequence[RunConfig]) -> Study:
    """Plan a study: all trials of the configurations, each once.

    Raises:
        FerbenchError: a name is unknown, a dataset lacks what a method needs or is trained on, or the data cannot be read or split;
            or code that they would run was edited after this process had loaded it.
    """
    trials: dict[str, Trial] = {}
    by_trial: dict[str, Data] = {}
    data_of: dict[str, Data] = {}
    prepares: dict[str, tuple[Data, RunConfig]] = {}
    modules = {card.module for card in registry.catalogue(EvaluatorCard).values()}
    for config in [single for asked in configs for single in _assignments(asked)]:
        values = config.to_dict()
        key = data_key(values)
        method = registry.get(MethodCard, config.method.name)
        chosen = variants(method, config)
        if key not in data_of:
            data_of[key] = load_data(registry, config)
        data = data_of[key]
        _check_needs(method, data)
        factor_columns(data.selected, method, data.card.name)
        if data.extra is not None:
            factor_columns(data.extra.selected, method, data.extra.card.name)
        prepares.setdefault(digest([key, values["preparation"]]), (data, config))
        folds = chosen_folds(data.folds, config.protocol.settings.get("folds"))
        sides = {fold: Side.of(data, fold) for fold in folds}
        cards = Cards.of(registry, config, data.protocol.name)
        modules |= cards.modules
        for seed in config.seeds:
            for fold in folds:
                for settings in chosen:
                    trial = make_trial(registry, config, data, cards, settings, fold, seed, sides[fold])
                    trials.setdefault(trial.id, trial)
                    by_trial[trial.id] = data
    if files := edited(modules):
        raise FerbenchError(
            f"{enumerate_first([str(file) for file in files])}: changed since this Python loaded it, so that the old code would "
            "run. Restart Python (in a notebook: the kernel), and run again."
        )
    first = configs[0]
    return Study(
        tuple(trials.values()), tuple(prepares.values()), first.results_dir, first.executor, by_trial, first.tracker
    )


def _check_needs(method: MethodCard, data: Data) -> None:
    """Raise FerbenchError if a dataset lacks what a method needs, or there is an extra dataset that it does not train on."""
    if data.extra is None and EXTRA in method.needs:
        raise FerbenchError(f"method '{method.name}' needs another dataset to train on too: add extra_dataset=NAME.")
    if data.extra is not None and not method.takes_extra:
        raise FerbenchError(
            f"method '{method.name}' does not train on extra data: leave extra_dataset={data.extra.card.name} out."
        )
    for card in (data.card, *([data.extra.card] if data.extra else [])):
        if lacking := sorted(method.needs - card.provides - {EXTRA}):
            raise FerbenchError(
                f"method '{method.name}' needs '{lacking[0]}', which dataset '{card.name}' does not provide "
                f"(it has: {', '.join(sorted(card.provides)) or 'none'})."
            )


def _assignments(config: RunConfig) -> list[RunConfig]:
    """One configuration for each assignment of subjects to folds (`protocol.assignment`, `protocol.repeats`)."""
    settings = config.protocol.settings
    repeats, first = settings.get("repeats", 1), settings.get("assignment", 0)
    if repeats < 1 or first < 0:
        raise FerbenchError("protocol.repeats has to be at least 1, and protocol.assignment at least 0.")
    if "repeats" not in settings:
        return [config]
    return [
        dataclasses.replace(
            config, protocol=Component(config.protocol.name, {**settings, "assignment": number, "repeats": 1})
        )
        for number in range(first, first + repeats)
    ]
