"""The executor that runs one trial after another in this process."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench.interfaces.executor import Executor, Progress, Work
from ferbench.records.schema import DONE, Outcome


class InProcess(Executor):
    """`executor=inprocess`. A debugger can step through it. A stage that trials share is trained by the first of them."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        while work.left:
            if not (ready := work.ready()):
                work.wait(progress)
                continue
            node = ready[0]
            work.begin(node)
            outcome = node.perform(progress) if node.stage is None else Outcome(node.trial, DONE)
            if outcome is None:
                work.busy(node)
            else:
                yield from work.end(node, outcome)
