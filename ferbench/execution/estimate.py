"""Estimates how long a study takes on this machine: training from a few steps of each stage that is not trained yet, all else from
once loading the data, storing the weights, and evaluating made features."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ferbench.cards import MethodCard
from ferbench.config.schema import RunConfig, from_dict
from ferbench.cores import usable_cores
from ferbench.data.batches import Batches, Images, Labels, batches_for
from ferbench.data.load import Data, load_data
from ferbench.evaluation import inference
from ferbench.evaluation.judges import Judges
from ferbench.evaluation.measure import measure, standard
from ferbench.execution.executors.auto import in_workers
from ferbench.execution.executors.lanes import MOST, Room, fitting
from ferbench.execution.executors.mps import available
from ferbench.execution.executors.processes import groups, together
from ferbench.execution.setup import build, build_judges, task_of
from ferbench.execution.study import state
from ferbench.interfaces.evaluator import Outputs
from ferbench.interfaces.method import Identifies, Method, Stage, Task
from ferbench.plan.study import Study
from ferbench.records.schema import StageNode, Trial
from ferbench.records.store import Store
from ferbench.registry.loader import Registry, load_registry
from ferbench.training import checkpoint as checkpoints
from ferbench.training.graph import recorder_for
from ferbench.training.loop import Device, Training, train

WARM, STEPS = 2, 4
"""Number of steps that are run before the measurement, and of those that are measured."""
RECORDED = 100
"""The same, each, where steps are recorded: the first of them load kernels and record."""
REFERENCES = 2
"""Representations that every fold is compared with, beside that of the judges."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of time. Preparing the data is not included, nor what judges make of synthesised faces.

    Attributes:
        training: seconds of training that remain in all trials, including the judges', one after another.
        evaluation: seconds of all else.
        measured: number of kinds of stage that were measured.
        workers: number of trials that run at a time.
        gain: how many times as fast they train together as one does.
    """

    training: float
    evaluation: float
    measured: int
    workers: int = 1
    gain: float = 1.0

    @property
    def seconds(self) -> float:
        """Of the whole study: trainings that run at a time share what they gain, and none of them is faster than alone."""
        return max(self.training / self.gain, (self.training + self.evaluation) / self.workers)


def estimate(registry: Registry, study: Study, retry: str = "") -> Estimate:
    """Measure each kind of stage (method, settings, backbone, image and batch size) on random images, and multiply by the number of
    steps that are not trained yet; and each kind of evaluation.

    Args:
        retry: which failed trials will be run again, see `run_study`.

    Raises:
        FerbenchError: a method cannot be created.
    """
    store = Store(study.results_dir)
    training = evaluation = 0.0
    left = []
    done, compared = set(), set()
    stages: dict[str, float] = {}
    evaluations: dict[str, tuple[int, float, float]] = {}
    tested: dict[str, int] = {}
    for trial in study.trials:
        if state(store, trial, retry) is not None:
            continue
        left.append(trial)
        identity, data = trial.identity, study.data_of_trial[trial.id]
        sizes = (identity.backbone, identity.preparation["image_size"], identity.budget["batch_size"])
        nodes: list[tuple[int | None, StageNode]] = [*enumerate(trial.stages)]
        nodes += [(None, trial.judges)] if trial.judges is not None else []
        for index, node in nodes:
            if node.key in done or store.trained(node.key):
                continue
            done.add(node.key)
            kind = repr((index, identity.method if index is not None else "judges", sizes))
            if kind not in stages:
                stages[kind] = _Probe(registry, trial, data, index).seconds_a_step()
            training += node.steps * stages[kind]
        if identity.frames_digest not in tested:  # all trials on a fold test the same
            tested[identity.frames_digest] = int(data.sides(trial.fold).tested.sum())
        frames = tested[identity.frames_digest]
        kind = repr((identity.method.name, sizes, identity.dataset))
        if kind not in evaluations:
            evaluations[kind] = (frames, *_Probe(registry, trial, data, 0).seconds_of_evaluation())
        measured, own, reference = evaluations[kind]
        evaluation += own * frames / measured
        fold = repr((identity.frames_digest, identity.seed, sizes))
        if fold not in compared:
            compared.add(fold)
            evaluation += reference * frames / measured * (REFERENCES + (trial.judges is not None))
    return Estimate(training, evaluation, len(stages), *_workers(study, left))


def room_beside(trials: Sequence[Trial]) -> Room:
    """Measure what the training with the most pixels a step leaves of a GPU, on random images, in some seconds.

    Raises:
        FerbenchError: its data cannot be read, or its method cannot be created.
    """

    def pixels(trial: Trial) -> int:
        size: int = trial.config["preparation"]["image_size"]
        batch: int = trial.config["budget"]["batch_size"]
        return size * size * batch

    trial = max(trials, key=pixels)
    registry = load_registry(trial.plugin_files)
    data = load_data(registry, from_dict(trial.config))
    probe = _Probe(registry, trial, data, 0)
    device, size = probe.device.device, probe.task.image_size
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    free, _ = torch.cuda.mem_get_info(device)
    one = probe.seconds_a_step()
    memory = torch.cuda.max_memory_reserved(device) + len(data.selected) * 3 * size**2
    try:
        gain = MOST * one / probe.seconds_a_step(MOST)
    except torch.OutOfMemoryError:
        gain = 1.0
    torch.cuda.empty_cache()
    return Room(gain, memory, free)


def _workers(study: Study, trials: Sequence[Trial]) -> tuple[int, float]:
    """How many of the trials the study's executor runs at a time, and how many times as fast they train together."""
    executor, cores = study.executor, usable_cores()
    lanes, workers = int(executor.settings.get("lanes", 0)), int(executor.settings.get("workers", 0))
    if executor.name not in ("auto", "processes") or not trials:
        return 1, 1.0
    each = together(trials)
    if not (devices := groups(trials, lanes)):
        count = min(workers or max(1, cores // each), len(trials)) if executor.name == "processes" else 1
        return count, min(count, cores)
    if executor.name == "auto" and not in_workers(trials, lanes):
        return 1, 1.0
    if len(devices) == 1 and ((workers or lanes) == 1 or each > 1):
        return 1, 1.0
    if each > 1:
        return min(len(devices), len(trials)), min(len(devices), len(trials))
    service, room = available(), room_beside(trials)
    on_each = -(-len(trials) // len(devices))
    count = min(-(-workers // len(devices)), on_each) or fitting(
        lanes, on_each, cores // len(devices), service, lambda: room
    )
    return count * len(devices), len(devices) * (max(min(room.gain, count), 1.0) if service else 1.0)


def seconds_a_step(method: Method | Judges, stage: Stage, training: Training) -> float:
    """Seconds for a step of a stage, which is trained for some steps."""
    if training.graph is None:
        train(method, stage, WARM, training)
        start = time.perf_counter()
        train(method, stage, STEPS, training)
        return (time.perf_counter() - start) / STEPS
    done: dict[int, float] = {}

    def note(step: int, losses: object, rate: float) -> None:
        done[step] = time.perf_counter()  # the losses have arrived, so that the GPU has done the step

    train(method, stage, 2 * RECORDED, replace(training, on_losses=note))
    return (done[2 * RECORDED] - done[RECORDED]) / RECORDED


class _Probe:
    """A method, or the judges, with random images."""

    def __init__(self, registry: Registry, trial: Trial, data: Data, index: int | None) -> None:
        """`index`: number of the stage; None for the judges."""
        self.registry, self.trial, self.data, self.index = registry, trial, data, index
        self.config: RunConfig = from_dict(trial.config)
        self.device = Device.choose(self.config.trainer.device, self.config.trainer.precision)
        size = self.config.preparation.image_size
        card = registry.get(MethodCard, self.config.method.name)
        self.stages = card.stages_with(extra=data.extra is not None)
        clip = card.clip_length(self.config.method.settings)
        self.task = task_of(data, data.selected, card, size, trial.seed, clip)
        if data.extra is not None:
            self.task = replace(self.task, extra=task_of(data.extra, data.extra.selected, card, size, trial.seed, clip))
        self.method: Method | Judges
        if index is None:
            self.method = build_judges(registry, self.config, self.task)
        else:
            self.method = build(registry, self.config, self.task)[1]
        self.method.to(self.device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _images(self, count: int) -> Images:
        generator = torch.Generator().manual_seed(0)
        size = self.task.image_size
        array = torch.randint(0, 256, (count, size, size, 3), generator=generator, dtype=torch.uint8).numpy()
        return Images(array, self.device.device)

    def seconds_a_step(self, times: int = 1) -> float:
        """Seconds for a step of the stage, in batches that are so many times as large."""
        trainer = self.config.trainer
        batch = (
            times * self.config.budget.batch_size // trainer.devices
        )  # the parts of several devices take the time of one
        extra = None if self.task.extra is None else self._batches(self.task.extra, batch)
        data = "train" if self.index is None else self.stages[self.index].data
        batches = batches_for(data, self._batches(self.task, batch), extra)
        graph = recorder_for(trainer, self.device.device)
        training = Training(
            batches, self.device, trainer.accumulate, trainer.clip_norm, seed=self.trial.seed, graph=graph
        )
        return seconds_a_step(self.method, self.method.stages()[self.index or 0], training)

    def _batches(self, task: Task, size: int) -> Batches:
        """Batches of random images."""
        rows = torch.arange(size)
        factors = {n: rows % len(of) if of else rows.float() / size for n, of in task.factors.items()}
        clip = rows[:, None].repeat(1, task.clip) if task.clip and self.index is not None else None
        classes, subjects = rows % len(task.expressions), rows % len(task.subjects)
        labels = Labels(rows, classes, subjects, rows, factors=factors, clip=clip)
        return Batches(self._images(size), labels, self.config.augment, size, (0,))

    def seconds_of_evaluation(self) -> tuple[float, float]:
        """Seconds for what is evaluated of each trial, and for each representation that it is compared with."""
        assert isinstance(self.method, Method)
        method, table = self.method.eval(), self.data.selected[self.data.sides(self.trial.fold).tested]
        count = inference.batch_on(self._images(1))
        images, rows = self._images(count), torch.arange(count)
        if self.task.clip:
            rows = rows[:, None].repeat(1, self.task.clip)
        asked = [
            method.logits,
            method.features,
            *([method.identity_features] if isinstance(method, Identifies) else []),
        ]
        with self.device.autocast():
            width = inference.over_batches(method.features, images, rows).shape[1]
            start = time.perf_counter()
            for function in asked:
                inference.over_batches(function, images, rows)
        a_frame = (time.perf_counter() - start) / count
        outputs = Outputs(
            table,
            self.task.expressions,
            made_features(table, len(self.task.expressions)),
            made_features(table, width),
            device="cuda" if self.device.device.type == "cuda" else "cpu",
        )
        cards = standard(self.registry, outputs)
        for card in cards:
            with contextlib.suppress(Exception):  # a trial names it
                card.load()  # what is imported once is no time of a trial
        start = time.perf_counter()
        measure(self.registry, cards, outputs)
        reference = time.perf_counter() - start
        return a_frame * len(table) + reference + self._around(), reference

    def _around(self) -> float:
        """Seconds for loading the data and the networks, and for storing their weights twice: with the stages and the record."""
        start = time.perf_counter()
        load_data(self.registry, self.config)
        build(self.registry, self.config, self.task)[1].to(self.device.device)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("stage", "record"):
                checkpoints.save_tensors(Path(folder) / name, self.method.state_dict())
        return time.perf_counter() - start


def made_features(table: pd.DataFrame, width: int) -> np.ndarray:
    """(rows of `table`, width), features for which the probes take about as long as for those of trained networks and of images:
    parts of the expression, the subject and the frame in directions that fall off as 1 / k. Of features without such directions
    they take a third of the time."""
    random = np.random.default_rng(0)
    rank = min(width, 64)

    def codes(values: pd.Series) -> np.ndarray:
        return random.normal(size=(values.nunique(), rank))[pd.factorize(values)[0]]

    own = codes(table["expression"]) + codes(table["subject"]) + 0.3 * random.normal(size=(len(table), rank))
    mixed = own / np.arange(1, rank + 1) @ random.normal(size=(rank, width)) / rank**0.5
    made: np.ndarray = (mixed + 0.01 * random.normal(size=mixed.shape)).astype(np.float32)
    return made
