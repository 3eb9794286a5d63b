"""What executors of engines use in the jobs that they start elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.interfaces.events import End, Following, path
from ferbench.interfaces.executor import Node, Progress, alone, check_code, draw, perform_together
from ferbench.plan.study import plan
from ferbench.records.schema import DONE, FAILED, Outcome, Trial
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from tests.execution.test_executors import DEADLY


def planned(*overrides: str, files: tuple[str, ...] = ()) -> tuple[Trial, ...]:
    registry = load_registry(files)
    return plan(registry, compose(registry, list(overrides))).trials


def end(node: Node) -> Outcome | None:
    found = Following(node, Progress()).poll()
    assert isinstance(found, End)
    return found.outcome


def test_what_has_ended_meanwhile_is_reported_too(smoke: tuple[str, ...]) -> None:
    """An engine hears of its jobs from what they report only."""
    (trial,) = planned("method=cross_entropy", *smoke)
    store, node = Store(trial.config["results_dir"]), Node(trial.id, trial)
    store.prepare()
    store.write_failure(Outcome(trial, FAILED, "by another process"))
    assert node.perform(Progress()) == end(node) == Outcome(trial, FAILED, "by another process")


@pytest.mark.slow
def test_trials_side_by_side_report_their_ends_and_that_of_a_killed_one(smoke: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "deadly.py"
    file.write_text(DEADLY)
    trials = planned("method=deadly", "seeds=[0,1]", *smoke, "evaluation.judges=0", files=(str(file),))
    store = Store(trials[0].config["results_dir"])
    store.prepare()
    nodes = [Node(trial.id, trial) for trial in trials]
    perform_together(nodes, 2, Progress())
    lives, dies = map(end, nodes)
    assert lives is not None
    assert lives.status == DONE
    assert dies is not None
    assert dies == store.failure(trials[1].id)
    assert "was killed" in dies.error
    draw(nodes[0])
    assert (store.path(trials[0].id) / "figures" / "losses.png").is_file()


def test_other_code_is_refused(smoke: tuple[str, ...]) -> None:
    (trial,) = planned("method=cross_entropy", *smoke)
    check_code([Node(trial.id, trial)])
    other = dataclasses.replace(trial, code={**trial.code, "core": "0", "backbone": "0"})
    with pytest.raises(
        FerbenchError, match="has other code of core, backbone than the command that planned cross_entropy"
    ):
        check_code([Node(trial.id, trial), Node(other.id, other)])


def test_one_process_at_a_time(tmp_path: Path) -> None:
    waited: list[str] = []

    def waiting(who: str) -> None:
        waited.append(who)
        first.__exit__(None, None, None)

    first = alone(tmp_path, "engine", waiting)
    first.__enter__()
    with alone(tmp_path, "another", waiting):
        assert waited == []
    with alone(tmp_path, "engine", waiting):
        assert len(waited) == 1


def test_work_that_is_begun_anew_is_followed_from_there(smoke: tuple[str, ...]) -> None:
    """Its file was removed meanwhile."""
    (trial,) = planned("method=cross_entropy", *smoke)
    told: list[str] = []

    class Listener(Progress):
        def message(self, text: str) -> None:
            told.append(text)

    node = Node(trial.id, trial)
    file = path(trial.config["results_dir"], node.key)
    file.parent.mkdir(parents=True)
    following = Following(node, Listener())
    line = '{"time": 1.0, "event": "message", "values": ["%s"]}\n'
    file.write_text(line % "first" + line % "second")
    following.poll()
    file.write_text(line % "again")
    following.poll()
    assert told == ["first", "second", "again"]
