"""Each rule about protocols, evaluators, executors and trackers finds what breaks it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferbench import (
    EvaluatorCard,
    Executor,
    ExecutorCard,
    Metric,
    NotMeasurable,
    Outputs,
    PerSubject,
    Protocol,
    ProtocolCard,
    ProtocolSettings,
    Tracked,
    Tracker,
    TrackerCard,
)
from ferbench.interfaces.executor import Progress, Work
from ferbench.interfaces.protocol import TRAIN_ONLY, UNUSED
from ferbench.records.schema import Outcome
from ferbench.testing import NotTried, evaluators, executors, make_outputs, protocols, trackers

PROTOCOL = ProtocolCard(name="p", target="x:P", title="t", settings=ProtocolSettings)
EVALUATOR = EvaluatorCard(name="e", target="x:e", title="t", metrics=[Metric(name="right", title="right")])
EXECUTOR = ExecutorCard(name="x", target="x:X", title="t")


def protocol(assign: Callable[[pd.DataFrame], Any]) -> Protocol:
    class Made(Protocol):
        def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
            result: np.ndarray = assign(frames)
            return result

    return Made(ProtocolSettings())


def number(frames: pd.DataFrame) -> np.ndarray:
    return frames["subject"].str[1:].to_numpy(dtype=int)


def renumber(frames: pd.DataFrame) -> np.ndarray:
    frames["fold"] = number(frames) % 2
    return frames["fold"].to_numpy()


@pytest.mark.parametrize(
    ("rule", "assign", "sentence"),
    [
        ("folds_of_frames", lambda f: np.zeros(3, int), r"the shape \(3,\) for 216 frames"),
        ("folds_of_frames", lambda f: number(f) / 2, "float64, not whole numbers"),
        ("folds_of_frames", lambda f: number(f) - 3, "returns -3"),
        ("folds_of_frames", lambda f: np.full(len(f), TRAIN_ONLY), "no frame is tested"),
        ("folds_of_frames", lambda f: number(f) % 2 + 1, r"the numbers \[1, 2\]"),
        ("folds_of_frames", lambda f: np.where(number(f) % 2, 0, UNUSED), "fold 0 has no frames to train on"),
        ("subjects_in_one_fold", lambda f: np.arange(len(f)) % 2, "subject S00, S01, S02 is in several folds"),
        ("folds_reproducible", renumber, "changes the frame table"),
        ("folds_reproducible", lambda f: np.random.permutation(len(f)), "other folds the second time"),  # noqa: NPY002
        ("folds_reproducible", lambda f: np.arange(len(f)) // 18 % 2, "the order of the rows"),
    ],
)
def test_rules_of_protocols(rule: str, assign: Callable[[pd.DataFrame], Any], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        getattr(protocols, rule)(PROTOCOL, protocol(assign))
    for good in (
        lambda f: number(f) % 3,
        lambda f: np.where(number(f) == 5, UNUSED, np.where(number(f) < 3, 0, TRAIN_ONLY)),
    ):
        getattr(protocols, rule)(PROTOCOL, protocol(good))


def right(outputs: Outputs) -> Mapping[str, Any]:
    hits = outputs.logits.argmax(1) == outputs.labels
    return {"right": PerSubject({s: float(hits[outputs.subjects == s].mean()) for s in set(outputs.subjects)})}


def at_random(outputs: Outputs) -> Mapping[str, Any]:
    return {"right": np.random.random()}  # noqa: NPY002


def changes(outputs: Outputs) -> Mapping[str, Any]:
    outputs.features.sort(axis=1)
    return {"right": 1.0}


@pytest.mark.parametrize(
    ("rule", "evaluate", "sentence"),
    [
        ("metrics_of_card", lambda o: {"wrong": 1.0}, "it returns wrong; the card has right"),
        ("metrics_of_card", lambda o: {}, "does not return right"),
        ("metrics_of_card", lambda o: {"right": "high"}, r"'high' \(str\), not a number"),
        ("metrics_of_card", lambda o: {"right": 1.5}, "right is 1.5, outside 0 to 1"),
        ("metrics_of_card", lambda o: 1.0, "returns float, not a dict"),
        ("same_metrics_twice", at_random, "right differ from one call to the next"),
        ("same_metrics_twice", changes, "changes outputs.features"),
        (
            "little_to_measure",
            lambda o: {"right": o.syntheses.psnr.mean()},
            "synthesised faces it raises AttributeError",
        ),
        (
            "little_to_measure",
            lambda o: {"right": 1 / (len(set(o.subjects)) - 1)},
            "a single test subject it raises Zero",
        ),
    ],
)
def test_rules_of_evaluators(rule: str, evaluate: evaluators.Evaluate, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        getattr(evaluators, rule)(EVALUATOR, evaluate)
    getattr(evaluators, rule)(EVALUATOR, right)


def test_an_evaluator_of_what_made_up_outputs_have_not() -> None:
    def evaluate(outputs: Outputs) -> Mapping[str, Any]:
        raise NotMeasurable("There are no action units.")

    with pytest.raises(NotTried, match="no action units"):
        evaluators.metrics_of_card(EVALUATOR, evaluate)
    evaluators.little_to_measure(EVALUATOR, evaluate)


def test_made_up_outputs_agree_with_one_another() -> None:
    for outputs in (make_outputs(), make_outputs(3, least=True)):
        count = len(outputs.frames)
        assert outputs.logits.shape == (count, len(outputs.expressions))
        assert {len(features) for features in outputs.representations.values()} == {count}
        assert outputs.labels.min() == 0
        assert np.bincount(outputs.labels).min() > 1


class Straight(Executor):
    """One after another."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        while work.left:
            for node in work.ready():
                work.begin(node)
                outcome = node.perform(progress)
                if outcome is None:
                    work.busy(node)
                else:
                    yield from work.end(node, outcome)


class Twice(Executor):
    """Yields each outcome once more."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        for outcome in Straight(None).run(work, progress):
            yield from (outcome, outcome)


class Stops(Executor):
    """Ends with the first failure."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        for outcome in Straight(None).run(work, progress):
            yield outcome
            if outcome.error:
                return


class Eager(Executor):
    """Performs trials without the stages that they need."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        for node in reversed(work.nodes):
            outcome = node.perform(progress)
            assert outcome is not None
            if node.stage is None:
                yield outcome


class Waits(Executor):
    """Forgets what another process has."""

    def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
        while ready := work.ready():
            for node in ready:
                work.begin(node)
                if (outcome := node.perform(progress)) is not None:
                    yield from work.end(node, outcome)


@pytest.mark.parametrize(
    ("rule", "kind", "sentence"),
    [
        ("every_trial_once", Twice, "yielded more than once"),
        ("every_trial_once", Eager, "trial0, trial1 was performed before the stage"),
        ("failures_are_outcomes", Stops, "the outcomes are"),
        ("busy_is_tried_again", Waits, "the outcomes are"),
    ],
)
def test_rules_of_executors(rule: str, kind: type[Executor], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        getattr(executors, rule)(EXECUTOR, kind(None))
    getattr(executors, rule)(EXECUTOR, Straight(None))


def test_an_executor_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Executor):
        def run(self, work: Work, progress: Progress) -> Iterator[Outcome]:
            while True:
                yield from ()

    monkeypatch.setattr(executors, "LIMIT", 0.2)
    with pytest.raises(AssertionError, match=r"did not end within 0\.2 s"):
        executors.every_trial_once(EXECUTOR, Endless(None))


def test_an_executor_whose_jobs_prepare_images() -> None:
    with pytest.raises(NotTried, match="ferbench run executor=far"):
        executors.every_trial_once(ExecutorCard(name="far", target="x:X", title="t", prepares=False), Straight(None))


class Book(Tracker):
    """A tracker that keeps what it is told in one file for each run."""

    def begin(self, run: Tracked) -> None:
        self.write(run, "begin")

    def log(self, run: Tracked, stage: str, step: int, values: Mapping[str, float]) -> None:
        self.write(run, f"{stage} {step} {dict(values)}")

    def end(self, run: Tracked, status: str, metrics: Mapping[str, float], error: str) -> None:
        self.write(run, f"{status} {dict(metrics)} {error}")

    def write(self, run: Tracked, line: str) -> None:
        with (self.results_dir / f".{run.key}.txt").open("a") as file:
            file.write(f"{line}\n")


class OneAtATime(Book):
    """Knows one run only."""

    run: Tracked | None = None

    def begin(self, run: Tracked) -> None:
        assert self.run is None, "a run is open"
        self.run = run


class Fresh(Book):
    """Takes a run that goes on for one that cannot be."""

    def begin(self, run: Tracked) -> None:
        (self.results_dir / f".{run.key}.txt").open("x").close()


class Loud(Book):
    """Writes where records are."""

    def begin(self, run: Tracked) -> None:
        (self.results_dir / "mine.txt").touch()


class Slow(Book):
    """Waits for somebody."""

    def begin(self, run: Tracked) -> None:
        time.sleep(20)


TRACKER = TrackerCard(name="t", target="x:T", title="t")


@pytest.mark.parametrize(
    ("rule", "kind", "sentence"),
    [
        ("runs_at_a_time", OneAtATime, "a run is open"),
        ("a_run_goes_on", Fresh, "File exists"),
        ("results_stay_clean", Loud, "it writes mine.txt into the results folder; names there begin with a dot"),
        ("runs_at_a_time", dict, "x:T is not a subclass of ferbench.Tracker"),
        ("runs_at_a_time", Slow, "it takes more than 0.2 s for a few calls"),
    ],
)
def test_rules_of_trackers(rule: str, kind: Any, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check = getattr(trackers, rule)
    check(TRACKER, lambda folder: Book(None, folder))
    monkeypatch.setattr(trackers, "LIMIT", 0.2 if kind is Slow else trackers.LIMIT)
    with pytest.raises((AssertionError, OSError), match=re.escape(sentence)):
        check(TRACKER, lambda folder: kind() if kind is dict else kind(None, folder))
