"""Checkpoints of a stage in training: weights, optimiser state and losses in one safetensors file, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

Losses = list[tuple[int, str, float]]
"""(step, name, value), in the order in which they arose."""


@dataclass
class Checkpoint:
    """Where training stood after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    losses: Losses


def trained_state(method: nn.Module, modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The state (parameters and buffers) of some modules, by its name within the method.

    Raises:
        ValueError: one of them is no part of the method.
    """
    names = {id(module): name for name, module in method.named_modules()}
    state: dict[str, Tensor] = {}
    for module in modules:
        if id(module) not in names:
            raise ValueError(f"a stage trains a {type(module).__name__} that is no submodule of the method")
        prefix = names[id(module)] + "." if names[id(module)] else ""
        state |= {prefix + key: value for key, value in module.state_dict().items()}
    return state


def load_state(method: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy tensors into the parameters and buffers of their names."""
    own = method.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def optimiser_state(optimisers: Mapping[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    return {
        f"{group}/{index}/{key}": value
        for group, optimiser in optimisers.items()
        for index, state in optimiser.state_dict()["state"].items()
        for key, value in state.items()
    }


def load_optimiser_state(optimisers: Mapping[str, torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    for group, optimiser in optimisers.items():
        parameters = optimiser.param_groups[0]["params"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            owner, index, key = name.rsplit("/", 2)
            if owner != group:
                continue
            parameter = parameters[int(index)]
            if value.shape == parameter.shape:  # fused optimisers need the moments in the parameter's memory layout
                value = torch.empty_like(parameter, requires_grad=False).copy_(value)
            state.setdefault(int(index), {})[key] = value
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file so that it is the old one or the new one, never half of it."""
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    # clone: tensors that share storage (tied weights) are refused by safetensors
    plain = {name: t.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    try:
        save_file(plain, draft, metadata=dict(metadata or {}))
        draft.chmod(0o644)  # safetensors makes files that only their owner can read
        draft.replace(path)
    except SafetensorError as error:  # it hides a full disk behind an error of its own
        raise OSError(f"cannot write {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def save(path: Path, checkpoint: Checkpoint) -> None:
    save_tensors(path, checkpoint.tensors, {"step": str(checkpoint.step), "losses": json.dumps(checkpoint.losses)})


def load(path: Path) -> Checkpoint | None:
    """The checkpoint, or None where there is none that can be read."""
    try:
        tensors, metadata = load_tensors(path)
        losses = [(int(step), str(name), float(value)) for step, name, value in json.loads(metadata["losses"])]
        return Checkpoint(int(metadata["step"]), tensors, losses)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
