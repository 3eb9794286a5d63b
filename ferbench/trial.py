"""One trial, from data to record: the only place where data, training and evaluation meet."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ferbench import fingerprint
from ferbench.cards import BackboneCard, MethodCard
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.cache import Prepared, neutral_frames
from ferbench.errors import FerbenchError, TrainingError
from ferbench.evaluation import inference
from ferbench.evaluation.measure import measure, standard
from ferbench.evaluation.recognition import by_subject
from ferbench.executors.base import Report
from ferbench.fingerprint import digest
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.dataset import Tolerant
from ferbench.interfaces.evaluator import Outputs
from ferbench.interfaces.method import Batch, Identifies, Method, Synthesizes, Task
from ferbench.judges import Judges
from ferbench.plan import Data, component, load_data, prepare_data
from ferbench.records import DONE, FAILED, INTERRUPTED, OOM, STORED, Outcome, Record, StageRun, Trial
from ferbench.registry import Registry, load_registry
from ferbench.settings import RunConfig, from_plain
from ferbench.store import Held, Store
from ferbench.training import checkpoint as checkpoints
from ferbench.training.cost import forget_peak, forward_flops, parameters, peak_memory
from ferbench.training.loop import Device, Training, moments
from ferbench.training.stages import Progress, losses_table, run_stage

GRID_COLUMNS = 8
"""Identities in the grid of synthesised faces."""

LOOK = "test/accuracy"
"""Among the losses: what a look at the test fold found."""


def run(trial: Trial, report: Report) -> Outcome | None:
    """Run one trial and write its record, or what made it fail; gives its outcome.

    None: another process is at this trial. Raises nothing but KeyboardInterrupt.
    """
    store = Store(trial.config["results_dir"])
    try:
        with store.lease(f"trial-{trial.id}", None):
            return _attempt(trial, store, report)
    except Held:
        return None
    except OSError as failure:
        outcome = Outcome(trial, FAILED, _unwritten(failure, store))
    report.outcome(outcome)
    return outcome


def _attempt(trial: Trial, store: Store, report: Report) -> Outcome:
    report.trial(trial)
    start = time.perf_counter()
    outcome = Outcome(trial, DONE)
    try:
        if store.has(trial.id):
            outcome = Outcome(trial, STORED)
        else:
            _run(trial, store, report)
    except KeyboardInterrupt:
        report.outcome(Outcome(trial, INTERRUPTED, "interrupted; the same command goes on from the last checkpoint"))
        raise
    except FerbenchError as failure:
        stage, step = getattr(failure, "stage", ""), getattr(failure, "step", -1)
        outcome = Outcome(trial, FAILED, str(failure), stage=stage, step=step)
    except (torch.OutOfMemoryError, MemoryError) as failure:
        error = (
            f"Out of memory: {str(failure).splitlines()[0] if str(failure) else 'no more to be had'}. A smaller "
            "budget.batch_size, or trainer.accumulate=4 with the same batch, needs less."
        )
        outcome = Outcome(trial, OOM, error)
    except OSError as failure:
        outcome = Outcome(trial, FAILED, _unwritten(failure, store))
    except Exception as failure:
        outcome = Outcome(trial, FAILED, f"{type(failure).__name__}: {failure}", traceback.format_exc())
    outcome = dataclasses.replace(outcome, seconds=round(time.perf_counter() - start, 3))
    if outcome.status in (FAILED, OOM):
        try:
            store.write_failure(outcome)
        except OSError as failure:
            report.message(f"the failure could not be written down either: {failure.strerror or failure}")
    report.outcome(outcome)
    return outcome


def _unwritten(failure: OSError, store: Store) -> str:
    return f"The record or its stages could not be written: {failure.strerror or failure} ({failure.filename or store.root})."


@dataclass
class Setup:
    """What a trial works with: its data as batches on the device, and its method with initial weights."""

    registry: Registry
    config: RunConfig
    data: Data
    prepared: Prepared
    device: Device
    fold: Fold
    method: Method
    backbone: Backbone
    batches: Batches

    @property
    def images(self) -> Images:
        return self.batches.images

    @classmethod
    def make(cls, trial: Trial) -> Setup:
        registry = load_registry(trial.plugin_files)
        config = from_plain(trial.config)
        data = load_data(registry, config)
        prepared = prepare_data(registry, data, config)
        device = Device.choose(config.trainer.device, config.trainer.precision)
        fold = Fold.make(trial, data, prepared)
        card, method, backbone = build(registry, config, fold.task)
        method.to(device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        backbone.to(device.device)
        neutral = fold.labels.neutral if "neutral" in card.needs else None
        if "neutral" in card.needs and neutral is None:
            raise FerbenchError(
                f"method '{card.name}' needs a neutral face of every subject, and some training frames have none."
            )
        labels = Labels(fold.labels.rows, fold.labels.expression, fold.labels.subject, neutral)
        images = Images(prepared.images, device.device)
        batches = Batches(images, labels, config.augment, config.budget.batch_size, fold.key)
        return cls(registry, config, data, prepared, device, fold, method, backbone, batches)


def _run(trial: Trial, store: Store, report: Report) -> None:
    began = datetime.now(UTC)
    setup = Setup.make(trial)
    config, device, fold = setup.config, setup.device, setup.fold
    method, backbone, images = setup.method, setup.backbone, setup.images
    with device.autocast():
        untrained = inference.over_batches(inference.pooled(backbone.eval()), images, fold.test_rows)
    if config.trainer.compile:
        for child in method.children():
            child.compile()
    forget_peak(device.device)
    runs, losses = _train(trial, store, setup, report)
    cost = _cost(runs, config, device, method)
    judges = _judge(trial, store, setup, report)
    report.message("evaluating")
    with device.autocast():
        references = {
            "untrained": untrained,
            "pixels": inference.over_batches(inference.raw_pixels, images, fold.test_rows),
        }
        if judges is not None:
            references["identity"] = inference.over_batches(judges.features, images, fold.test_rows)
        outputs = Outputs(
            frames=fold.test_frames,
            expressions=setup.data.card.expressions,
            logits=inference.over_batches(method.logits, images, fold.test_rows),
            features=inference.over_batches(method.features, images, fold.test_rows),
            references=references,
            identity_features=inference.over_batches(method.identity_features, images, fold.test_rows)
            if isinstance(method, Identifies)
            else None,
            syntheses=inference.transfers(method, judges, images, fold.test_rows, fold.test_labels, fold.faces(images))
            if judges is not None and isinstance(method, Synthesizes)
            else None,
        )
        grid = _grid(method, images, fold, outputs)
    metrics, notes = _measure(setup.registry, trial, store, outputs)
    metrics |= claimed(losses[-1])
    notes += setup.prepared.notes()
    if isinstance(setup.data.dataset, Tolerant):
        notes += setup.data.dataset.tolerated()
    confusion, sequence_confusion = by_subject(outputs)

    def fill(folder: Path) -> Record:
        predictions = outputs.frames.drop(columns="fold").reset_index(drop=True)
        for expression, probability in zip(outputs.expressions, outputs.probabilities.T, strict=True):
            predictions[f"p_{expression}"] = probability.astype(np.float32)
        predictions.to_parquet(folder / "predictions.parquet", index=False)
        np.save(folder / "embeddings.npy", outputs.features, allow_pickle=False)
        for name, features in outputs.references.items():
            np.save(folder / f"reference_{name}.npy", features, allow_pickle=False)
        np.save(folder / "logits.npy", outputs.logits, allow_pickle=False)
        if outputs.identity_features is not None:
            np.save(folder / "identity_embeddings.npy", outputs.identity_features, allow_pickle=False)
        if outputs.syntheses is not None:
            np.savez_compressed(folder / "syntheses.npz", **vars(outputs.syntheses))
        if grid is not None:
            np.save(folder / "synthesis.npy", grid, allow_pickle=False)
        checkpoints.save_tensors(folder / "weights.safetensors", method.state_dict())
        pd.concat(losses, ignore_index=True).to_parquet(folder / "losses.parquet", index=False)
        return Record(
            trial=trial,
            expressions=outputs.expressions,
            subjects=tuple(sorted(confusion)),
            metrics=metrics,
            confusion=confusion,
            sequence_confusion=sequence_confusion,
            notes=tuple(notes),
            stages=tuple(runs),
            cost=cost | {"seconds": round((datetime.now(UTC) - began).total_seconds(), 1)},
            provenance=_provenance(began, device, backbone),
        )

    store.write(trial.id, fill)


def _train(trial: Trial, store: Store, setup: Setup, report: Report) -> tuple[list[StageRun], list[pd.DataFrame]]:
    method, fold, config = setup.method, setup.fold, setup.config
    stages = method.stages()
    if len(stages) != len(trial.stages):
        raise TrainingError(f"The method's stages() gives {len(stages)} stages; its card says {len(trial.stages)}.")
    progress = Progress(report.stage, report.message)
    training = _training(trial, setup, report)
    labels = fold.test_labels

    def look() -> dict[str, float]:
        with setup.device.autocast():
            logits = inference.over_batches(method.logits, setup.images, fold.test_rows)
        return {LOOK: float((logits.argmax(1) == labels.numpy()).mean())}

    runs, tables = [], []
    for node, stage in zip(trial.stages, stages, strict=True):
        if node is trial.stages[-1] and config.evaluation.looks:
            epoch = -(-len(fold.labels.rows) // config.budget.batch_size)
            training = dataclasses.replace(
                training, look=look, looks=moments(node.steps, config.evaluation.looks, epoch)
            )
        stage_run, losses = run_stage(store, node, method, stage, training, progress)
        runs.append(stage_run)
        table = losses_table(losses)
        table.insert(0, "stage", node.name)
        tables.append(table)
    return runs, tables


def _training(trial: Trial, setup: Setup, report: Report) -> Training:
    trainer = setup.config.trainer
    return Training(
        batches=setup.batches,
        device=setup.device,
        accumulate=trainer.accumulate,
        clip_norm=trainer.clip_norm,
        seed=trial.seed,
        checkpoint_every=trainer.checkpoint_every,
        report=report.step,
    )


def _judge(trial: Trial, store: Store, setup: Setup, report: Report) -> Judges | None:
    """The judges of this fold, trained now or by an earlier trial; None where they are turned off or have one subject."""
    if trial.judges is None or len(setup.fold.task.subjects) < 2:
        return None
    judges = build_judges(setup.registry, setup.config, setup.fold.task)
    judges.to(setup.device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = _training(trial, setup, report)
    run_stage(store, trial.judges, judges, judges.stages()[0], training, Progress(report.stage, report.message))
    return judges


def claimed(losses: pd.DataFrame) -> dict[str, float | None]:
    """What choosing the best look at the test fold would have claimed, `best_epoch_accuracy`, and by how much that is more than
    the last one says, `optimism`."""
    looks = losses.loc[losses["loss"] == LOOK, "value"]
    if looks.empty:
        return {}
    return {"best_epoch_accuracy": float(looks.max()), "optimism": float(looks.max() - looks.iloc[-1])}


class Fold:
    """The frames of one fold as rows of the prepared array."""

    def __init__(
        self,
        task: Task,
        labels: Labels,
        test_frames: pd.DataFrame,
        test_rows: torch.Tensor,
        key: tuple[object, ...],
    ) -> None:
        self.task = task
        self.labels = labels
        self.test_frames = test_frames
        self.test_rows = test_rows
        self.key = key

    @property
    def test_labels(self) -> torch.Tensor:
        """(M,): classes of the test frames."""
        return torch.tensor([self.task.expressions.index(name) for name in self.test_frames["expression"]])

    def faces(self, images: Images) -> Batch:
        """One training frame of each subject and expression."""
        pairs = pd.DataFrame({"s": self.labels.subject, "e": self.labels.expression}).drop_duplicates()
        chosen = torch.tensor(pairs.index.to_numpy())
        device = images.device
        return Batch(
            images(self.labels.rows[chosen]),
            self.labels.expression[chosen].to(device),
            self.labels.subject[chosen].to(device),
        )

    @classmethod
    def make(cls, trial: Trial, data: Data, prepared: Prepared) -> Fold:
        usable = data.selected[data.selected["frame_id"].isin(prepared.rows)]
        tested = usable["fold"] == trial.fold
        train, test = usable[~tested], usable[tested]
        if train.empty or test.empty:
            raise FerbenchError(
                f"Fold {trial.fold} has {len(train)} training and {len(test)} test frames that can be read."
            )
        subjects = tuple(sorted(train["subject"].unique()))
        task = Task(data.card.expressions, subjects, trial.config["preparation"]["image_size"], trial.seed)
        neutral = neutral_frames(data.frames, train).map(prepared.rows)

        def indices(column: str, names: tuple[str, ...]) -> torch.Tensor:
            return torch.tensor([names.index(value) for value in train[column]])

        labels = Labels(
            rows=torch.tensor(train["frame_id"].map(prepared.rows).to_numpy()),
            expression=indices("expression", task.expressions),
            subject=indices("subject", subjects),
            neutral=None if neutral.isna().any() else torch.tensor(neutral.to_numpy(dtype=int)),
        )
        rows = torch.tensor(test["frame_id"].map(prepared.rows).to_numpy())
        return cls(task, labels, test, rows, (trial.seed, digest(subjects)))


def build(registry: Registry, config: RunConfig, task: Task) -> tuple[MethodCard, Method, Backbone]:
    """The method with its initial weights, its card, and the backbone inside it."""
    with task.init("backbone"):
        _, backbone = component(registry, BackboneCard, config.backbone, task.image_size)
    card = registry.get(MethodCard, config.method["name"])
    settings = card.settings(**{k: v for k, v in config.method.items() if k != "name"})
    method = card.load()(task, backbone, settings)
    return card, method, backbone


def build_judges(registry: Registry, config: RunConfig, task: Task) -> Judges:
    """The judges with their initial weights."""
    return Judges(task, lambda: component(registry, BackboneCard, config.backbone, task.image_size)[1])


def _measure(
    registry: Registry, trial: Trial, store: Store, outputs: Outputs
) -> tuple[dict[str, float | None], list[str]]:
    """All metrics. Those of the references, "name/reference", are the same for every method on a fold: they are worked out once
    and kept beside the stages, by all that they depend on."""
    evaluators = [card.target.partition(":")[0] for card in standard(registry)]
    code = fingerprint.code(
        [*evaluators, registry.get(BackboneCard, trial.config["backbone"]["name"]).target.partition(":")[0]]
    )
    parts = ("dataset", "protocol", "frames", "preparation", "backbone", "seed", "trainer")
    judges = trial.judges.key if trial.judges else ""
    key = digest([{part: trial.identity[part] for part in parts}, judges, dict(code)], 24)
    known = store.references(key)
    metrics, notes = measure(
        standard(registry), outputs if known is None else dataclasses.replace(outputs, references={})
    )
    if known is None:
        store.write_references(key, {name: value for name, value in metrics.items() if "/" in name})
    return metrics | (known or {}), notes


def _grid(method: Method, images: Images, fold: Fold, outputs: Outputs) -> np.ndarray | None:
    """One test image of each expression on up to GRID_COLUMNS training identities, if the method synthesises."""
    if not isinstance(method, Synthesizes):
        return None
    rows = inference.examples(outputs.labels.tolist(), len(outputs.expressions))
    columns = inference.examples(fold.labels.subject.tolist(), len(fold.task.subjects))[:GRID_COLUMNS]
    device = images.device
    identities = Batch(
        images(fold.labels.rows[columns]),
        fold.labels.expression[columns].to(device),
        fold.labels.subject[columns].to(device),
    )
    return inference.synthesis_grid(method, images(fold.test_rows[rows]), identities)


def _cost(runs: Sequence[StageRun], config: RunConfig, device: Device, method: Method) -> dict[str, float]:
    """Of the method alone: judges are not part of it."""
    steps = sum(run.steps for run in runs)
    return {
        "steps": steps,
        "images_seen": steps * config.budget.batch_size,
        "parameters": parameters(method),
        "forward_flops": forward_flops(method, device.device),
        "peak_memory": peak_memory(device.device),
        "train_seconds": round(sum(run.seconds for run in runs), 3),
    }


def _provenance(began: datetime, device: Device, backbone: Backbone) -> dict[str, Any]:
    on_cuda = device.device.type == "cuda"
    return {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": platform.machine(),
        "system": platform.system(),
        "device": torch.cuda.get_device_name(device.device) if on_cuda else f"cpu, {torch.get_num_threads()} threads",
        "precision": device.precision,
        "seen": backbone.seen,
        "versions": {name: metadata.version(name) for name in ("ferbench", "torch", "timm", "numpy", "scikit-learn")}
        | {"python": platform.python_version(), "cuda": torch.version.cuda if on_cuda else None},
        "revision": _revision(),
    }


def _revision() -> str | None:
    """The git revision of the sources, where ferbench runs from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
