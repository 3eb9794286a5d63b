"""What trackers are told, and that none of them ends a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ferbench import Tracked, Tracker
from ferbench.execution import tracking
from ferbench.execution.tracking import Desk, Tracking
from ferbench.interfaces.executor import Node, Progress
from ferbench.records.schema import DONE, FAILED, Outcome, StageNode
from ferbench.records.store import Store
from tests.made_records import Make

PLUGIN = """
import json
import pathlib
from dataclasses import dataclass
from ferbench import Tracker, TrackerCard, hookimpl

@dataclass
class Settings:
    file: str = ""
    fails_at: str = ""

class Lines(Tracker):
    def __init__(self, settings, results_dir):
        super().__init__(settings, results_dir)
        self.write("make", str(results_dir))

    def write(self, name, *values):
        with pathlib.Path(self.settings.file).open("a") as file:
            file.write(json.dumps([name, *values]) + "\\n")
        if name == self.settings.fails_at:
            raise SystemExit("no\\nway")

    def begin(self, run):
        self.write("begin", run.key, run.kind, dict(run.settings))

    def log(self, run, stage, step, values):
        self.write("log", run.key, stage, step, dict(values))

    def end(self, run, status, metrics, error):
        self.write("end", run.key, status, dict(metrics))

    def close(self):
        self.write("close")

@hookimpl
def ferbench_trackers():
    return [TrackerCard(name="lines", target="lines:Lines", title="lines", settings=Settings)]
"""


class Hearing(Tracker):
    """Remembers what it is told, and fails at `fails`."""

    def __init__(self, fails: str = "", error: BaseException | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.fails, self.error = fails, error or ValueError("no\nway")

    def _note(self, name: str, *values: Any) -> None:
        self.told.append((name, *values))
        if name == self.fails:
            raise self.error

    def begin(self, run: Tracked) -> None:
        self._note("begin", run.key)

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        self._note("log", run.key, stage, step, dict(values))

    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        self._note("end", run.key, status, dict(metrics), error)

    def close(self) -> None:
        self._note("close")


class Listener(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps = 0

    def message(self, text: str) -> None:
        self.said.append(text)

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        self.steps += 1


Study = tuple[Tracking, Desk, Listener]


def study(tracker: Hearing, tmp_path: Path) -> Study:
    listener = Listener()
    desk = Desk("mine", Store(tmp_path), listener.message)
    desk.open(lambda: tracker)
    return Tracking(desk, listener), desk, listener


def test_trials_in_two_workers_are_kept_apart(make: Make, tmp_path: Path) -> None:
    tracker = Hearing()
    progress, desk, _ = study(tracker, tmp_path)
    first, second = make("a").trial, make("b").trial
    one, two = progress.worker("1"), progress.worker("2")
    one.trial(first)
    two.trial(second)
    one.stage("training", 0, 50)
    two.stage("synthesis", 0, 50)
    two.step(25, {"generator": 2.0}, 10.0)
    one.step(25, {"network": 1.0}, 20.0)
    progress.outcome(Outcome(second, FAILED, "No memory."))  # its worker died, so that the main listener hears of it
    one.step(50, {"network": 0.5}, 20.0)
    desk.close()
    assert tracker.told == [
        ("begin", first.id),
        ("begin", second.id),
        ("log", second.id, "synthesis", 25, {"generator": 2.0, "images_per_second": 10.0}),
        ("log", first.id, "training", 25, {"network": 1.0, "images_per_second": 20.0}),
        ("end", second.id, "failed", {}, "No memory."),
        ("log", first.id, "training", 50, {"network": 0.5, "images_per_second": 20.0}),
        ("end", first.id, "interrupted", {}, ""),
        ("close",),
    ]


def test_a_shared_stage_ends_when_its_worker_begins_with_something_else(make: Make, tmp_path: Path) -> None:
    tracker = Hearing()
    progress, desk, _ = study(tracker, tmp_path)
    trial = make().trial
    progress.shared(Node("key", trial, StageNode("expression", "key", 10)))
    progress.stage("expression", 0, 10)
    progress.step(10, {"network": 1.0}, 1.0)
    progress.trial(trial)
    desk.close()
    assert [(name, *more[:2]) for name, *more in tracker.told] == [
        ("begin", "key"),
        ("log", "key", "expression"),
        ("end", "key", "ended"),
        ("begin", trial.id),
        ("end", trial.id, "interrupted"),
        ("close",),
    ]


def test_a_trial_that_is_begun_again_is_the_same_run(make: Make, tmp_path: Path) -> None:
    tracker = Hearing()
    progress, _, _ = study(tracker, tmp_path)
    trial = make().trial
    progress.worker("1").trial(trial)  # its worker dies
    progress.worker("2").trial(trial)
    assert tracker.told == [("begin", trial.id)]


@pytest.mark.parametrize("error", [ValueError("no\nway"), SystemExit("no way")])
@pytest.mark.parametrize("fails", ["begin", "log", "end", "close"])
def test_one_that_fails_is_named_once_and_switched_off(
    make: Make, tmp_path: Path, fails: str, error: BaseException
) -> None:
    tracker = Hearing(fails, error)
    progress, desk, listener = study(tracker, tmp_path)
    for name in ("a", "b"):
        trial = make(name).trial
        progress.trial(trial)
        progress.stage("training", 0, 10)
        progress.step(10, {}, 1.0)
        progress.outcome(Outcome(trial, FAILED, "no"))
    desk.close()
    kind = type(error).__name__
    assert listener.said == [f"tracker 'mine' has failed, and is switched off; the trials go on ({kind}: no way)"]
    assert listener.steps == 2
    assert [name for name, *_ in tracker.told].count(fails) == (2 if fails == "close" else 1)


def test_one_that_is_slow_is_switched_off(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "SLOW", -1.0)
    tracker = Hearing()
    progress, _, listener = study(tracker, tmp_path)
    progress.trial(make("a").trial)
    progress.trial(make("b").trial)
    assert len(tracker.told) == 1
    assert "took 0 s for one call, and is switched off" in listener.said[0]


def test_ctrl_c_in_a_tracker_is_ctrl_c(make: Make, tmp_path: Path) -> None:
    progress, _, _ = study(Hearing("begin", KeyboardInterrupt()), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        progress.trial(make().trial)


def test_a_record_that_cannot_be_read_ends_no_trial(make: Make, tmp_path: Path) -> None:
    tracker = Hearing()
    progress, _, listener = study(tracker, tmp_path)
    trial = make().trial
    progress.trial(trial)
    progress.outcome(Outcome(trial, DONE))
    (sentence,) = listener.said
    assert f"tracker 'mine' is not told the metrics of {trial.label}: The record in" in sentence
    assert tracker.told == [("begin", trial.id), ("end", trial.id, "done", {}, "")]


def test_nothing_is_told_of_a_trial_that_has_ended(make: Make, tmp_path: Path) -> None:
    tracker = Hearing()
    progress, _, _ = study(tracker, tmp_path)
    trial = make().trial
    progress.trial(trial)
    progress.outcome(Outcome(trial, FAILED, "no"))
    progress.step(10, {}, 1.0)  # it comes late
    progress.outcome(Outcome(trial, FAILED, "no"))
    assert [name for name, *_ in tracker.told] == ["begin", "end"]


@pytest.fixture
def lines(tmp_path: Path) -> tuple[str, ...]:
    """Overrides and options of a study with the tracker of PLUGIN."""
    (tmp_path / "lines.py").write_text(PLUGIN)
    words = ("--plugin", str(tmp_path / "lines.py"), "tracker=lines", f"tracker.file={tmp_path / 'told'}")
    return (*words, "evaluation.judges=0")


def told(tmp_path: Path) -> list[list[Any]]:
    import json

    return [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]


@pytest.mark.needs("torch")
def test_a_study_with_a_tracker(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], lines: tuple[str, ...], tmp_path: Path
) -> None:
    done = ferbench("run", "method=cross_entropy", *smoke, *lines)
    assert done.status == 0, done.err
    (record,) = Store(tmp_path / "results").scan()[0]
    calls = told(tmp_path)
    assert [name for name, *_ in calls if name != "log"] == ["make", "begin", "end", "close"]
    assert calls[0] == ["make", str(tmp_path / "results")]
    _, key, kind, settings = calls[1]
    assert (key, kind) == (record.trial.id, "cross_entropy")
    assert (settings["method"], settings["budget.steps"], settings["fold"], settings["variant"]) == (
        "cross_entropy", 8, 0, "full",
    )  # fmt: skip
    logs = [(stage, step, values) for name, _, stage, step, values in (c for c in calls if c[0] == "log")]
    assert logs[0][:2] == ("training", 8)
    assert set(logs[0][2]) == {"network", "images_per_second"}
    assert logs[-1] == ("test", 8, {"accuracy": pytest.approx(record.metrics["accuracy"])})
    status, metrics = calls[-2][2:]
    assert status == "done"
    assert metrics == {name: value for name, value in record.metrics.items() if value is not None}
    assert "tracker" not in record.trial.config
    again = ferbench("run", "method=cross_entropy", *smoke, *lines)
    assert "Nothing to run" in again.out
    assert len(told(tmp_path)) == len(calls)


@pytest.mark.slow
@pytest.mark.needs("torch")
def test_workers_shared_stages_and_a_tracker_that_fails(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], lines: tuple[str, ...], tmp_path: Path
) -> None:
    """Two variants that start from the same stage, in two processes."""
    words = ("method=tergan", "ablation=all", "executor=processes", "executor.workers=2", *smoke, *lines)
    done = ferbench("run", *words, "tracker.fails_at=end")
    assert done.status == 0, done.err
    assert done.out.count("tracker 'lines' has failed, and is switched off; the trials go on (SystemExit: no way)") == 1
    assert [name for name, *_ in told(tmp_path)].count("end") == 1
    assert "failed" not in done.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tracker=tensorbord"], "no tracker 'tensorbord'. Did you mean 'tensorboard'"),
        (["tracker=lines", "tracker.fiel=a"], "fiel"),
        (["tracker=wandb", "tracker.mode=onlin"], ""),
    ],
)
def test_what_is_misspelt_is_said_before_anything_runs(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], lines: tuple[str, ...], words: list[str], sentence: str
) -> None:
    if words[0] == "tracker=wandb":
        pytest.importorskip("wandb")
        sentence = "no value of tracker.mode 'onlin'. Did you mean 'online' or 'offline'"
    done = ferbench("run", "method=cross_entropy", *smoke, *lines[:2], *words)
    assert done.status == 2
    assert sentence in done.err


def test_one_that_cannot_be_made(tmp_path: Path) -> None:
    listener = Listener()
    desk = Desk("mine", Store(tmp_path), listener.message)

    def make() -> Tracker:
        raise OSError("no server")

    desk.open(make)
    assert listener.said == ["tracker 'mine' has failed, and is switched off; the trials go on (OSError: no server)"]
