"""Checkpoints of a stage: weights, optimiser state and losses in one safetensors file, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ferbench.errors import TrainingError
from ferbench.files import draft_of
from ferbench.records import seals
from ferbench.records.files import Losses


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or is not the one that was saved."""


@dataclass
class Checkpoint:
    """The state of training after `step` steps.

    Attributes:
        step: number of steps that are done.
        tensors: what the stage trained and changed ("model/..."), the state of the optimisers ("optimiser/...") and of the scaling
            of losses ("scaler/..."), and the model after the best epoch so far, where one is chosen ("chosen/...").
        losses: losses of all steps so far.
        code: `code_key` of the code that trained so far.
    """

    step: int
    tensors: dict[str, Tensor]
    losses: Losses
    code: str = ""


def trained_state(method: nn.Module, modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The parameters and buffers of some modules of a method, by their names in the method.

    Raises:
        TrainingError: one of the modules is not part of the method.
    """
    names = {id(module): name for name, module in method.named_modules()}
    state: dict[str, Tensor] = {}
    for module in modules:
        if id(module) not in names:
            raise TrainingError(
                f"A stage trains a {type(module).__name__} that is no part of the method, so that its weights would not be stored. "
                "Assign it to an attribute of self in __init__; a list of modules is an nn.ModuleList."
            )
        prefix = names[id(module)] + "." if names[id(module)] else ""
        state |= {prefix + key: value for key, value in module.state_dict().items()}
    return state


def load_state(method: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy tensors into the parameters and buffers of the same names."""
    own = method.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def optimiser_state(optimisers: Mapping[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    """The state tensors of optimisers by "group/index of the parameter/key", such as "network/0/exp_avg"."""
    return {
        f"{group}/{index}/{key}": value
        for group, optimiser in optimisers.items()
        for index, state in optimiser.state_dict()["state"].items()
        for key, value in state.items()
    }


def load_optimiser_state(optimisers: Mapping[str, torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """Load what `optimiser_state` returned into optimisers of the same groups and parameters."""
    for group, optimiser in optimisers.items():
        parameters = [parameter for part in optimiser.param_groups for parameter in part["params"]]
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


def scaler_state(scalers: Mapping[str, torch.amp.GradScaler]) -> dict[str, Tensor]:
    """The factor of the loss of each group, and the number of steps since it changed: (2,), float64."""
    states = {group: scaler.state_dict() for group, scaler in scalers.items()}
    return {
        group: torch.tensor([state["scale"], state["_growth_tracker"]], dtype=torch.float64)
        for group, state in states.items()
    }


def load_scaler_state(scalers: Mapping[str, torch.amp.GradScaler], tensors: Mapping[str, Tensor]) -> None:
    """Load what `scaler_state` returned into scalers of the same groups."""
    for group, scaler in scalers.items():
        scale, tracked = tensors[group].tolist()
        scaler.load_state_dict({**scaler.state_dict(), "scale": scale, "_growth_tracker": int(tracked)})


def fits(method: nn.Module, path: Path, needed: AbstractSet[str] = frozenset()) -> bool:
    """Whether a safetensors file contains only tensors that the method has, in the same shapes, and those that are `needed`."""
    own = method.state_dict()
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        shapes = {name: file.get_slice(name).get_shape() for name in names}
    return needed <= names and all(name in own and list(own[name].shape) == shapes[name] for name in names)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], sealed: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file atomically: readers see the old file or the new one, never a part of either.

    Args:
        sealed: metadata. With it, the file gets a seal (records/seals.py).

    Raises:
        OSError: the file cannot be written.
    """
    draft = draft_of(path)
    # clone, because safetensors refuses tensors that share storage (tied weights)
    copies = {name: t.detach().to("cpu").clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    try:
        save_file(copies, draft, metadata={} if sealed is None else seals.blank(sealed))
        if sealed is not None:
            seals.seal_tensors(draft)
        draft.chmod(0o644)  # safetensors creates files that only their owner can read
        draft.replace(path)
    except SafetensorError as error:  # also raised if the disk is full
        raise OSError(f"cannot write {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        OSError, SafetensorError: the file cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint. Raises OSError if it cannot be written."""
    values = {"step": str(checkpoint.step), "losses": json.dumps(checkpoint.losses), "code": checkpoint.code}
    save_tensors(path, checkpoint.tensors, {**values, "of": path.name})


def load(path: Path, code: str = "") -> Checkpoint | None:
    """Read a checkpoint; None if the file does not exist, or was written by other code.

    Raises:
        CheckpointError: the file cannot be read, was changed, or is the checkpoint of another stage.
    """
    try:
        metadata = seals.check_tensors(path)
        tensors = load_tensors(path)
        losses = [(int(step), str(name), float(value)) for step, name, value in json.loads(metadata["losses"])]
        found = Checkpoint(int(metadata["step"]), tensors, losses, metadata["code"])
        if metadata["of"] != path.name:
            raise ValueError(f"it is {metadata['of']}")
        return found if found.code == code else None
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"The checkpoint {path} is damaged: {error}.") from error
