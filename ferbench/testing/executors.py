"""Checks of executors, on nodes that train nothing."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from ferbench.cards import ExecutorCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.executor import Executor, Progress, Work
from ferbench.limits import TimeUp, alarm
from ferbench.records.identity import ComponentIdentity, DatasetIdentity, Identity
from ferbench.records.schema import DONE, FAILED, StageNode, Trial
from ferbench.records.store import Store
from ferbench.testing.inputs import NotTried
from ferbench.testing.rehearsal import PERFORMED, Rehearsed

LIMIT = 120.0
"""Seconds that an executor may take for a study of three trials that train nothing."""

STAGE = StageNode("shared", "stage", 1)


def every_trial_once(card: ExecutorCard, executor: Executor) -> None:
    """Every trial is performed once, after the stages that it starts from, and its outcome is yielded once.

    Begin nodes that `work.ready()` gives, with `work.begin(node)`, and yield what `work.end(node, outcome)` returns.
    """
    _run(card, executor, {f"trial{i}": DONE for i in range(3)})


def failures_are_outcomes(card: ExecutorCard, executor: Executor) -> None:
    """A trial that fails does not stop the others, and its failure is yielded.

    `Node.perform` returns failures and does not raise: pass each outcome to `work.end`, whatever its status.
    """
    _run(card, executor, {"trial0": DONE, "trial1": DONE, "trial2": FAILED}, fails=True)


def busy_is_tried_again(card: ExecutorCard, executor: Executor) -> None:
    """A node that another process has is tried again later.

    Where `Node.perform` returns None, say `work.busy(node)`: the node is ready again after a second.
    """
    _run(card, executor, {f"trial{i}": DONE for i in range(3)}, busy=True)


def _run(
    card: ExecutorCard, executor: Executor, expected: dict[str, str], fails: bool = False, busy: bool = False
) -> None:
    """Run a study of three trials, of which two start from a stage; the second is `busy`, the third `fails`."""
    if not card.prepares:
        raise NotTried(f"its jobs prepare images: try it with a small study, 'ferbench run executor={card.name} ...'")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Store(folder).prepare()
        trials = [_trial(number, folder) for number in range(3)]
        shared = Rehearsed(STAGE.key, trials[0], STAGE)
        nodes = [shared]
        for number, trial in enumerate(trials):
            needs = (STAGE.key,) if number < 2 else ()
            nodes.append(Rehearsed(trial.id, trial, None, needs, None, fails and number == 2, busy and number == 1))
        found = []
        try:
            with alarm(LIMIT, _ring):
                found = list(executor.run(Work(nodes), Progress()))
        except FerbenchError as error:
            raise NotTried(str(error)) from error
        except TimeUp:
            raise AssertionError(f"a study of three trials that train nothing did not end within {LIMIT:g} s") from None
        performed = (Path(folder) / PERFORMED).read_text(encoding="utf-8").split()
    statuses = {outcome.trial.id: outcome.status for outcome in found}
    assert statuses == expected, f"the outcomes are {statuses}, not {expected}"
    assert len(found) == len(statuses), "an outcome is yielded more than once"
    often = [key for key, count in Counter(performed).items() if count > 1]
    assert not often, f"{', '.join(often)} was performed more than once"
    if STAGE.key in performed:  # an executor may leave the stage to the first of its trials
        late = [key for key in ("trial0", "trial1") if performed.index(key) < performed.index(STAGE.key)]
        assert not late, f"{', '.join(late)} was performed before the stage that it starts from"


def _ring() -> None:
    raise TimeUp


def _trial(number: int, results_dir: str) -> Trial:
    identity = Identity(
        dataset=DatasetIdentity("none", 1, "none"),
        protocol=ComponentIdentity("none", 1),
        test_subjects=("S1",),
        train_subjects=("S2",),
        frames_digest="none",
        backbone=ComponentIdentity("none", 1),
        method=ComponentIdentity("rehearsal", 1),
        stage_steps={},
        seed=number,
    )
    config = {
        "results_dir": results_dir,
        "trainer": {"device": "cpu", "devices": 1},
        "budget": {"steps": 1},
        "trial": {"timeout": 0},
    }
    stages = (STAGE,) if number < 2 else ()
    return Trial(f"trial{number}", config, identity, "full", 0, 1, number, stages)
