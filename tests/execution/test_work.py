"""The pieces of work of a study: which there are, which can start, and what follows when one ends."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from ferbench.interfaces import executor
from ferbench.interfaces.executor import Node, Work
from ferbench.plan.work import nodes
from ferbench.records.schema import DONE, FAILED, OOM, Outcome, StageNode, Trial
from tests.made_records import Make

A, B, C, JUDGES = (StageNode(name, name.lower() * 3, 10) for name in ("A", "B", "C", "Judges"))


@pytest.fixture
def trial(make: Make) -> Trial:
    return make().trial


def with_stages(trial: Trial, number: int, *stages: StageNode, judges: StageNode | None = None) -> Trial:
    return dataclasses.replace(trial, id=f"t{number}", stages=stages, judges=judges)


def needs(made: list[Node]) -> dict[str, tuple[str, ...]]:
    return {node.key: node.needs for node in made}


def test_a_stage_of_several_trials_is_a_piece_of_its_own(trial: Trial) -> None:
    """B and C are of one trial each; the judges are everybody's."""
    trials = [with_stages(trial, 0, A, B, judges=JUDGES), with_stages(trial, 1, A, C, judges=JUDGES)]
    made = nodes(trials, lambda key: False, {})
    shared = ("aaa", JUDGES.key)
    assert needs(made) == {"aaa": (), JUDGES.key: (), "t0": shared, "t1": shared}
    assert made[0].label == f"stage A · {trials[0].label}"


def test_stages_in_turn(trial: Trial) -> None:
    same = [with_stages(trial, number, A, B) for number in range(2)]
    assert needs(nodes(same, lambda key: False, {})) == {"aaa": (), "bbb": ("aaa",), "t0": ("bbb",), "t1": ("bbb",)}
    assert needs(nodes(same, lambda key: key == "aaa", {})) == {"bbb": (), "t0": ("bbb",), "t1": ("bbb",)}
    assert needs(nodes(same, lambda key: True, {})) == {"t0": (), "t1": ()}
    assert needs(nodes(same[:1], lambda key: False, {})) == {"t0": ()}, "nobody shares it"


def test_a_node_can_be_sent_to_a_process(trial: Trial) -> None:
    failure = Outcome(trial, FAILED, "earlier")
    for node in nodes([with_stages(trial, 0, A), with_stages(trial, 1, A)], lambda key: False, {"t1": failure}):
        assert pickle.loads(pickle.dumps(node)) == node
    assert node.before == failure


@pytest.fixture
def work(trial: Trial) -> Work:
    trials = [with_stages(trial, 0, A, B), with_stages(trial, 1, A, B), with_stages(trial, 2, C)]
    failed: list[Outcome] = []
    made = Work(nodes(trials, lambda key: False, {}), failed.append)
    made.failed = failed  # type: ignore[attr-defined]
    return made


def keys(found: list[Node]) -> list[str]:
    return [node.key for node in found]


def test_what_can_start(work: Work) -> None:
    first, alone = work.ready()
    assert keys([first, alone]) == ["aaa", "t2"]
    work.begin(first)
    assert keys(work.ready()) == ["t2"]
    assert work.end(first, Outcome(first.trial, DONE)) == []
    (second, _) = work.ready()
    assert second.key == "bbb"
    work.begin(second)
    assert work.end(second, Outcome(second.trial, DONE)) == []
    assert keys(work.ready()) == ["t0", "t1", "t2"]
    for node in work.ready():
        work.begin(node)
        assert [outcome.trial.id for outcome in work.end(node, Outcome(node.trial, DONE))] == [node.key]
    assert not work.left


@pytest.mark.parametrize("status", [FAILED, OOM])
def test_trials_fail_with_the_stage_that_they_start_from(work: Work, status: str) -> None:
    first, alone = work.ready()
    work.begin(first)
    found = work.end(first, Outcome(first.trial, status, "the loss is NaN", step=3))
    assert [outcome.trial.id for outcome in found] == ["t0", "t1"]
    assert {(outcome.status, outcome.stage, outcome.step) for outcome in found} == {(status, "A", 3)}
    assert found[0].error == "Stage 'A', from which it starts, failed: the loss is NaN"
    assert work.failed == found  # type: ignore[attr-defined]
    assert keys(work.ready()) == ["t2"], "the others go on"
    assert work.trials == [alone.trial]


def test_a_stage_is_tried_twice_and_a_trial_once(work: Work) -> None:
    """Where the worker dies; an engine that runs again what its nodes lost says how often."""
    first, alone = work.ready()
    work.begin(alone)
    (outcome,) = work.lost(alone, "The worker was killed.")
    assert (outcome.status, outcome.error) == (FAILED, "The worker was killed.")
    work.begin(first)
    assert work.lost(first, "killed") == []
    assert keys(work.ready()) == ["aaa"]
    work.begin(first)
    assert [outcome.trial.id for outcome in work.lost(first, "killed")] == ["t0", "t1"]
    assert not work.left


def test_retries(trial: Trial) -> None:
    work = Work(nodes([with_stages(trial, 0, A)], lambda key: False, {}), retries=2)
    (node,) = work.ready()
    for _ in range(2):
        work.begin(node)
        assert work.lost(node, "gone") == []
    work.begin(node)
    assert len(work.lost(node, "gone")) == 1


def test_what_another_command_has_is_tried_again_later(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ferbench.interfaces.executor.time.monotonic", lambda: now)
    first, _ = work.ready()
    assert work.rest() is None
    work.begin(first)
    work.busy(first)
    assert keys(work.ready()) == ["t2"]
    assert work.rest() == pytest.approx(executor.REST)
    now += executor.REST
    assert keys(work.ready()) == ["aaa", "t2"]


def test_what_cannot_be_done_is_given_up_at_once(work: Work) -> None:
    """A trial is stored as failed; with a stage all that starts from it ends."""
    stage, alone = work.ready()
    for node in (stage, alone):
        work.begin(node)
    (outcome,) = work.give_up(alone, "It needs more memory.", memory=True)
    assert (outcome.status, outcome.error) == (OOM, "It needs more memory.")
    assert work.failed == [outcome]  # type: ignore[attr-defined]
    assert work.ended(alone)
    assert not work.ended(stage)
    failed = work.give_up(stage, "It came no further.")
    assert [outcome.trial.id for outcome in failed] == ["t0", "t1"]
    assert {outcome.status for outcome in failed} == {FAILED}
    assert not work.left
