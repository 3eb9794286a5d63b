"""The Ray cluster: connecting to it, and its nodes."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ferbench.cores import usable_cores
from ferbench.errors import FerbenchError
from ferbench.interfaces.executor import Trial
from ferbench_ray.plugin import RaySettings

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": "0"}
"""Ray reports no usage, and a task that ran out of memory is not run again: it would again."""
os.environ.update(QUIET)  # Ray reads them once, when it is imported

import ray as ray  # noqa: E402
import ray.exceptions  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

AUTO, LOCAL = "auto", "local"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Machine:
    """A node of the cluster, and how many CPUs and GPUs it has."""

    id: str
    host: str
    cpus: float
    gpus: float

    @property
    def only(self) -> Any:
        """Ray's strategy of scheduling a task on this node."""
        return NodeAffinitySchedulingStrategy(self.id, soft=False)


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """A context in which this process is connected to the cluster. A connection that there is already is used, and stays.

    Raises:
        FerbenchError: there is no cluster at that address.
    """
    if ray.is_initialized():
        yield
        return
    with contextlib.ExitStack() as stack:
        handler = signal.getsignal(signal.SIGTERM)
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if address == LOCAL:
                # short: paths of sockets are
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
                ray.init(
                    address=LOCAL,
                    num_cpus=usable_cores(),
                    include_dashboard=False,
                    _node_ip_address=LOOPBACK,
                    _temp_dir=folder,
                    **quiet,
                )
            else:
                ray.init(address=address, **quiet)
        except Exception as error:  # each kind of address has errors of its own
            raise FerbenchError(
                f"executor.address={address}: no Ray cluster can be had there ({reason(error)}). Start one with 'ray start "
                "--head', name another with executor.address=HOST:PORT, or write executor.address=local for one of its own on "
                "this machine."
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray sets one of its own
        stack.callback(ray.shutdown)
        yield


def reason(error: Exception) -> str:
    """What an error of Ray says, in one line: the first of its text, and the last, too, if the first announces a traceback."""
    lines = lines_of(error)
    told = [lines[0], lines[-1]] if lines[0].endswith(":") else lines[:1]
    return " ".join(dict.fromkeys(told)).rstrip(".")


def lines_of(error: Exception) -> list[str]:
    """The lines of an error's text; the name of its class if it has none."""
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]


def machines() -> list[Machine]:
    """The nodes that are alive."""
    return [
        Machine(
            node["NodeID"],
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def per_trial(settings: RaySettings, trials: Sequence[Trial], found: Sequence[Machine]) -> float:
    """How much of a GPU a trial reserves.

    Raises:
        FerbenchError: the settings of the trials ask for something else, or for one GPU by its number.
    """
    asked = {str(trial.config["trainer"]["device"]) for trial in trials}
    if numbered := sorted(name for name in asked if ":" in name):
        raise FerbenchError(
            f"trainer.device={numbered[0]} puts all trials of a Ray node on one GPU. Leave it out: Ray gives each trial its own."
        )
    if settings.gpus > 0 and asked == {"cpu"}:
        raise FerbenchError(f"executor.gpus={settings.gpus:g} with trainer.device=cpu reserves GPUs that nobody uses.")
    if settings.gpus == 0 and "cuda" in asked:
        raise FerbenchError(
            "executor.gpus=0 with trainer.device=cuda gives the trials no GPU; leave executor.gpus out."
        )
    if settings.gpus >= 0:
        return settings.gpus
    wanted = "cuda" in asked or ("auto" in asked and any(machine.gpus for machine in found))
    return 1.0 if wanted else 0.0
