"""The cache of trained stages: each stage is trained once, by one process, and resumed from its checkpoint if that process ends."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
import uuid

import pandas as pd

from ferbench.errors import TrainingError
from ferbench.files import publish
from ferbench.hashing import file_digest
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.method import Method, Stage
from ferbench.records import files
from ferbench.records.files import Losses
from ferbench.records.schema import StageNode, StageRun
from ferbench.records.store import Store
from ferbench.training import checkpoint as checkpoints
from ferbench.training.loop import Training, modules_of, train


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
        TrainingError: the stage has another name than the node, or training fails.
    """
    target = store.stage(node.key)
    if stage.name != node.name:
        raise TrainingError(
            f"The method's stages() returns '{stage.name}' where its card says '{node.name}'; both list the same stages in "
            "the same order.",
            stage.name,
        )
    with store.lease(
        f"stage-{node.key}",
        lambda who: progress.message(f"waiting for stage '{node.name}', in training by {who}"),
    ):
        if _outdated(store, node, method, training.code, fresh):
            shutil.rmtree(target)
            files.checkpoint(target).unlink(missing_ok=True)
        new = not store.trained(node.key)
        if new and training.together is None:
            return train_and_store(store, node, method, stage, training, progress)
        if new and training.together is not None:
            training.together(node)
    load_stage(store, node, method)
    run = store.stage_run(node.key)
    if not new:
        progress.stage(node.name, node.steps, node.steps)
        run = dataclasses.replace(run, steps_run=0)
    return run, _losses(files.read_losses(target))


def load_stage(store: Store, node: StageNode, method: Method) -> None:
    """Load the weights of a stored stage into the method."""
    tensors, _ = checkpoints.load_tensors(store.stage(node.key) / files.WEIGHTS)
    checkpoints.load_state(method, tensors)
    method.eval().requires_grad_(False)


def _outdated(store: Store, node: StageNode, method: Method, code: str, fresh: bool) -> bool:
    """Whether other code trained a stage, and it is to be trained again."""
    if not store.trained_by_other_code(node.key, code):
        return False
    return fresh or not checkpoints.fits(method, store.stage(node.key) / files.WEIGHTS)


def train_and_store(
    store: Store, node: StageNode, method: Method, stage: Stage, training: Training, progress: Progress
) -> tuple[StageRun, Losses]:
    """Train a stage, from its checkpoint if there is one, and store it."""
    target = store.stage(node.key)
    path = files.checkpoint(target)
    saved = checkpoints.load(path, training.code)
    progress.stage(node.name, saved.step if saved else 0, node.steps)
    start = time.perf_counter()
    trained = train(method, stage, node.steps, dataclasses.replace(training, checkpoint=path))
    if trained.obstacle:
        progress.message(trained.obstacle)
    draft = target.with_name(f".{target.name}-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    draft.mkdir()
    try:
        checkpoints.save_tensors(draft / files.WEIGHTS, checkpoints.trained_state(method, modules_of(stage)))
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
        (draft / files.STAGE).write_text(json.dumps(dataclasses.asdict(run)), encoding="utf-8")
        publish(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    path.unlink(missing_ok=True)
    return run, trained.losses


def _losses(table: pd.DataFrame) -> Losses:
    return list(zip(table["step"].tolist(), table["loss"].tolist(), table["value"].tolist(), strict=True))
