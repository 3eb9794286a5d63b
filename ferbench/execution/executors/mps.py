"""NVIDIA's Multi-Process Service (MPS): kernels of several processes run on a GPU at the same time, where they take turns without.

A service of our own is started for each GPU, with a folder of its own, and ended with the study. It changes no setting of the GPU.
What the commands do: https://docs.nvidia.com/deploy/mps.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CONTROL = "nvidia-cuda-mps-control"
"""The program that starts and ends a service; it comes with NVIDIA's driver on Linux."""

FOLDER, LOGS, GPUS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY", "CUDA_VISIBLE_DEVICES"

PATIENCE = 30.0
"""Seconds that the program, and a process that tries the service, may take."""

TRY = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
context = ctypes.c_void_p()
assert cuda.cuInit(0) == 0
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
"""
"""What a process does to try a service: it asks for a context on the first GPU."""


def available() -> bool:
    """Whether a service can probably be had: there is the program, or the user has started one."""
    return bool(os.environ.get(FOLDER)) or shutil.which(CONTROL) is not None


@contextlib.contextmanager
def services(gpus: Sequence[str]) -> Iterator[dict[str, dict[str, str]]]:
    """A context in which each GPU has a service.

    Args:
        gpus: as in CUDA_VISIBLE_DEVICES.

    Returns:
        For each GPU the environment variables of a process that uses it through its service. Empty if a service cannot be had on
        one of them; without variables where the user has started one, which CUDA_MPS_PIPE_DIRECTORY names.
    """
    if os.environ.get(FOLDER):
        yield {gpu: {GPUS: gpu} for gpu in gpus}
        return
    with contextlib.ExitStack() as stack:
        yield _started(gpus, stack)


def _started(gpus: Sequence[str], stack: contextlib.ExitStack) -> dict[str, dict[str, str]]:
    if shutil.which(CONTROL) is None:
        return {}
    found = {}
    for gpu in gpus:
        # the paths of sockets are short
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True)))
        theirs = {FOLDER: str(folder), LOGS: str(folder), GPUS: gpu}
        if _output([CONTROL, "-d"], theirs) is None:
            return {}
        stack.callback(_output, [CONTROL], theirs, "quit\n")
        ours = {**theirs, GPUS: "0"}  # the only one that the service has
        if _output([sys.executable, "-c", TRY], ours) is None:
            return {}
        if not (_output([CONTROL], theirs, "get_server_list\n") or "").strip():  # it was not asked
            return {}
        found[gpu] = ours
    return found


def _output(command: Sequence[str], environment: Mapping[str, str], words: str = "") -> str | None:
    """What a command prints; None if it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            input=words,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
