"""Following the jobs of one command: what they write into the results folder, and what Slurm says of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from ferbench import FerbenchError
from ferbench.interfaces import events
from ferbench.interfaces.executor import Node, Outcome, Progress, Work, alone
from ferbench_slurm import cluster, job
from ferbench_slurm.cluster import Place, Row, Unanswered
from ferbench_slurm.plugin import SlurmSettings
from ferbench_slurm.submission import ALONE, Table, live, submit
from ferbench_slurm.telling import Desks, Told

LOOK, ASK = 1.0, 5.0
"""Seconds between two looks at what the jobs have written, and between two questions to Slurm."""

PATIENCE = 300.0
"""Seconds that Slurm may not answer."""

PARTING = 60.0
"""Seconds that a command waits at its end for jobs whose trials have ended."""

STRANGE = {
    "DependencyNeverSatisfied": "it waits for a job that cannot end",
    "JobHeldAdmin": "an administrator holds it",
    "JobHeldUser": "it is held; scontrol release lets it start",
    "ReqNodeNotAvail": "the nodes that it asks for are not available",
    "PartitionDown": "its partition is down",
    "PartitionTimeLimit": "executor.time is more than the partition allows",
    "PartitionNodeLimit": "it asks for more than the partition has",
    "BadConstraints": "no node has what it asks for",
    "InvalidAccount": "executor.account is not valid",
    "InvalidQOS": "executor.qos is not valid",
    "AssocMaxJobsLimit": "the account may have no more jobs",
    "QOSMaxSubmitJobPerUserLimit": "the quality of service allows no more jobs",
}  # fmt: skip
"""Reasons of waiting jobs that the user should know, by what they begin with."""


class Watch:
    """The nodes of one command, from submission to their ends.

    Attributes:
        at: where each node is, by its key.
    """

    def __init__(self, settings: SlurmSettings, work: Work, progress: Progress) -> None:
        self._settings, self._work, self._progress = settings, work, progress
        self._results = work.nodes[0].trial.config["results_dir"]
        self._desks = Desks(progress)
        self._nodes = {node.key: node for node in work.nodes}
        self._told: dict[str, Told] = {}
        self._following: dict[str, events.Following] = {}
        self.at: dict[str, Place] = {}
        self._mine: set[Place] = set()
        self._prepares: set[Place] = set()
        self._table = Table(self._results)
        self._ran: set[Place] = set()
        self._missing: set[str] = set()
        self._cancelled: set[str] = set()
        self._said: set[str] = set()
        self._strange: set[str] = set()
        self._silent = False
        self._asked = self._answered = time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of all trials, as they end."""
        self._submit(self._work.nodes)
        while self._work.trials:
            time.sleep(LOOK)
            yield from self._hear()
            if time.monotonic() - self._asked >= ASK:
                yield from self._ask()
            again = [node for node in self._work.ready() if node.key not in self._cancelled]
            if again and not self._silent:
                with contextlib.suppress(Unanswered):  # they are still ready when it answers
                    self._submit(again)
            if not self.at and not again and self._work.rest() is None and self._work.trials:
                raise FerbenchError(
                    f"{len(self._cancelled)} jobs were cancelled, and {len(self._work.trials)} trials were not run to their end. "
                    "The same command submits them again, and they go on at their checkpoints."
                )
        self._finish()

    # -- to Slurm

    def _alone(self) -> AbstractContextManager[None]:
        return alone(self._results, ALONE, lambda who: self._progress.message(f"waiting for {who}, which submits jobs"))

    def _submit(self, nodes: Sequence[Node]) -> None:
        """Find nodes among the jobs of earlier commands, and submit the others."""
        with self._alone():
            table = Table(self._results)
            rows = live(table)
            queued = {key: place for place in rows for key in table.batches[place[0]].keys[place[1]]}
            self._prepares |= {place for place in rows if table.batches[place[0]].prepares}
            found = {node.key: queued[node.key] for node in nodes if node.key in queued}
            new = [node for node in nodes if node.key not in found]
            if new:
                for node in new:  # what an earlier job wrote about it is not about this one
                    events.path(self._results, node.key).unlink(missing_ok=True)
                running = {key: rows[place].number for key, place in queued.items()}
                submitted, prepares = submit(table, new, self._settings, running)
                found |= submitted
                self._prepares.add(prepares)
            # those, too, whose jobs have ended and are yet to be told of
            table.batches = {**self._table.batches, **table.batches}
            self._table = table
        for node in nodes:
            self._work.begin(node)
            self._told[node.key] = told = self._told.get(node.key) or Told(node, self._desks)
            self._following[node.key] = events.Following(node, told)
            self._missing.discard(node.key)
        self.at |= found
        self._mine |= set(found.values())
        jobs = len({found[node.key] for node in new})
        for number, word in (
            (len(nodes) - len(new), "were submitted before"),
            (len(new), f"are submitted now, in {jobs} jobs"),
        ):
            if number:
                self._progress.message(f"{number} pieces of work {word}")

    def _ask(self) -> Iterator[Outcome]:
        """Ask Slurm about the jobs."""
        self._asked = time.monotonic()
        try:
            rows = cluster.jobs({place[0] for place in {*self.at.values(), *self._prepares}})
        except Unanswered as error:
            if self._asked - self._answered > PATIENCE:
                raise FerbenchError(
                    f"{error} It has not for {PATIENCE / 60:.0f} minutes. Jobs that run go on; the same command follows them again."
                ) from error
            if not self._silent:
                self._progress.message(f"{error} Jobs that run go on.")
            self._silent = True
            return
        self._answered = time.monotonic()
        if self._silent:
            self._recovered(rows)
        self._prepared(rows)
        self._tell_strange(rows)
        self._again(rows)
        for key, place in list(self.at.items()):
            row = rows.get(place)
            if row is not None and not row.ended:
                self._missing.discard(key)
                if row.waits and place in self._ran:
                    self._told[key].rests()
            elif key not in self._missing:
                self._missing.add(key)  # what it wrote last may be on its way; it is asked for once more
            elif key in self.at:
                yield from self._gone(key, row)

    def _recovered(self, rows: Mapping[Place, Row]) -> None:
        """Slurm answers again. After a crash it may have forgotten what it was told last: jobs, which are then lost and submitted
        again, and that others were released."""
        self._silent = False
        self._progress.message("Slurm answers again")
        for row in rows.values():
            if row.waits and row.reason == "JobHeldUser":
                with contextlib.suppress(Unanswered):  # then the message says that it is held
                    cluster.release(row.number)

    def _again(self, rows: Mapping[Place, Row]) -> None:
        """Let jobs start that were queued again."""
        self._ran |= {place for place, row in rows.items() if not row.waits}
        self._ran |= {place for key, place in self.at.items() if self._told[key].begun}
        for place in self._ran & rows.keys():
            if rows[place].waits and rows[place].reason == "BeginTime":
                with contextlib.suppress(Unanswered):  # then it starts two minutes later
                    cluster.start_now(rows[place].number)

    def _tell_strange(self, rows: Mapping[Place, Row]) -> None:
        """Say why jobs wait that may wait for ever: once for each reason, with one of the jobs, if it was so when asked before."""
        found: dict[str, Row] = {}
        for row in rows.values():
            reason = next((known for known in STRANGE if row.waits and row.reason.startswith(known)), "")
            if reason:
                found.setdefault(reason, row)
        for reason, row in found.items():
            if reason in self._strange and reason not in self._said:
                self._said.add(reason)
                self._progress.message(f"{row.reason}: {STRANGE[reason]} (job {row.number})")
        self._strange = set(found)

    def _prepared(self, rows: dict[Place, Row]) -> None:
        """See what became of the jobs that prepare images.

        Raises:
            FerbenchError: the images cannot be prepared.
        """
        for place in list(self._prepares):
            left = job.result(self._table.result(place))
            if sentence := left.get(job.ERROR):
                self._withdraw()
                raise FerbenchError(sentence)
            row = rows.get(place)
            if left or row is None or row.ended:
                self._prepares.discard(place)  # if it did not come to an end, each trial prepares what it needs

    def _withdraw(self) -> None:
        """Cancel the jobs of this command."""
        with self._alone():
            rows = live(Table(self._results))
            cluster.cancel([rows[place].number for place in sorted({*self.at.values()} & rows.keys())])
        self.at = {}

    # -- from the jobs

    def _hear(self) -> Iterator[Outcome]:
        for key in list(self.at):
            if key in self.at:  # a stage that failed may have ended it
                yield from self._heard(key)

    def _heard(self, key: str) -> Iterator[Outcome]:
        end = self._following[key].poll()
        if end is not None and end.outcome is not None:
            yield from self._settle(key, self._work.end(self._nodes[key], end.outcome))

    def _gone(self, key: str, row: Row | None) -> Iterator[Outcome]:
        """The job of a node has ended, and nothing was heard of an end."""
        node, place = self._nodes[key], self.at[key]
        left = job.result(self._table.result(place))
        name = f"{place[0]}, {self._table.batches[place[0]].job(place[1])}"
        why = f"The Slurm job {name} {_in_words(row)}; its log is {self._table.log(place)}."
        if key in left.get(job.BUSY, ()):
            self._leave(key)
            self._work.busy(node)
        elif row is not None and row.state == "CANCELLED":
            self._leave(key)
            self._cancelled.add(key)
            self._say(f"job {row.number} was cancelled ({node.label})")
        elif left.get(job.STUCK):
            limit = f"executor.time={self._settings.time}" if self._settings.time else "the partition's limit"
            why = (
                f"Its Slurm job reached the end of its time twice without coming further: {limit} is too short for it."
            )
            yield from self._settle(key, self._work.give_up(node, why))
        elif row is not None and row.state == "OUT_OF_MEMORY":
            yield from self._settle(
                key,
                self._work.give_up(
                    node, f"{why} executor.memory=32G asks for more, a smaller budget.batch_size needs less.", True
                ),
            )
        else:
            if sentence := left.get(job.ERROR):
                why = f"{sentence} ({name})"
            self._progress.message(why)
            yield from self._settle(key, self._work.lost(node, why))

    def _settle(self, key: str, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
        """The work on a node has ended. If it is a stage that failed, all that start from it have ended too, and need no jobs."""
        self._leave(key)
        ended = [other for other in self.at if self._work.ended(self._nodes[other])]
        places = {self.at[other] for other in ended}
        for other in ended:
            self._leave(other)
        self._cancel(places - set(self.at.values()))
        yield from outcomes

    def _finish(self) -> None:
        """Wait a little for jobs that still draw figures, so that nothing is left of them in the results folder."""
        until = time.monotonic() + PARTING
        with contextlib.suppress(Unanswered):
            while True:
                with self._alone():
                    left = live(Table(self._results))
                if not self._mine & left.keys() or time.monotonic() > until:
                    return
                time.sleep(LOOK)

    def _cancel(self, places: set[Place]) -> None:
        """Cancel jobs that have nothing left to do."""
        if not places:
            return
        try:
            rows = cluster.jobs({place[0] for place in places})
            cluster.cancel([rows[place].number for place in sorted(places) if place in rows and not rows[place].ended])
        except Unanswered as error:
            self._say(str(error))

    def _leave(self, key: str) -> None:
        del self.at[key]
        self._told[key].leaves()

    def _say(self, text: str) -> None:
        """A message, once."""
        if text not in self._said:
            self._said.add(text)
            self._progress.message(text)


def _in_words(row: Row | None) -> str:
    if row is None:
        return "is gone, and left no result"
    words = {
        "COMPLETED": "ended without a result",
        "TIMEOUT": "reached the end of its time before it could leave a checkpoint",
        "NODE_FAIL": "was lost with its node",
        "PREEMPTED": "had to make room for another job",
        "OUT_OF_MEMORY": "ran out of memory",
    }
    return words.get(row.state, f"ended as {row.state}")
