"""The cache of trained stages: each stage is trained once, by one process, and resumed from its checkpoint if that process ends."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
import uuid
from pathlib import Path

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
    """Load the trained weights of a stage into the method or, if the stage is not trained yet, train it.

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
        if not store.trained(node.key):
            return _train(target, node, method, stage, training, progress)
    tensors, _ = checkpoints.load_tensors(target / files.WEIGHTS)
    checkpoints.load_state(method, tensors)
    method.eval().requires_grad_(False)
    progress.stage(node.name, node.steps, node.steps)
    return dataclasses.replace(store.stage_run(node.key), steps_run=0), _losses(files.read_losses(target))


def _outdated(store: Store, node: StageNode, method: Method, code: str, fresh: bool) -> bool:
    """Whether other code trained a stage, and it is to be trained again."""
    if not store.trained_by_other_code(node.key, code):
        return False
    return fresh or not checkpoints.fits(method, store.stage(node.key) / files.WEIGHTS)


def _train(
    target: Path, node: StageNode, method: Method, stage: Stage, training: Training, progress: Progress
) -> tuple[StageRun, Losses]:
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
