"""Card of the executor that submits to Slurm."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.cards import ExecutorCard
from ferbench.hookspecs import hookimpl


@dataclass
class SlurmSettings:
    """What a job asks for. Where a setting is empty or 0 the cluster's own default counts.

    Attributes:
        partition: of the jobs, as in `sbatch --partition`.
        account: that is charged.
        qos: quality of service.
        constraint: features that a node must have, such as "a100".
        gpus: GPUs of a job; 0 for none.
        cpus: CPU cores of a job.
        memory: of a job, such as "16G".
        time: limit of a job in minutes. A job that reaches it leaves a checkpoint and is queued again.
        parallel: at most so many jobs run at a time; 0 for no limit.
        lanes: number of trials that one job runs at the same time. More than 1 is for trials that leave most of a GPU idle, and for
            clusters with a limit on the number of jobs.
        setup: shell commands that each job runs first, such as "module load cuda".
        python: the interpreter of the jobs; empty for the one that submits them.
        extra: further options of sbatch, as on its command line: "--exclude=node7 --reservation=course".
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    gpus: int = 0
    cpus: int = 0
    memory: str = ""
    time: int = 0
    parallel: int = 0
    lanes: int = 1
    setup: str = ""
    python: str = ""
    extra: str = ""


@hookimpl
def ferbench_executors() -> list[ExecutorCard]:
    return [
        ExecutorCard(
            name="slurm",
            target="ferbench_slurm.executor:Slurm",
            title="jobs of a Slurm cluster: arrays that wait for shared stages, and are queued again after a time-out",
            settings=SlurmSettings,
            prepares=False,
        )
    ]
