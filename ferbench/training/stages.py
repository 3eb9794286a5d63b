"""The cache of trained stages: each stage is trained once, by one process, and resumed from its checkpoint if that process ends."""

from __future__ import annotations

import dataclasses
import shutil
import time

import pandas as pd

from ferbench.errors import TrainingError
from ferbench.files import draft_of
from ferbench.hashing import file_digest
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.method import Method, Stage
from ferbench.records import files
from ferbench.records.files import Losses
from ferbench.records.schema import StageNode, StageRun
from ferbench.records.store import Store
from ferbench.training import checkpoint as checkpoints
from ferbench.training.checkpoint import Checkpoint, CheckpointError
from ferbench.training.choice import curve_of, sentence
from ferbench.training.loop import Training, train
from ferbench.training.state import needed


def run_stage(
    store: Store,
    node: StageNode,
    method: Method,
    stage: Stage,
    training: Training,
    progress: Progress,
    fresh: bool = False,
) -> tuple[StageRun, Losses]:
    """Load the trained weights of a stage into the method or, if it is not trained yet, train it, here or on several devices.

    Args:
        node: the stage in the plan; its key names the folder of the trained stage.
        fresh: whether to train again if other code has trained the stage. Without it, that happens only if the weights no longer
            fit the method.

    Returns:
        What was done, and the losses of all steps.

    Raises:
        TrainingError: the stage has another name than the node, a later ferbench trained it, or training fails.
    """
    target = store.stage(node.key)
    if stage.name != node.name:
        raise TrainingError(
            f"The method's stages() returns '{stage.name}' where its card says '{node.name}'; both list the same stages in "
            "the same order.",
            stage.name,
        )

    def waiting(who: str) -> None:
        if not store.trained(node.key):  # else somebody reads it
            progress.message(f"waiting for stage '{node.name}', in training by {who}")

    with store.lease(f"stage-{node.key}", waiting):
        if target.is_dir():
            _set_aside_if_damaged(store, node, progress)
        if _outdated(store, node, method, stage, training.code, fresh):
            store.discard(target)
            files.checkpoint(target).unlink(missing_ok=True)
        new = not store.trained(node.key)
        if new and training.together is None:
            return train_and_store(store, node, method, stage, training, progress)
        if new and training.together is not None:
            _checkpoint(store, node, training, progress)  # each of the processes reads it
            training.together(node)
    files.checkpoint(target).unlink(missing_ok=True)  # of a process that died when it had stored the stage
    load_stage(store, node, method, stage)
    run = store.stage_run(node.key)
    if not new:
        progress.stage(node.name, node.steps, node.steps)
        run = dataclasses.replace(run, steps_run=0)
    return run, _losses(files.read_losses(target))


def load_stage(store: Store, node: StageNode, method: Method, stage: Stage) -> None:
    """Load the weights of a stored stage, and whatever else it changed, into the method.

    Raises:
        TrainingError: it was stored by a variant that trains other parts in the stage.
    """
    state = checkpoints.load_tensors(store.stage(node.key) / files.WEIGHTS)
    if differing := sorted((needed(method, stage) - state.keys()) | (state.keys() - method.state_dict().keys())):
        name = differing[0]
        ours, theirs = ("has no", "has") if name in state else ("has", "has no")
        raise TrainingError(
            f"Stage '{node.name}' was stored by a variant of the method that {theirs} '{name}', and this one {ours} such weights. "
            "Variants share a stage if they agree in the settings that its StageCard lists; list there the setting that decides.",
            node.name,
        )
    checkpoints.load_state(method, state)
    method.eval().requires_grad_(False)


def _set_aside_if_damaged(store: Store, node: StageNode, progress: Progress) -> None:
    """Move a damaged stage out of the way. Raises TrainingError if a later ferbench wrote it."""
    damaged = store.stage_damage(node.key)
    if damaged is None:
        return
    if damaged.newer:
        raise TrainingError(
            f"{damaged.path}: {damaged.reason}. Install that version, or choose another folder with results_dir=FOLDER.",
            node.name,
        )
    aside = store.set_aside(damaged.path)
    progress.message(f"the stage in {damaged.path} is damaged ({damaged.reason}): moved to {aside}, and trained again")


def _outdated(store: Store, node: StageNode, method: Method, stage: Stage, code: str, fresh: bool) -> bool:
    """Whether other code trained a stage, and it is to be trained again."""
    if not store.trained_by_other_code(node.key, code):
        return False
    return fresh or not checkpoints.fits(method, store.stage(node.key) / files.WEIGHTS, needed(method, stage))


def _checkpoint(store: Store, node: StageNode, training: Training, progress: Progress) -> Checkpoint | None:
    """The checkpoint of a stage; None if there is none. A damaged one is moved out of the way."""
    path = files.checkpoint(store.stage(node.key))
    try:
        return checkpoints.load(path, training.code)
    except CheckpointError as damage:
        progress.message(f"{damage} It is moved to {store.set_aside(path)}, and the stage starts again")
        return None


def train_and_store(
    store: Store, node: StageNode, method: Method, stage: Stage, training: Training, progress: Progress
) -> tuple[StageRun, Losses]:
    """Train a stage, from its checkpoint if there is one, and store it."""
    path = files.checkpoint(store.stage(node.key))
    saved = _checkpoint(store, node, training, progress)
    progress.stage(node.name, saved.step if saved else 0, node.steps)
    start = time.perf_counter()
    trained = train(method, stage, node.steps, dataclasses.replace(training, checkpoint=path))
    if trained.obstacle:
        progress.message(trained.obstacle)
    if training.choice is not None:
        progress.message(sentence(node.name, curve_of(trained.losses), node.steps))
    draft = draft_of(store.stage(node.key))
    draft.mkdir()
    try:
        checkpoints.save_tensors(draft / files.WEIGHTS, trained.state)
        files.write_losses(draft, files.losses_table(trained.losses))
        run = StageRun(
            name=node.name,
            key=node.key,
            steps=node.steps,
            steps_run=trained.steps_run,
            seconds=round(time.perf_counter() - start, 3),
            weights=file_digest(draft / files.WEIGHTS),
            code=training.code,
        )
        store.write_stage(run, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    path.unlink(missing_ok=True)
    return run, trained.losses


def _losses(table: pd.DataFrame) -> Losses:
    return list(zip(table["step"].tolist(), table["loss"].tolist(), table["value"].tolist(), strict=True))
