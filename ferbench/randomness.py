"""The global random states of torch, numpy and Python, which code of plugins may read and set."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def states() -> dict[str, Any]:
    """The states by "torch" (where it is imported), "numpy" and "Python", in a form that can be compared."""
    found: dict[str, Any] = {"numpy": str(np.random.get_state(legacy=False)), "Python": random.getstate()}  # noqa: NPY002
    if (torch := sys.modules.get("torch")) is not None:
        found["torch"] = torch.get_rng_state().tolist()
    return found


def marks() -> dict[str, int]:
    """A number for each of the states of "numpy" and "Python", equal where the states are; quick."""
    arrays = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return {"numpy": hash((arrays["key"].tobytes(), arrays["pos"])), "Python": hash(random.getstate())}


def set_seed(seed: int, cuda: bool = False) -> None:
    """Seed all of them. `seed` is not negative. `cuda`: also torch's state on a GPU, which is another one."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed(seed)


@contextlib.contextmanager
def own_random_state(seed: int | None = None) -> Iterator[None]:
    """A context whose code sees the states that `seed` gives, or those from before, and leaves those from before behind."""
    torch = sys.modules.get("torch")
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    tensors = torch.get_rng_state() if torch is not None else None
    try:
        if seed is not None:
            set_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002
        if tensors is not None:
            sys.modules["torch"].set_rng_state(tensors)
