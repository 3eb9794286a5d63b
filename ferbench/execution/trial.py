"""Running one trial, from data to record. Only this module combines data, training and evaluation."""

from __future__ import annotations

import dataclasses
import os
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ferbench.config.schema import RunConfig
from ferbench.data.batches import Images
from ferbench.errors import FerbenchError
from ferbench.evaluation import inference
from ferbench.evaluation.evaluators.recognition import by_subject
from ferbench.evaluation.judges import Judges
from ferbench.evaluation.measure import Measured, measure, standard
from ferbench.execution.executors.lanes import lanes
from ferbench.execution.outputs import write_outputs
from ferbench.execution.provenance import provenance
from ferbench.execution.setup import Fold, Setup, clip_note
from ferbench.execution.sound import need_finite, need_sound
from ferbench.execution.training import accuracy_on, compile_networks, composed, judges_of, shared_code, stages_of
from ferbench.execution.watch import Watched, store_failure, too_long
from ferbench.hashing import digest
from ferbench.interfaces.evaluator import Outputs
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.method import Batch, Estimates, Identifies, Method, Synthesizes
from ferbench.limits import TimeUp, alarm, leave_if_forked
from ferbench.plan.identity import Cards, evaluator_functions
from ferbench.randomness import own_random_state
from ferbench.records import files
from ferbench.records.lease import Held
from ferbench.records.schema import (
    DONE,
    FAILED,
    INTERRUPTED,
    OOM,
    STORED,
    Outcome,
    Record,
    StageNode,
    StageRun,
    Trial,
    code_key,
)
from ferbench.records.store import Store
from ferbench.registry.code import code_digest
from ferbench.registry.loader import Registry
from ferbench.training import checkpoint as checkpoints
from ferbench.training.choice import curve_of, sentence
from ferbench.training.cost import forget_peak, forward_flops, parameters, peak_memory
from ferbench.training.loop import Device
from ferbench.training.stages import run_stage

GRID_COLUMNS = 8
"""Largest number of subjects in the grid of synthesised faces."""


def run(trial: Trial, progress: Progress) -> Outcome | None:
    """Run one trial and store its record or its failure.

    Returns:
        The outcome; None if another process is running the trial.

    Raises:
        KeyboardInterrupt: it was interrupted. All other errors become outcomes.
    """
    store = Store(trial.config["results_dir"])
    try:
        with store.lease(f"trial-{trial.id}", None):
            return _attempt(trial, store, progress)
    except Held:
        return None
    except OSError as failure:
        outcome = Outcome(trial, FAILED, _unwritten(failure, store), again=True)
    progress.outcome(outcome)
    return outcome


def train_stage(trial: Trial, stage: StageNode, progress: Progress) -> Outcome:
    """Train a stage of a trial, or its judges, and store it.

    Returns:
        The outcome; a failure is not stored, since it is of all trials that start from the stage.

    Raises:
        KeyboardInterrupt: it was interrupted. All other errors become outcomes.
    """
    store = Store(trial.config["results_dir"])
    return _outcome(trial, store, progress, lambda watched: _train_shared(trial, stage, store, watched))


def _attempt(trial: Trial, store: Store, progress: Progress) -> Outcome:
    progress.trial(trial)
    if store.finished(trial):
        outcome = Outcome(trial, STORED)
    else:
        outcome = _outcome(trial, store, progress, lambda watched: _run(trial, store, watched))
    if outcome.status in (FAILED, OOM):
        store_failure(outcome, progress)
    progress.outcome(outcome)
    return outcome


def _outcome(trial: Trial, store: Store, progress: Progress, do: Callable[[Progress], None]) -> Outcome:
    """What became of the work `do`, which gets the listener and `trial.timeout` seconds."""
    start = time.perf_counter()
    outcome = Outcome(trial, DONE)
    watched, limit, pid = Watched(progress), trial.timeout, os.getpid()

    def time_is_up() -> None:
        raise TimeUp

    try:
        with alarm(limit, time_is_up):
            do(watched)
    except TimeUp:
        outcome = Outcome(trial, FAILED, too_long(limit, watched), stage=watched.reached[0], step=watched.reached[1])
    except KeyboardInterrupt:
        watched.outcome(Outcome(trial, INTERRUPTED, "interrupted; the same command continues from the last checkpoint"))
        raise
    except FerbenchError as failure:
        stage, step = getattr(failure, "stage", ""), getattr(failure, "step", -1)
        outcome = Outcome(trial, FAILED, str(failure), stage=stage, step=step)
    except OSError as failure:
        outcome = Outcome(trial, FAILED, _unwritten(failure, store), again=True)
    except Exception as failure:
        if _out_of_memory(failure):
            error = (
                f"Out of memory: {str(failure).splitlines()[0] if str(failure) else 'no memory is left'}. A smaller "
                "budget.batch_size, or trainer.accumulate=4 with the same batch, needs less."
            )
            outcome = Outcome(trial, OOM, error)
        else:
            notes = "".join(f" {note}" for note in getattr(failure, "__notes__", ()))
            error = f"{type(failure).__name__}: {str(failure) or 'no message'}{notes}"
            outcome = Outcome(trial, FAILED, error, traceback.format_exc())
    leave_if_forked(pid)
    return dataclasses.replace(outcome, seconds=round(time.perf_counter() - start, 3))


def _out_of_memory(failure: Exception) -> bool:
    """Whether memory ran out. For the CPU's memory, torch has no exception of its own."""
    named = isinstance(failure, torch.OutOfMemoryError | MemoryError)
    return named or (isinstance(failure, RuntimeError) and "DefaultCPUAllocator" in str(failure))


def _unwritten(failure: OSError, store: Store) -> str:
    return (
        f"The record or its stages could not be written: {failure.strerror or failure} ({failure.filename or store.root}). Once "
        "they can be, the same command goes on."
    )


def _run(trial: Trial, store: Store, progress: Progress) -> None:
    began = datetime.now(UTC)
    setup = Setup.make(trial)
    config, device, fold = setup.config, setup.device, setup.fold
    method, backbone, images = setup.method, setup.backbone, setup.images
    with device.autocast():
        untrained = inference.over_batches(inference.pooled(backbone.eval()), images, fold.test.rows)
    compile_networks(setup)
    forget_peak(device.device)
    runs, losses = _train(trial, store, setup, progress)
    curve = _curve(losses[-1])
    cost = _cost(runs, config, device, method, runs[-1].steps - curve[-1][0] if curve else 0)
    cost["peak_memory"] = max(cost["peak_memory"], setup.peak)
    judges, judges_run = _judge(trial, store, setup, progress)
    progress.message("evaluating")
    with device.autocast():
        references = {
            "untrained": untrained,
            "pixels": inference.over_batches(inference.raw_pixels, images, fold.test.rows),
        }
        if judges is not None:
            references["identity"] = inference.over_batches(judges.features, images, fold.test.rows)
        need_sound(method, images, fold)
        outputs = Outputs(
            frames=fold.test.table,
            expressions=setup.data.card.expressions,
            logits=inference.of_method(method, "logits", images, fold.test.seen),
            features=inference.of_method(method, "features", images, fold.test.seen),
            references=references,
            identity_features=inference.of_method(method, "identity_features", images, fold.test.seen)
            if isinstance(method, Identifies)
            else None,
            syntheses=inference.transfers(method, judges, images, fold.test.rows, fold.test.labels, fold.faces(images))
            if judges is not None and isinstance(method, Synthesizes)
            else None,
            device="cuda" if device.device.type == "cuda" else "cpu",
            estimates=inference.estimates(method, images, fold.test.seen) if isinstance(method, Estimates) else {},
        )
        need_finite(method, outputs)
        validated = _validated(method, images, fold)
        grid = _grid(method, images, fold, outputs)
    measured = _measure(setup.registry, trial, store, outputs)
    for trace in measured.traces.values():
        progress.message(trace.strip())
    metrics = measured.metrics | best_epoch_metrics(losses[-1], _right(outputs) if curve else None) | validated
    notes = measured.notes
    notes += setup.prepared.notes()
    if setup.prepared_extra is not None:
        notes += [f"extra: {note}" for note in setup.prepared_extra.notes()]
    notes += setup.data.notes
    if fold.test.clip is not None:
        notes.append(clip_note(fold.test.clip))
    notes += [note for batches in composed(setup, method.stages()) for note in batches.notes()]
    confusion, sequence_confusion = by_subject(outputs)

    notes += _stage_notes(runs, judges_run, trial)
    notes += left_out(losses)
    if curve:
        subjects = ", ".join(sorted(fold.validation.table["subject"].unique()))
        notes += [sentence(runs[-1].name, curve, runs[-1].steps), f"Validation subjects, not trained on: {subjects}."]
    if (beside := lanes() - 1) > 0:
        others = "another trial" if beside == 1 else f"up to {beside} other trials"
        notes.append(f"It ran beside {others} on one GPU: its times are longer than alone.")
    cards, evaluators = Cards.of(setup.registry, config, setup.data.protocol.name), standard(setup.registry, outputs)

    def fill(folder: Path) -> Record:
        write_outputs(folder, outputs, grid)
        checkpoints.save_tensors(folder / files.WEIGHTS, method.state_dict())
        files.write_losses(folder, pd.concat(losses, ignore_index=True))
        files.write_code(folder, {**cards.functions, **evaluator_functions(evaluators)})
        return Record(
            trial=trial,
            expressions=outputs.expressions,
            subjects=tuple(sorted(confusion)),
            metrics=metrics,
            confusion=confusion,
            sequence_confusion=sequence_confusion,
            by_subject=measured.by_subject,
            notes=tuple(dict.fromkeys(notes)),
            stages=tuple(runs),
            cost=cost | {"seconds": round((datetime.now(UTC) - began).total_seconds(), 1)},
            provenance=provenance(
                began,
                device,
                backbone,
                trial.code,
                evaluators,
                cards.origins(setup.registry, evaluators),
                setup.start,
                cards.packages(),
                config.trainer.devices,
                list(metrics),
                measured.failed,
            ),
        )

    store.write(trial.id, fill, replace=bool(trial.replaces))


def _validated(method: Method, images: Images, fold: Fold) -> dict[str, float | None]:
    """The accuracy on the validation set; nothing where there is none."""
    if not len(fold.validation.rows):
        return {}
    return {"validation_accuracy": accuracy_on(method, images, fold.validation)}


def _stage_notes(runs: Sequence[StageRun], judges: StageRun | None, trial: Trial) -> list[str]:
    """A note about stages and judges that were trained by other code."""
    others = [f"stage {run.name}" for run in runs if run.code != code_key(trial.code)]
    if judges is not None and judges.code != code_key(shared_code(trial)):
        others.append("the judges")
    if not others:
        return []
    return [f"Trained by other code of the same declared versions, and reused: {', '.join(others)}."]


def left_out(losses: Sequence[pd.DataFrame]) -> list[str]:
    """A note about updates that fp16 left out, from the losses of each stage."""
    rows = pd.concat(losses)
    updates = rows[rows["loss"].str.endswith(files.SKIPPED)]
    count = int(updates["value"].sum())
    if not count:
        return []
    stages = ", ".join(updates.loc[updates["value"] > 0, "stage"].unique())
    return [f"{count} of {len(updates)} updates were left out: a gradient was infinite in fp16 (stage {stages})."]


def _train_shared(trial: Trial, stage: StageNode, store: Store, progress: Progress) -> None:
    setup = Setup.make(trial)
    if trial.judges is not None and stage.key == trial.judges.key:
        _judge(trial, store, setup, progress)
    else:
        compile_networks(setup)
        _train(trial, store, setup, progress, stage.key)


def _train(
    trial: Trial, store: Store, setup: Setup, progress: Progress, last: str = ""
) -> tuple[list[StageRun], list[pd.DataFrame]]:
    """Train the stages of a trial in turn, up to the one with the key `last` if there is one."""
    runs, tables = [], []
    for node, stage, training in stages_of(trial, setup, progress):
        with own_random_state():
            stage_run, losses = run_stage(store, node, setup.method, stage, training, progress, bool(trial.replaces))
        runs.append(stage_run)
        tables.append(files.losses_table(losses, node.name))
        if node.key == last:
            break
    return runs, tables


def _judge(trial: Trial, store: Store, setup: Setup, progress: Progress) -> tuple[Judges | None, StageRun | None]:
    """The judges of the fold, trained now or loaded; None if they are turned off or there is only one training subject."""
    if trial.judges is None or len(setup.fold.task.subjects) < 2:
        return None, None
    judges, training = judges_of(trial, setup, progress)
    stage_run, _ = run_stage(store, trial.judges, judges, judges.stages()[0], training, progress, bool(trial.replaces))
    return judges, stage_run


def _curve(losses: pd.DataFrame) -> list[tuple[int, float]]:
    """The accuracy on the validation subjects after each epoch, by which one was chosen; empty if none was."""
    return curve_of(losses[["step", "loss", "value"]].itertuples(index=False, name=None))


def _right(outputs: Outputs) -> float:
    """The fraction of test frames that are recognised."""
    return float((outputs.logits.argmax(axis=1) == outputs.labels).mean())


def best_epoch_metrics(losses: pd.DataFrame, final: float | None = None) -> dict[str, float | None]:
    """The best test accuracy during training, `best_epoch_accuracy`, and by how much it exceeds the final one, `optimism`. That is
    the overestimation from choosing the best epoch on the test set. Empty if no test curve was measured.

    Args:
        losses: table of losses of the last stage, with the rows files.TEST_ACCURACY.
        final: the test accuracy of the chosen epoch; None if the last one is final.
    """
    test_curve = losses.loc[losses["loss"] == files.TEST_ACCURACY, "value"]
    if test_curve.empty:
        return {}
    last = test_curve.iloc[-1] if final is None else final
    best = max(test_curve.max(), last)
    return {"best_epoch_accuracy": float(best), "optimism": float(best - last)}


def _measure(registry: Registry, trial: Trial, store: Store, outputs: Outputs) -> Measured:
    """What the evaluators found. The metrics of reference representations, "metric/reference", are equal for all methods on a fold.
    They are computed once and stored under a key of all that they depend on."""
    cards = standard(registry, outputs)
    evaluators: list[object] = [[registry.recorded(card), card.version] for card in cards]
    unreleased = evaluator_functions(card for card in cards if not registry.owner(card).released)
    evaluators += [[name, code_digest(functions)] for name, functions in unreleased.items()]
    parts = ("dataset", "protocol", "frames_digest", "preparation", "backbone", "seed", "trainer", "core", "code")
    values = trial.identity.to_dict()
    judges = trial.judges.key if trial.judges else ""
    key = digest([{part: values[part] for part in parts}, judges, code_key(shared_code(trial)), evaluators], 24)
    known = store.references(key)
    measured = measure(registry, cards, outputs if known is None else dataclasses.replace(outputs, references={}))
    if known is None and not measured.failed:
        store.write_references(key, {name: value for name, value in measured.metrics.items() if "/" in name})
    measured.metrics |= known or {}
    return measured


def _grid(method: Method, images: Images, fold: Fold, outputs: Outputs) -> np.ndarray | None:
    """An image of synthesised faces: a test image of each expression in rows, up to GRID_COLUMNS training subjects in columns. None
    if the method does not synthesise."""
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
    return inference.synthesis_grid(method, images(fold.test.rows[rows]), identities)


def _cost(
    runs: Sequence[StageRun], config: RunConfig, device: Device, method: Method, saved: int = 0
) -> dict[str, float]:
    """The cost of the method, without the judges. `saved`: steps by which the last stage ended early."""
    steps = sum(run.steps for run in runs) - saved
    return {
        "steps": steps,
        "images_seen": steps * config.budget.batch_size * max(1, method.task.clip),
        "parameters": parameters(method),
        "forward_flops": forward_flops(method, device.device),
        "peak_memory": peak_memory(device.device),
        "train_seconds": round(sum(run.seconds for run in runs), 3),
    }
