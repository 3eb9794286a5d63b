"""The gradient of each loss term in each part of a method. It helps to explain why removing a term has no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from ferbench.errors import FerbenchError
from ferbench.execution.setup import Setup
from ferbench.interfaces.method import Clock, Method, Stage, Update
from ferbench.records import files
from ferbench.records.schema import Record
from ferbench.training import checkpoint as checkpoints
from ferbench.training.loop import freeze_all_but
from ferbench.training.steps import advance

BATCHES = 8
"""Default number of training batches."""


def gradients(record: Record, folder: Path, batches: int = BATCHES) -> pd.DataFrame:
    """Compute the gradients of all loss terms of a trained method, on the training batches that would have come next. The weights
    are not changed.

    Args:
        record: record of the trial.
        folder: folder of the record.
        batches: number of batches; the values are means over them.

    Returns:
        One row for each stage, term and module in which the term has a gradient, with the columns
        stage: name of the stage.
        term: "group/term".
        module: a child of the method, or a part of a child that belongs to several groups.
        value: value of the term.
        norm: L2 norm of the term's gradient in the module's weights.
        share: `norm` divided by the sum of the norms of all terms in that module, 0 to 1.
        cosine: cosine between the gradients of the term and of the whole loss, -1 to 1; negative if the term works against
            the others.

    Raises:
        FerbenchError: the trial's weights, data or method no longer exist.
    """
    setup = trained(record, folder)
    method = setup.method
    rows: list[dict[str, Any]] = []
    for node, stage, card in zip(record.trial.stages, method.stages(), setup.stage_cards, strict=True):
        trained_parameters = freeze_all_but(method, stage)
        owner = _owners(method, stage)
        drawn = setup.batches_of(card).of(stage)
        for number in range(batches):
            step = stage.step(drawn(node.steps + number), Clock(node.steps - 1, node.steps))
            while (update := advance(step, setup.device)) is not None:
                terms = _of_update(update, trained_parameters[update.group], owner)
                rows += [{"stage": stage.name, "batch": number, **row} for row in terms]
    table = pd.DataFrame(rows)
    table["share"] = table["norm"] / table.groupby(["stage", "batch", "group", "module"])["norm"].transform("sum")
    keys = ["stage", "term", "module"]
    return table.groupby(keys, sort=False)[["value", "norm", "share", "cosine"]].mean().reset_index()


def trained(record: Record, folder: Path) -> Setup:
    """The data of a trial, and its method with the trained weights.

    Raises:
        FerbenchError: the trial's weights, data or method no longer exist, or the weights were changed.
    """
    weights = folder / files.WEIGHTS
    if not weights.is_file():
        raise FerbenchError(f"{weights} is missing: the record was stored without its weights.")
    files.check(folder, record.files, [files.WEIGHTS])
    setup = Setup.make(record.trial)
    checkpoints.load_state(setup.method, checkpoints.load_tensors(weights))
    return setup


def _owners(method: Method, stage: Stage) -> dict[int, str]:
    """The name of the module to which each parameter is assigned, by the id of the parameter."""
    names = {id(module): name for name, module in method.named_modules()}
    groups: dict[str, set[str]] = {}
    found: dict[int, tuple[str, str]] = {}
    for group, members in stage.trains.items():
        for module in members.all_modules:
            whole = names[id(module)]
            for name, parameter in module.named_parameters():
                child = (f"{whole}.{name}" if whole else name).partition(".")[0]
                groups.setdefault(child, set()).add(group)
                found[id(parameter)] = (child, whole)
    return {key: child if len(groups[child]) == 1 else whole for key, (child, whole) in found.items()}


def _of_update(
    update: Update, parameters: Sequence[nn.Parameter], owner: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    """One row for each term of an update and each module in which it has a gradient."""
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
    """The gradient of a loss in each module where it has one, as a vector."""
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    parts: dict[str, list[Tensor]] = {}
    reached = set()
    for parameter, gradient in zip(parameters, gradients, strict=True):
        name = owner[id(parameter)]
        if gradient is not None:
            reached.add(name)
        parts.setdefault(name, []).append(
            (torch.zeros_like(parameter) if gradient is None else gradient).flatten().float()
        )
    return {name: torch.cat(vectors) for name, vectors in parts.items() if name in reached}
