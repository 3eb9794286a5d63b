"""Card of the executor on Ray (extra `ray`)."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import ExecutorCard
from ferbench.hookspecs import hookimpl


@dataclass
class RaySettings:
    """Attributes:
    address: the cluster: "auto" (the one of RAY_ADDRESS, or the one that runs on this machine), HOST:PORT, "ray://HOST:PORT" (from
        outside the cluster), or "local" (one of its own on this machine, which ends with the study).
    cpus: CPU cores that a trial reserves, and its number of threads; it may be a fraction, with one thread.
    gpus: GPUs that a trial reserves, such as 0.25 for four trials on each; -1 for 1 where the cluster has GPUs and trainer.device
        allows one, else 0.
    retries: how often a stage or trial whose process or node died is run again, from its checkpoint.
    """

    address: str = "auto"
    cpus: float = 1.0
    gpus: float = -1.0
    retries: int = 3


@hookimpl
def ferbench_executors() -> list[ExecutorCard]:
    return [
        ExecutorCard(
            name="ray",
            target="ferbench_ray.executor:RayExecutor",
            title="on a Ray cluster: several machines, trials as tasks",
            settings=RaySettings,
            paper="Moritz, Nishihara, Wang et al., Ray: A Distributed Framework for Emerging AI Applications, OSDI 2018",
        )
    ]
