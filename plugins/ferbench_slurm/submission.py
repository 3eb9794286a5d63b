"""Submission of jobs, and the table of what was submitted:

    results/.slurm/jobs.json            which nodes each job has
    results/.slurm/<batch>/             scripts, logs and payloads of jobs that were submitted together

A batch is one array. Its name, which is that of its jobs too, stands in the table before it is submitted; it is submitted held, and
released when the table says that it is whole. So a command that dies in between leaves jobs that the next one finds by their name
and cancels before any has begun. All of it happens while one process is `alone`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import signal
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import submitit

from ferbench import FerbenchError
from ferbench.files import replace_text
from ferbench.interfaces.executor import Node
from ferbench_slurm import cluster
from ferbench_slurm.cluster import Place, Row, Unanswered
from ferbench_slurm.job import Task, main
from ferbench_slurm.plugin import SlurmSettings

FOLDER = ".slurm"

ALONE = "slurm"
"""Name under which one process at a time submits and cancels."""

CARRIED = ("FERBENCH_PLUGINS", "FERBENCH_CACHE")
"""Environment variables that count in the jobs as they do where they are submitted, even if the cluster passes none on."""

NOTICE = 90
"""Seconds before the end of its time that a job is told; a third of its time if that is less."""

QUIET = ("CANCELLED", "COMPLETED")
"""States of jobs whose logs nobody needs."""


@dataclass(frozen=True)
class Batch:
    """Jobs that were submitted together.

    Attributes:
        name: of the jobs, and of their folder.
        keys: of the nodes of each job; none for the job that prepares images.
        number: Slurm's, of the array; empty until the submission is whole.
        released: whether its jobs may start.
    """

    name: str
    keys: tuple[tuple[str, ...], ...]
    number: str = ""
    released: bool = False

    @property
    def prepares(self) -> bool:
        return not any(self.keys)

    def job(self, index: int) -> str:
        """What Slurm calls a job of it."""
        return f"{self.number}_{index}" if len(self.keys) > 1 else self.number


class Table:
    """The batches of a results folder whose jobs have not all ended."""

    def __init__(self, results_dir: str | Path) -> None:
        self.folder = Path(results_dir, FOLDER).absolute()
        self._path = self.folder / "jobs.json"
        self.batches: dict[str, Batch] = {}
        try:
            listed = json.loads(self._path.read_text(encoding="utf-8"))
            for name, values in listed.items():
                keys = tuple(tuple(job) for job in values.pop("keys"))
                self.batches[name] = Batch(name, keys, **values)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise FerbenchError(
                f"{self._path}, which says what was submitted to Slurm, cannot be read ({error}). If 'squeue --me' lists no job "
                "whose name begins with 'ferbench-', delete it."
            ) from error

    def put(self, batch: Batch) -> None:
        """Add a batch, or replace it."""
        self.batches[batch.name] = batch
        self._write()

    def drop(self, name: str, files: bool = True) -> None:
        """Remove a batch, and its scripts, logs and payloads unless `files` is False."""
        del self.batches[name]
        self._write()
        if files:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def result(self, place: Place) -> Path:
        """The file for what a job leaves."""
        return self.folder / place[0] / f"{place[1]}.json"

    def log(self, place: Place) -> Path:
        """The log of a job."""
        batch = self.batches[place[0]]
        return Path(submitit.core.utils.JobPaths(self.folder / batch.name, batch.job(place[1])).stdout)

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        values = {}
        for name, batch in self.batches.items():
            values[name] = dataclasses.asdict(batch)
            del values[name]["name"]
        replace_text(self._path, json.dumps(values))


def live(table: Table) -> dict[Place, Row]:
    """The jobs that wait or run, after mending what a command left that died while it submitted. Batches without any are dropped;
    files are kept where a job went wrong.

    Raises:
        FerbenchError: Slurm does not answer.
    """
    rows = cluster.jobs(table.batches)
    found = {place: row for place, row in rows.items() if not row.ended}
    for batch in list(table.batches.values()):
        places = [place for place in found if place[0] == batch.name]
        if batch.number and places:
            if not batch.released:
                _release(table, batch)
            continue
        if places:  # it has no number, so that none of them has begun
            cluster.cancel_named(batch.name)
        for place in places:
            del found[place]
        wrong = any(row.ended and row.state not in QUIET for place, row in rows.items() if place[0] == batch.name)
        table.drop(batch.name, files=not wrong)
    return found


def submit(
    table: Table, nodes: Sequence[Node], settings: SlurmSettings, running: Mapping[str, str]
) -> tuple[dict[str, Place], Place]:
    """Submit nodes, and a job that prepares their images, without a GPU.

    Args:
        nodes: each after those that it needs.
        running: Slurm's number of the job of each node that is in the queue already.

    Returns:
        Where each node is, by its key, and the job that prepares.

    Raises:
        FerbenchError: Slurm refuses the jobs, or does not answer; none of them begins.
    """
    longest = cluster.longest_array()
    jobs = chunks(nodes, settings.lanes)
    parts = [jobs[start : start + longest] for start in range(0, len(jobs), longest)]
    made: list[Batch] = []
    try:
        without = dataclasses.replace(settings, gpus=0, extra=_without_gpus(settings.extra))
        try:
            first = _submit(table, [nodes], without, prepares=True)
        except FerbenchError:
            if without == settings:
                raise
            first = _submit(table, [nodes], settings, prepares=True)  # the partition may want a GPU of every job
        made.append(first)
        prepared = str(table.result((first.name, 0)))
        known = dict(running)
        found: dict[str, Place] = {}
        shared = dataclasses.replace(settings, parallel=-(-settings.parallel // len(parts)))
        for part in parts:
            batch = _submit(table, part, shared, prepared=prepared, after=first.number)
            made.append(batch)
            for index, keys in enumerate(batch.keys):
                known |= dict.fromkeys(keys, batch.job(index))
                found |= dict.fromkeys(keys, (batch.name, index))
        for batch, part in zip(made[1:], parts, strict=True):
            _wait(batch, part, known, first.number)
        for batch in made:
            table.put(batch)
        for batch in made:
            _release(table, batch)
    except BaseException as error:
        names = {batch.name for batch in made}
        for batch in [batch for batch in table.batches.values() if not batch.released or batch.name in names]:
            with contextlib.suppress(FerbenchError):  # then the next command cancels or releases them
                cluster.cancel_named(batch.name)
                table.drop(batch.name)
        if isinstance(error, Unanswered):
            raise _refused(error.said) from error
        raise
    return found, (first.name, 0)


def chunks(nodes: Sequence[Node], lanes: int) -> list[tuple[Node, ...]]:
    """The nodes of each job: up to `lanes` that need the same."""
    groups: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.needs, []).append(node)
    return [tuple(group[start : start + lanes]) for group in groups.values() for start in range(0, len(group), lanes)]


def _submit(
    table: Table,
    jobs: Sequence[Sequence[Node]],
    settings: SlurmSettings,
    prepares: bool = False,
    prepared: str = "",
    after: str = "",
) -> Batch:
    """Submit a batch, held. The table has it without a number."""
    batch = Batch(
        f"ferbench-{uuid.uuid4().hex[:8]}", tuple(() if prepares else tuple(n.key for n in job) for job in jobs)
    )
    folder = table.folder / batch.name
    folder.mkdir(parents=True)
    table.put(batch)
    warning = int(getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}"))
    environment = {name: os.environ[name] for name in CARRIED if name in os.environ}
    tasks = [
        Task(tuple(job), str(table.result((batch.name, i))), str(Path.cwd()), environment, warning, prepares, prepared)
        for i, job in enumerate(jobs)
    ]
    try:
        executor = submitit.SlurmExecutor(folder, python=shlex.quote(settings.python) if settings.python else None)
        executor.update_parameters(**parameters(settings, batch.name, len(jobs), after))
        with executor.batch():
            submitted = [executor.submit(main, task) for task in tasks]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError, OSError) as error:
        raise _refused(_said(error)) from error
    return dataclasses.replace(batch, number=submitted[0].job_id.partition("_")[0])


def parameters(settings: SlurmSettings, name: str, jobs: int, after: str = "") -> dict[str, Any]:
    """The parameters of submitit for `jobs` jobs, which are held."""
    asked: dict[str, Any] = {
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
        "gpus_per_node": settings.gpus,
        "cpus_per_task": settings.cpus,
        "mem": settings.memory,
        "time": settings.time,
        "dependency": after and f"afterany:{after}",
        "setup": [settings.setup] if settings.setup else None,
        # since Slurm 22.05, srun does not take this over from sbatch
        "srun_args": [f"--cpus-per-task={settings.cpus}"] if settings.cpus else None,
    }
    return {
        **{key: value or None for key, value in asked.items()},
        "wckey": None,
        "job_name": name,
        "array_parallelism": settings.parallel or jobs,
        "signal_delay_s": min(NOTICE, settings.time * 60 // 3) if settings.time else NOTICE,
        "stderr_to_stdout": True,
        "additional_parameters": {"hold": True, "requeue": True, **options(settings.extra)},
    }


def options(text: str) -> dict[str, Any]:
    """Options of a command line by name; True for those without a value.

    >>> options("--exclude=node7 --exclusive --reservation 'my course'")
    {'exclude': 'node7', 'exclusive': True, 'reservation': 'my course'}

    Raises:
        FerbenchError: it is no such text.
    """
    found: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise FerbenchError(f"executor.extra is {text!r}, which cannot be read: {error}.") from error
    last = ""
    for word in words:
        if word.startswith("--"):
            name, sign, value = word.removeprefix("--").partition("=")
            found[name], last = (value, "") if sign else (True, name)
        elif last:
            found[last], last = word, ""
        else:
            raise FerbenchError(
                f"executor.extra is {text!r}, where {word!r} is no option: write options of sbatch in full, such as --nice=10."
            )
    return found


def _without_gpus(extra: str) -> str:
    """The options without those that ask for GPUs."""
    kept = {n: v for n, v in options(extra).items() if not n.startswith("gpu") and not str(v).startswith("gpu")}
    return shlex.join(f"--{name}" if value is True else f"--{name}={value}" for name, value in kept.items())


def _wait(batch: Batch, jobs: Sequence[Sequence[Node]], known: Mapping[str, str], first: str) -> None:
    """Let the jobs wait for those of the nodes that they need."""
    waiting: dict[tuple[str, ...], list[int]] = {}
    for index, job in enumerate(jobs):
        needed = tuple(sorted({known[need] for node in job for need in node.needs if need in known}))
        if needed:
            waiting.setdefault(needed, []).append(index)
    for needed, indices in waiting.items():
        several = f"{batch.number}_[{cluster.indices(indices)}]" if len(batch.keys) > 1 else batch.number
        cluster.wait_for(several, [first, *needed])


def _release(table: Table, batch: Batch) -> None:
    cluster.release(batch.number)
    table.put(dataclasses.replace(batch, released=True))


def _refused(said: str) -> FerbenchError:
    return FerbenchError(
        f"Slurm refuses the jobs: {said.rstrip('.')}. What they ask for is in executor.partition, .account, .qos, .constraint, "
        ".gpus, .cpus, .memory, .time and .extra."
    )


def _said(error: Exception) -> str:
    """What sbatch said."""
    lines = [line.strip() for line in str(error).splitlines() if line.startswith("sbatch: error: ")]
    return "; ".join(line.removeprefix("sbatch: error: ") for line in lines) or str(error)
