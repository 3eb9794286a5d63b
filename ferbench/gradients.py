"""Which term of a loss moves which part of a method: for whoever asks why taking a term away changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from ferbench.errors import FerbenchError
from ferbench.interfaces.method import Clock, Method, Stage, Update
from ferbench.records import Record
from ferbench.store import Store
from ferbench.training import checkpoint as checkpoints
from ferbench.training.loop import advance, freeze_all_but
from ferbench.trial import Setup

BATCHES = 8


def gradients(record: Record, results_dir: str | Path, batches: int = BATCHES) -> pd.DataFrame:
    """The gradients of every term of every update, of a trained method on training batches that it has not been trained on yet:
    those that would have come next. No weight is changed by them.

    Args:
        record: of the trial.
        results_dir: where it stands.
        batches: how many are drawn; values are means over them.

    Returns:
        A row for each stage, term and module that the term reaches: `stage`, `term` ("group/term"), `value` (of the term),
        `module` (a child of the method, or a part of one that several groups share), `norm` (L2, of the gradient in the module's
        weights), `share` (norm, divided by the sum of all terms' norms in that module), `cosine` (with the gradient of the whole
        loss: negative where the terms pull apart).

    Raises:
        FerbenchError: the trial's weights, data or method are gone.
    """
    setup = trained(record, results_dir)
    method = setup.method
    rows: list[dict[str, Any]] = []
    for node, stage in zip(record.trial.stages, method.stages(), strict=True):
        moved = freeze_all_but(method, stage)
        owner = _owners(method, stage)
        for number in range(batches):
            step = stage.step(setup.batches(node.steps + number), Clock(node.steps - 1, node.steps))
            while (update := advance(step, setup.device)) is not None:
                found = _of_update(update, moved[update.group], owner)
                rows += [{"stage": stage.name, "batch": number, **row} for row in found]
    table = pd.DataFrame(rows)
    table["share"] = table["norm"] / table.groupby(["stage", "batch", "group", "module"])["norm"].transform("sum")
    keys = ["stage", "term", "module"]
    return table.groupby(keys, sort=False)[["value", "norm", "share", "cosine"]].mean().reset_index()


def trained(record: Record, results_dir: str | Path) -> Setup:
    """A trial's data, and its method with the weights that it ended with.

    Raises:
        FerbenchError: the trial's weights, data or method are gone.
    """
    weights = Store(results_dir).path(record.trial.id) / "weights.safetensors"
    if not weights.is_file():
        raise FerbenchError(f"{weights} is missing: the record was kept without its weights.")
    setup = Setup.make(record.trial)
    checkpoints.load_state(setup.method, checkpoints.load_tensors(weights)[0])
    return setup


def _owners(method: Method, stage: Stage) -> dict[int, str]:
    """By the id of a parameter, the part of the method that it counts for."""
    names = {id(module): name for name, module in method.named_modules()}
    groups: dict[str, set[str]] = {}
    found: dict[int, tuple[str, str]] = {}
    for group, members in stage.trains.items():
        for module in members.modules:
            whole = names[id(module)]
            for name, parameter in module.named_parameters():
                child = (f"{whole}.{name}" if whole else name).partition(".")[0]
                groups.setdefault(child, set()).add(group)
                found[id(parameter)] = (child, whole)
    return {key: child if len(groups[child]) == 1 else whole for key, (child, whole) in found.items()}


def _of_update(
    update: Update, parameters: Sequence[nn.Parameter], owner: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    whole = _by_module(update.loss, parameters, owner)
    for name, term in (update.parts or {"": update.loss}).items():
        if not term.requires_grad:
            continue
        label = f"{update.group}/{name}" if name else update.group
        for module, gradient in _by_module(term, parameters, owner).items():
            yield {
                "group": update.group,
                "term": label,
                "value": float(term.detach()),
                "module": module,
                "norm": float(gradient.norm()),
                "cosine": float(torch.cosine_similarity(gradient, whole[module], dim=0)),
            }


def _by_module(loss: Tensor, parameters: Sequence[nn.Parameter], owner: Mapping[int, str]) -> dict[str, Tensor]:
    """The gradient in each module that the loss reaches, as one vector."""
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    parts: dict[str, list[Tensor]] = {}
    reached = set()
    for parameter, gradient in zip(parameters, found, strict=True):
        name = owner[id(parameter)]
        if gradient is not None:
            reached.add(name)
        parts.setdefault(name, []).append(
            (torch.zeros_like(parameter) if gradient is None else gradient).flatten().float()
        )
    return {name: torch.cat(vectors) for name, vectors in parts.items() if name in reached}
