"""The executor: submits the work of a study at once, and follows its jobs.

Slurm starts a job when what it needs has ended, and nothing of that needs this process: jobs go on without it, and the same
command finds them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ferbench import Executor, FerbenchError
from ferbench.interfaces.executor import Job, Outcome, Progress, Work, alone
from ferbench_slurm import cluster
from ferbench_slurm.plugin import SlurmSettings
from ferbench_slurm.submission import ALONE, Table, live
from ferbench_slurm.watch import Watch

RETRIES = 2
"""How often a trial is submitted again whose job ended without a result."""


class Slurm(Executor):
    """`executor=slurm`."""

    settings: SlurmSettings

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        check(self.settings)
        cluster.check_commands()
        work.retries = RETRIES
        watch = Watch(self.settings, work, progress)
        try:
            yield from watch.outcomes()
        except (KeyboardInterrupt, GeneratorExit):
            if waiting := len(watch.at):
                progress.message(
                    f"{waiting} pieces of work stay with Slurm. The same command follows them again, and with --cancel ends them."
                )
            raise

    def jobs(self, results_dir: str) -> list[Job]:
        table = Table(results_dir)
        found = []
        for place, row in sorted(cluster.jobs(table.batches).items()):
            if not row.ended:
                where = row.reason if row.waits else row.nodes
                found += [
                    Job(key, f"slurm {row.number}", not row.waits, where)
                    for key in table.batches[place[0]].keys[place[1]]
                ]
        return found

    def cancel(self, results_dir: str, keys: Collection[str]) -> int:
        with alone(results_dir, ALONE, lambda who: None):
            table = Table(results_dir)
            rows = live(table)
            wanted = {p for p in rows if any(key in keys for key in table.batches[p[0]].keys[p[1]])}
            left = {p for p in rows if not table.batches[p[0]].prepares} - wanted
            preparing = {p for p in rows if table.batches[p[0]].prepares} if wanted and not left else set()
            cluster.cancel([rows[place].number for place in sorted(wanted | preparing)])
        return len(wanted)


def check(settings: SlurmSettings) -> None:
    """Raise FerbenchError if a number among the settings is too small."""
    for name, low in (("gpus", 0), ("cpus", 0), ("time", 0), ("parallel", 0), ("lanes", 1)):
        if (value := getattr(settings, name)) < low:
            raise FerbenchError(f"executor.{name} is {value}; it has to be at least {low}.")
