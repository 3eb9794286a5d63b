"""Estimates the training time of a study on this machine from a few steps of each stage that is not trained yet."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from ferbench.config.schema import from_dict
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.load import Data
from ferbench.execution.setup import build, build_judges
from ferbench.execution.study import state
from ferbench.interfaces.method import Task
from ferbench.plan.study import Study
from ferbench.records.schema import StageNode, Trial
from ferbench.records.store import Store
from ferbench.registry.loader import Registry
from ferbench.training.loop import Device, Training, train

WARM, STEPS = 2, 4
"""Number of steps that are run before the measurement, and of those that are measured."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of training time. Preparing the data and evaluation are not included.

    Attributes:
        seconds: remaining training time of all trials, including the judges.
        measured: number of kinds of stage that were measured.
    """

    seconds: float
    measured: int


def estimate(registry: Registry, study: Study, retry: str = "") -> Estimate:
    """Measure a few steps on random images for each kind of stage (method, settings, backbone, image and batch size), and
    multiply by the number of steps that are not trained yet.

    Args:
        retry: which failed trials will be run again, see `run_study`.

    Raises:
        FerbenchError: a method cannot be created.
    """
    store = Store(study.results_dir)
    seconds, done, rates = 0.0, set(), {}
    for trial in study.trials:
        if state(store, trial, retry) is not None:
            continue
        identity = trial.identity
        sizes = (identity.backbone, identity.preparation["image_size"], identity.budget["batch_size"])
        nodes: list[tuple[int | None, StageNode]] = [*enumerate(trial.stages)]
        nodes += [(None, trial.judges)] if trial.judges is not None else []
        for index, node in nodes:
            if node.key in done or store.trained(node.key):
                continue
            done.add(node.key)
            kind = repr((index, identity.method if index is not None else "judges", sizes))
            if kind not in rates:
                rates[kind] = _seconds_a_step(registry, trial, study.data_of_trial[trial.id], index)
            seconds += node.steps * rates[kind]
    return Estimate(seconds, len(rates))


def _seconds_a_step(registry: Registry, trial: Trial, data: Data, index: int | None) -> float:
    """Seconds for a step of the method's stage number `index`, or of the judges if it is None."""
    config = from_dict(trial.config)
    device = Device.choose(config.trainer.device, config.trainer.precision)
    size, batch = config.preparation.image_size, config.budget.batch_size
    subjects = tuple(sorted(data.selected["subject"].unique()))
    task = Task(data.card.expressions, subjects, size, trial.seed)
    method = build(registry, config, task)[1] if index is not None else build_judges(registry, config, task)
    method.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    array = torch.randint(0, 256, (batch, size, size, 3), generator=generator, dtype=torch.uint8).numpy()
    rows = torch.arange(batch)
    labels = Labels(rows, rows % len(task.expressions), rows % len(subjects), rows)
    batches = Batches(Images(array, device.device), labels, config.augment, batch, (0,))
    training = Training(batches, device, config.trainer.accumulate, config.trainer.clip_norm, seed=trial.seed)
    stage = method.stages()[index or 0]
    train(method, stage, WARM, training)
    start = time.perf_counter()
    train(method, stage, STEPS, training)
    return (time.perf_counter() - start) / STEPS


def in_words(seconds: float) -> str:
    """A duration as text: '40 s', '12 min', '3 h 20 min', '2 days 5 h'."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"
