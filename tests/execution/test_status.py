"""`ferbench status`, and an executor whose jobs outlive the command: the one of docs/howto/write-an-executor.md."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.records.schema import FAILED, Outcome
from ferbench.records.seals import seal, unseal
from ferbench.records.store import Store
from tests.execution.test_executors import by_place, command, hears_sigint, single, wait_for

Run = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "write-an-executor.md"
SHORT = ("evaluation.judges=0", "trainer.checkpoint_every=10")


@pytest.fixture
def detached(tmp_path: Path) -> Path:
    """The executor of the page."""
    file = tmp_path / "detached.py"
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    file.write_text(source)
    return file


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def told(ferbench: Run, results: Path) -> str:
    found = ferbench("status", results)
    assert found.status == 0, found.err
    return " ".join(found.out.split())


@pytest.mark.slow
def test_jobs_go_on_without_the_command_and_are_found_again(
    ferbench: Run, smoke: tuple[str, ...], detached: Path, results: Path
) -> None:
    study = (
        "run",
        "--plugin",
        str(detached),
        "method=cross_entropy",
        "seeds=[0,1,2]",
        *smoke,
        *SHORT,
        "budget.steps=150",
    )
    engine = ("executor=detached", "executor.jobs=2")
    first = subprocess.Popen(command(*study, *engine), env=single(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: len(list((results / ".leases").glob("stage-*.json"))) == 2)
    assert "3 trials, 2 running, 3 left" in told(ferbench, results)
    first.kill()
    first.communicate()
    assert "2 running" in (said := told(ferbench, results))
    assert re.search(r"cross_entropy · fold 0 · seed 0 \S+ \d+ training \d+/150", said)
    again = subprocess.run(command(*study, *engine), env=single(), capture_output=True, text=True, check=True)
    assert "3 trials: " in again.stdout
    assert len(by_place(results)) == 3
    assert len(list((results / ".detached").glob("*.json"))) == 3, "each was submitted once"
    assert "training 150/150" in again.stdout, "what the jobs report is shown"
    assert "3 trials, 3 stored; last run" in (said := told(ferbench, results))
    assert "Nothing is left." in said
    assert list((results / ".progress").iterdir()) == []
    alone = subprocess.run(
        command(*study, f"results_dir={results}-alone"), env=single(), capture_output=True, text=True, check=True
    )
    assert alone.returncode == 0
    for place, record in by_place(Path(f"{results}-alone")).items():
        assert record.metrics == by_place(results)[place].metrics
        assert [s.weights for s in record.stages] == [s.weights for s in by_place(results)[place].stages]


def test_jobs_are_cancelled_by_the_same_command(
    ferbench: Run, smoke: tuple[str, ...], detached: Path, results: Path
) -> None:
    study = (
        "run",
        "--plugin",
        str(detached),
        "method=cross_entropy",
        "seeds=[0,1]",
        *smoke,
        *SHORT,
        "budget.steps=100000",
    )
    first = subprocess.Popen(
        command(*study, "executor=detached"), env=single(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hears_sigint,
    )  # fmt: skip
    wait_for(lambda: len(list((results / ".leases").glob("stage-*.json"))) == 2)
    first.send_signal(signal.SIGINT)
    first.communicate()
    assert first.returncode == 130
    assert "2 running" in told(ferbench, results), "Ctrl-C ends the command only"
    done = ferbench(*study, "executor=detached", "--cancel")
    assert (done.status, done.out.split(".")[0]) == (0, "2 jobs cancelled")
    wait_for(lambda: not any((results / ".leases").iterdir()))
    assert len(list((results / ".stages").glob("*.checkpoint.safetensors"))) == 2
    wait_for(
        lambda: "No trial runs, nor does the command: it goes on when it is given again." in told(ferbench, results)
    )
    assert "0 jobs cancelled" in ferbench(*study, "executor=detached", "--cancel").out


def test_an_executor_without_a_queue_has_nothing_to_cancel(ferbench: Run, smoke: tuple[str, ...]) -> None:
    refused = ferbench("run", "method=cross_entropy", *smoke, "--cancel")
    assert refused.status == 2
    assert "executor=auto has no queue: its trials end with the command that runs them" in refused.err


def test_what_failed_and_what_is_left(ferbench: Run, smoke: tuple[str, ...], results: Path) -> None:
    """Of a study that was interrupted after its first trial."""
    study = ("run", "method=cross_entropy", "seeds=[0,1]", *smoke, "evaluation.judges=0")
    assert ferbench(*study).status == 0
    for (_, (_, _, seed)), record in by_place(results).items():
        if seed:
            Store(results).path(record.trial.id).rename(results.parent / "elsewhere")
            trial = record.trial
    assert "2 trials, 1 stored, 1 left" in told(ferbench, results)
    Store(results).write_failure(Outcome(trial, FAILED, "the <b>loss</b> [red]is[/red] NaN"))
    said = told(ferbench, results)
    assert "2 trials, 1 stored, 1 failed; last run" in said
    assert f"failed: {trial.label}: the <b>loss</b> [red]is[/red] NaN" in said
    assert "Nothing is left; the command with --retry all runs the failures again." in said


def test_when_it_will_be_done(ferbench: Run, smoke: tuple[str, ...], results: Path) -> None:
    """One trial of three is stored and took 100 s; one runs and has half of its training behind it: 50 + 100 s."""
    from ferbench.execution.status import status
    from ferbench.interfaces.events import Recording
    from ferbench.interfaces.executor import Node, Progress
    from ferbench.records.studies import studies
    from ferbench.registry.loader import load_registry

    assert ferbench("run", "method=cross_entropy", "seeds=[0,1,2]", *smoke, "evaluation.judges=0").status == 0
    store = Store(results)
    records = sorted(by_place(results).items())
    path = store.path(records[0][1].trial.id) / "record.json"
    values = unseal(path.read_text())
    values["cost"]["seconds"] = 100.0
    path.write_text(seal(json.dumps(values)))
    assert store.load(records[0][1].trial.id).cost["seconds"] == 100.0
    for _, record in records[1:]:
        store.path(record.trial.id).rename(results.parent / record.trial.id)
    trial = records[1][1].trial
    steps = trial.stages[0].steps
    with store.lease(f"trial-{trial.id}"):
        recording = Recording(Node(trial.id, trial), Progress())
        recording.stage("training", 0, steps)
        recording.step(steps // 2, {}, 1.0)
        events_written = Path(results, ".progress", f"{trial.id}.jsonl").read_text()
        (study,) = studies(results)
        found = status(store, study, load_registry())
    assert str(steps // 2) in events_written or found.running[0].part == 0.0
    assert [work.label for work in found.running] == [trial.label]
    assert found.seconds == pytest.approx(200 - 100 * found.running[0].part)
    assert found.left[0].label == trial.label


def test_folders_that_say_nothing(ferbench: Run, tmp_path: Path) -> None:
    missing = ferbench("status", tmp_path / "none")
    assert missing.status == 2
    assert "There is no results folder" in missing.err
    empty = ferbench("status", tmp_path)
    assert empty.status == 2
    assert "does not say which studies were run into it" in empty.err


def test_an_engine_that_does_not_answer_is_named(
    ferbench: Run, smoke: tuple[str, ...], detached: Path, results: Path
) -> None:
    source = detached.read_text().replace(
        "    def jobs(self, results_dir):\n",
        "    def jobs(self, results_dir):\n        raise FerbenchError('The queue is down.')\n",
    )
    detached.write_text("from ferbench import FerbenchError\n" + source)
    study = ("run", "--plugin", detached, "method=cross_entropy", *smoke, "evaluation.judges=0", "executor=detached")
    assert ferbench(*study).status == 0
    assert "The engine cannot be asked: The queue is down. Nothing is left." in told(ferbench, results)
