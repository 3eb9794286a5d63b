"""The cache of trained stages: each node of a study's graph is trained once, by one process, and resumed if that dies."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ferbench.errors import TrainingError
from ferbench.fingerprint import file_digest
from ferbench.interfaces.method import Method, Stage
from ferbench.records import StageNode, StageRun
from ferbench.store import Store, publish
from ferbench.training import checkpoint as checkpoints
from ferbench.training.checkpoint import Losses
from ferbench.training.loop import Training, modules_of, train


@dataclass(frozen=True)
class Progress:
    """Callbacks of a running stage: `begins` (name, first step, steps) and `message` (a sentence)."""

    begins: Callable[[str, int, int], None] = lambda name, step, steps: None
    message: Callable[[str], None] = lambda text: None


def run_stage(
    store: Store, node: StageNode, method: Method, stage: Stage, training: Training, progress: Progress
) -> tuple[StageRun, Losses]:
    """Bring the method to the end of a stage: from the cache, from a checkpoint, or by training."""
    place = store.stage(node.key)
    if stage.name != node.name:
        raise TrainingError(
            f"The method's stages() gives '{stage.name}' where its card says '{node.name}'; both list the same stages in "
            "the same order.",
            stage.name,
        )
    with store.lease(
        f"stage-{node.key}",
        lambda who: progress.message(f"waiting for stage '{node.name}', in training by {who}"),
    ):
        if not (place / "stage.json").is_file():
            return _train(place, node, method, stage, training, progress)
    tensors, _ = checkpoints.load_tensors(place / "weights.safetensors")
    checkpoints.load_state(method, tensors)
    method.eval().requires_grad_(False)
    done = json.loads((place / "stage.json").read_text(encoding="utf-8"))
    progress.begins(node.name, node.steps, node.steps)
    return StageRun(**{**done, "steps_run": 0}), read_losses(place / "losses.parquet")


def _train(
    place: Path, node: StageNode, method: Method, stage: Stage, training: Training, progress: Progress
) -> tuple[StageRun, Losses]:
    path = place.with_name(f"{place.name}.checkpoint.safetensors")
    saved = checkpoints.load(path)
    progress.begins(node.name, saved.step if saved else 0, node.steps)
    start = time.perf_counter()
    trained = train(method, stage, node.steps, dataclasses.replace(training, checkpoint=path))
    draft = place.with_name(f".{place.name}-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    draft.mkdir()
    try:
        checkpoints.save_tensors(draft / "weights.safetensors", checkpoints.trained_state(method, modules_of(stage)))
        losses_table(trained.losses).to_parquet(draft / "losses.parquet", index=False)
        run = StageRun(
            name=node.name,
            key=node.key,
            steps=node.steps,
            steps_run=trained.steps_run,
            seconds=round(time.perf_counter() - start, 3),
            weights=file_digest(draft / "weights.safetensors"),
        )
        (draft / "stage.json").write_text(json.dumps(dataclasses.asdict(run)), encoding="utf-8")
        publish(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    path.unlink(missing_ok=True)
    return run, trained.losses


def losses_table(losses: Losses) -> pd.DataFrame:
    """Columns step, loss (its name) and value."""
    return pd.DataFrame(losses, columns=["step", "loss", "value"])


def read_losses(path: Path) -> Losses:
    table = pd.read_parquet(path)
    return list(zip(table["step"].tolist(), table["loss"].tolist(), table["value"].tolist(), strict=True))
