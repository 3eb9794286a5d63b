"""What is reported about work elsewhere reaches the display, whole and in order."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ferbench.interfaces import events
from ferbench.interfaces.events import Following, Latest, Recording
from ferbench.interfaces.executor import REPORTED, Node, Progress
from ferbench.plan.work import nodes
from ferbench.records.schema import DONE, OOM, Outcome
from ferbench.records.store import PROGRESS
from tests.made_records import Make


class Heard(Progress):
    """All calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        for name in REPORTED:
            setattr(self, name, lambda *values, name=name: self.calls.append((name, *values)))


@pytest.fixture
def node(make: Make, tmp_path: Path) -> Node:
    made = make().trial
    trial = dataclasses.replace(made, config={**made.config, "results_dir": str(tmp_path)})
    return nodes([trial], lambda key: False, {})[0]


def report(progress: Progress, node: Node) -> None:
    progress.preparing(3, 3)
    progress.trial(node.trial)
    progress.stage("s", 0, 10)
    progress.step(5, {"all": 0.5, "all/part": 0.25}, 99.5)
    progress.step(10, {"all": 0.5}, 98.0)
    progress.message("evaluating: <script>, \n and ünicode \udcff")


def test_a_display_elsewhere_shows_the_same(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVERY", 0.0)
    here, there, outcome = Heard(), Heard(), Outcome(node.trial, OOM, "too large", stage="s", step=3)
    recording, following = Recording(node, here), Following(node, there)
    report(recording, node)
    assert following.poll() is None
    recording.outcome(outcome)
    recording.end(outcome)
    end = following.poll()
    assert end is not None
    assert end.outcome == outcome
    assert there.calls == here.calls
    assert following.poll() is None, "it is said once"


def test_steps_are_written_now_and_then_and_the_last_one_always(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 7.0)
    here, there = Heard(), Heard()
    report(Recording(node, here), node)
    Following(node, there).poll()
    steps = [[call[1] for call in heard.calls if call[0] == "step"] for heard in (here, there)]
    assert steps == [[5, 10], [10]]


def test_work_that_is_begun_again_has_not_ended(node: Node) -> None:
    """After a requeue, say. A line that a crash left half written is passed over."""
    following = Following(node, Progress())
    Recording(node, Progress()).end(None)
    end = following.poll()
    assert end is not None
    assert end.outcome is None
    Recording(node, Progress()).end(Outcome(node.trial, DONE))
    with events.path(node.trial.config["results_dir"], node.key).open("a") as file:
        file.write('{"time": 3, "ev')
    Recording(node, Progress()).message("goes on")
    assert following.poll() is None
    latest = Latest(events.path(node.trial.config["results_dir"], node.key))
    assert (latest.ended, latest.text) == (False, "goes on")


def test_a_line_is_read_when_it_is_whole(node: Node) -> None:
    there = Heard()
    following = Following(node, there)
    path = events.path(node.trial.config["results_dir"], node.key)
    path.parent.mkdir()
    line = json.dumps({"time": 1, "event": "message", "values": ["whole"]})
    path.write_text(line[:20])
    following.poll()
    assert there.calls == []
    path.write_text(line + "\n")
    following.poll()
    assert there.calls == [("message", "whole")]


def test_what_cannot_be_written_down_is_shown_all_the_same(node: Node) -> None:
    Path(node.trial.config["results_dir"], PROGRESS).write_text("no folder")
    here = Heard()
    report(Recording(node, here), node)
    assert len(here.calls) == 6
    assert Latest(events.path(node.trial.config["results_dir"], node.key)).host == ""
