"""What a stage changes: all that is stored with it, and what cannot be stored.

A stage stores the parameters and buffers of its groups, and whatever else of the method's state dict it changed, such as a moving
average of weights, a queue, or a running mean. What a method keeps beside its state dict is lost whenever a stage is resumed or
taken from the results folder; a stage that changes it is refused.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from ferbench.errors import TrainingError
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.method import Method, Stage
from ferbench.training.checkpoint import trained_state

INTERNAL = frozenset(vars(nn.Module()))
"""Attributes that torch keeps for each module: its parameters, buffers, hooks and mode."""


class State:
    """The state of a method in a stage, compared with what it was when the stage began. Created before the first step, and before
    anything is restored from a checkpoint."""

    def __init__(self, method: Method, stage: Stage) -> None:
        self._method, self._stage = method, stage
        self._trained = set(trained_state(method, modules_of(stage)))
        self._shapes = _shapes(method)
        self._averaged = set(trained_state(method, [average.into for average in stage.averages]))
        self._before = {name: content(tensor) for name, tensor in self._outside()}
        self._beside = beside(method)

    def tensors(self) -> dict[str, Tensor]:
        """What is stored: the parameters and buffers of the groups and averages, and all others that have changed, by name.

        Raises:
            TrainingError: the stage has changed what cannot be stored.
        """
        self.check()
        found = trained_state(self._method, modules_of(self._stage))
        for name, tensor in self._outside():
            if name in self._averaged or content(tensor) != self._before[name]:
                found[name] = tensor
        return found

    def check(self) -> None:
        """Raise TrainingError if the stage has changed what cannot be stored."""
        stage, now = self._stage.name, _shapes(self._method)
        if differing := sorted(n for n in now.keys() | self._shapes.keys() if now.get(n) != self._shapes.get(n)):
            name = differing[0]
            verb = "changes the shape or type of" if name in now and name in self._shapes else "removes"
            verb = verb if name in self._shapes else "creates"
            raise TrainingError(
                f"Stage '{stage}' {verb} '{name}' while it trains, so that its stored weights do not fit the method that loads "
                "them. Create all modules and buffers in __init__, in the shape and type that they keep, and change them in place.",
                stage,
            )
        found = beside(self._method)
        for where in sorted(found.keys() | self._beside.keys()):
            if found.get(where) == self._beside.get(where) or _is_scratch(self._method, where):
                continue
            owner, name = _owners(self._method, where)[-1]
            raise TrainingError(
                f"Stage '{stage}' changes 'self.{where}', which is no parameter or buffer, and is lost when the stage is resumed "
                "or taken from the results folder. Keep it as a tensor with "
                f"register_buffer('{where.rpartition('.')[2]}', ...) and change it in place or, if it need not be kept, list "
                f"'{name}' in the `scratch` of {type(owner).__name__}.",
                stage,
            )

    def _outside(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors of the state dict that are in no group, each under its first name."""
        state = self._method.state_dict(keep_vars=True)
        seen = {id(tensor) for name, tensor in state.items() if name in self._trained}
        for name, tensor in state.items():
            if isinstance(tensor, Tensor) and id(tensor) not in seen and name not in self._trained:
                seen.add(id(tensor))
                yield name, tensor.detach()


def modules_of(stage: Stage) -> list[nn.Module]:
    """All modules that a stage trains."""
    return [module for group in stage.trains.values() for module in group.all_modules]


@contextlib.contextmanager
def in_eval_mode(method: Method, stage: Stage) -> Iterator[None]:
    """A context in which all of the method is in eval mode; afterwards what the stage trains is in training again."""
    method.eval()
    yield
    for module in modules_of(stage):
        module.train()


def needed(method: Method, stage: Stage) -> set[str]:
    """The names of all parameters and buffers that a stage stores, whatever else it changes."""
    return set(trained_state(method, [*modules_of(stage), *(average.into for average in stage.averages)]))


class Once:
    """Finds what the step of a stage does k times where a batch has k micro-batches, and should do once: state that one micro-batch
    has changed already, and another one changes again. Backward passes and optimisers are not among it, nor the statistics of
    layers of normalisation, which are of micro-batches by nature, nor, before the first update, buffers in a group, unless they are
    the method's own."""

    def __init__(self, method: Method, stage: Stage) -> None:
        self._stage = stage
        statistics = {id(b) for m in method.modules() if isinstance(m, _NormBase) for b in m.buffers(recurse=False)}
        trained = set(trained_state(method, modules_of(stage)))
        state = {n: t for n, t in method.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
        inside = {id(state[name]) for name in trained}
        self._names = [n for n, t in state.items() if id(t) not in statistics and not is_lazy(t)]
        own = {id(buffer) for buffer in method.buffers(recurse=False)}
        self._outside = [n for n in self._names if id(state[n]) not in inside or id(state[n]) in own]
        self._method = method
        self._before: dict[str, Tensor] = {}
        self._changed: set[str] = set()

    def begin(self, updated: bool) -> None:
        """All micro-batches are about to continue. `updated`: whether the step has made an update."""
        state = self._method.state_dict()
        self._before = {n: state[n].clone() for n in (self._names if updated else self._outside) if n in state}
        self._changed = set()

    def look(self) -> None:
        """A micro-batch has continued. Raises TrainingError if it changed what another has changed too."""
        state = self._method.state_dict()
        changed = [n for n, t in self._before.items() if n in state and not _equal(state[n], t)]
        if again := [n for n in changed if n in self._changed]:
            raise TrainingError(
                f"The step of stage '{self._stage.name}' changes '{again[0]}' once for each micro-batch of trainer.accumulate, and "
                "not once a step, so that it computes something else than without. Let it happen in the stage's `after`, which "
                "runs once a step and gets the whole batch, or in its `averages`; see docs/howto/write-a-method.md.",
                self._stage.name,
            )
        self._changed.update(changed)
        self._before.update({n: state[n].clone() for n in changed})


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _shapes(method: nn.Module) -> dict[str, tuple[object, ...]]:
    """Shape and type of each tensor of the state dict; those of lazy modules, which have none yet, are left out."""
    state = method.state_dict(keep_vars=True)
    return {n: (tuple(t.shape), t.dtype) for n, t in state.items() if isinstance(t, Tensor) and not is_lazy(t)}


def content(tensor: Tensor) -> bytes:
    """A digest of type, shape and values."""
    if is_lazy(tensor) or tensor.device.type == "meta":
        return b""
    hasher = hashlib.blake2b(f"{tensor.dtype}{tuple(tensor.shape)}".encode(), digest_size=16)
    hasher.update(tensor.detach().cpu().to_dense().contiguous().view(-1).view(torch.uint8).numpy().data)
    return hasher.digest()


# -- what lies beside the state dict


def beside(method: nn.Module) -> dict[str, bytes]:
    """A digest of each attribute of a method and its modules, or of their classes, that its state dict does not hold: numbers,
    texts, arrays, tensors, random generators, containers of them, modules that are hidden in containers, and objects of classes
    that the method's author wrote. Functions and objects of other classes are not looked at; of modules of libraries, neither
    private attributes nor buffers that are not saved."""
    state = method.state_dict(keep_vars=True).values()
    known = {_address(tensor) for tensor in state if isinstance(tensor, Tensor)} - {0}
    reader = _Reader(type(method), known, {id(module) for module in method.modules()})
    kept = {id(tensor) for tensor in state}
    found: dict[str, bytes] = {}
    for prefix, module in method.named_modules():
        ours = reader.written_by_author(type(module))
        lost = {name: b for name, b in module._buffers.items() if ours and b is not None and id(b) not in kept}
        for name, value in {**reader.of_class(type(module)), **vars(module), **lost}.items():
            if name in INTERNAL or (name.startswith("_") and not ours) or _is_derived(module, name):
                continue
            found[f"{prefix}.{name}" if prefix else name] = reader.digest(value)
    return found


def _address(tensor: Tensor) -> int:
    """Where the storage of a tensor lies; 0 if it has none."""
    return 0 if is_lazy(tensor) or tensor.layout != torch.strided else tensor.untyped_storage().data_ptr()


def _is_scratch(method: Method, where: str) -> bool:
    """Whether the method or its backbone says that an attribute need not be kept."""
    owners = _owners(method, where)
    return any(name == known or name.endswith(f".{known}") for owner, name in owners for known in owner.scratch)


def _owners(method: Method, where: str) -> list[tuple[Method | Backbone, str]]:
    """The method, and the backbones in it that have an attribute, each with the attribute's name in it."""
    found: list[tuple[Method | Backbone, str]] = []
    for prefix, module in method.named_modules():
        inside = f"{prefix}." if prefix else ""
        if isinstance(module, Method | Backbone) and where.startswith(inside):
            found.append((module, where.removeprefix(inside)))
    return found


def _is_derived(module: nn.Module, name: str) -> bool:
    """Whether an attribute is computed from others: a cached property, or a weight that torch's spectral norm, weight norm or
    pruning computes in each forward pass."""
    if isinstance(getattr(type(module), name, None), functools.cached_property):
        return True
    return f"{name}_orig" in module._parameters or f"{name}_g" in module._parameters


class _Reader:
    """Computes digests of values.

    Args:
        method: the class of the method.
        storages: addresses of the storage of tensors that are kept. modules: ids of the method's modules.
    """

    def __init__(self, method: type, storages: AbstractSet[int], modules: AbstractSet[int]) -> None:
        self._package = method.__module__.partition(".")[0]
        self._storages, self._modules = storages, modules

    def written_by_author(self, kind: type) -> bool:
        """Whether a class is of the method's package, or of a file that is not installed."""
        if kind.__module__.partition(".")[0] == self._package:
            return True
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if file is None or {"site-packages", "dist-packages"} & set(Path(file).parts):
            return False
        return not Path(file).is_relative_to(sysconfig.get_path("stdlib"))

    def of_class(self, kind: type) -> dict[str, object]:
        """The attributes of a module's class and its bases, as far as the author wrote them."""
        found: dict[str, object] = {}
        for base in reversed(kind.__mro__):
            if self.written_by_author(base):
                found |= {name: value for name, value in vars(base).items() if not name.startswith("__")}
        return found

    def digest(self, value: object) -> bytes:
        hasher = hashlib.blake2b(digest_size=16)
        self._add(hasher, value, frozenset())
        return hasher.digest()

    def _add(self, hasher: Any, value: Any, within: frozenset[int]) -> None:
        hasher.update(type(value).__qualname__.encode() + b"\0")
        if id(value) in self._modules or id(value) in within:
            return
        if isinstance(value, Tensor):
            if _address(value) not in self._storages:
                hasher.update(content(value))
            return
        if isinstance(value, bool | int | float | complex | str | bytes | None):
            hasher.update(repr(value).encode(errors="surrogatepass"))
            return
        within |= {id(value)}
        for part in self._parts(value):
            self._add(hasher, part, within)

    def _parts(self, value: Any) -> Iterator[Any]:
        """The parts of a value that can be read; none of one that cannot."""
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield repr(key) if isinstance(key, str | int | float | tuple) else type(key).__qualname__
                yield item
        elif isinstance(value, list | tuple | deque):
            yield len(value)
            yield from value
        elif isinstance(value, AbstractSet):
            yield from sorted(map(repr, value))
        elif isinstance(value, np.ndarray):
            yield repr((value.dtype, value.shape))
            yield from value.ravel().tolist() if value.dtype.hasobject else [value.tobytes()]
        elif isinstance(value, np.generic | bytearray):
            yield repr(value)
        elif isinstance(value, torch.Generator):
            yield value.get_state()
        elif isinstance(value, random.Random):
            yield value.getstate()
        elif isinstance(value, np.random.Generator):
            yield repr(value.bit_generator.state)
        elif isinstance(value, np.random.RandomState):
            yield repr(value.get_state())
        elif isinstance(value, nn.Module | torch.optim.Optimizer):  # hidden from the method's state dict
            yield value.state_dict()
        elif not isinstance(value, type) and (is_dataclass(value) or self.written_by_author(type(value))):
            yield getattr(value, "__dict__", None)
