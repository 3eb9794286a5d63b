"""How long a study will take on this machine, from a few steps of each stage that is still to be trained."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from ferbench.data.batches import Batches, Images, Labels
from ferbench.interfaces.method import Task
from ferbench.plan import Data, Study
from ferbench.records import StageNode, Trial
from ferbench.registry import Registry
from ferbench.settings import from_plain
from ferbench.store import Store
from ferbench.study import state
from ferbench.training.loop import Device, Training, train
from ferbench.trial import build, build_judges

WARM, STEPS = 2, 4
"""Steps that are run before, and while, the clock is looked at."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of training that are left, judges included, and how many kinds of stage were measured for it. Preparing the data
    and evaluating are not part of it."""

    seconds: float
    measured: int


def estimate(registry: Registry, study: Study, retry: str = "") -> Estimate:
    """Measure, on noise, one stage of each kind (method, settings, backbone, image and batch size) and add up the steps.

    Raises:
        FerbenchError: a method cannot be made.
    """
    store = Store(study.results_dir)
    seconds, done, rates = 0.0, set(), {}
    for trial in study.trials:
        if state(store, trial, retry) is not None:
            continue
        identity = trial.identity
        sizes = (identity["backbone"], identity["preparation"]["image_size"], identity["budget"]["batch_size"])
        nodes: list[tuple[int | None, StageNode]] = [*enumerate(trial.stages)]
        nodes += [(None, trial.judges)] if trial.judges is not None else []
        for index, node in nodes:
            if node.key in done or (store.stage(node.key) / "stage.json").is_file():
                continue
            done.add(node.key)
            kind = repr((index, identity["method"] if index is not None else "judges", sizes))
            if kind not in rates:
                rates[kind] = _seconds_a_step(registry, trial, study.data_of_trial[trial.id], index)
            seconds += node.steps * rates[kind]
    return Estimate(seconds, len(rates))


def _seconds_a_step(registry: Registry, trial: Trial, data: Data, index: int | None) -> float:
    """Of the method's stage of that number; of the judges for None."""
    config = from_plain(trial.config)
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
    training = Training(batches, device, config.trainer.accumulate, config.trainer.clip_norm, trial.seed)
    stage = method.stages()[index or 0]
    train(method, stage, WARM, training)
    start = time.perf_counter()
    train(method, stage, STEPS, training)
    return (time.perf_counter() - start) / STEPS


def in_words(seconds: float) -> str:
    """'40 s', '12 min', '3 h 20 min', '2 days 5 h'."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"
