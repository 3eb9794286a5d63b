"""Trials that run at the same time: workers of one command, and commands that share a results folder."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.execution.executors.processes import gpus, worker_slots
from ferbench.execution.executors.shared import failures, run_shared
from ferbench.interfaces.executor import Progress
from ferbench.plan.study import plan
from ferbench.records.schema import DONE, FAILED, STORED, Outcome, Record, Trial
from ferbench.records.store import Store
from ferbench.registry.builtin import ProcessesSettings
from ferbench.registry.loader import load_registry
from tests.onehead import plugin

Run = Callable[..., Any]

SINGLE = {**os.environ, "OMP_NUM_THREADS": "1"}

DEADLY = plugin(
    "deadly",
    """
if self.task.seed == 1:
    os.kill(os.getpid(), signal.SIGKILL)
yield Update("all", F.cross_entropy(self.logits(batch.images), batch.expression))
""",
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def by_place(folder: Path) -> dict[tuple[str, tuple[int, int, int]], Record]:
    whole, damaged = Store(folder).scan()
    assert not damaged
    return {(r.trial.method, r.trial.repetition): r for r in whole}


hears_sigint = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""Called in a process before it starts: shells let what they start in the background ignore SIGINT, and processes inherit that."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ferbench", *arguments]


# -- one command, several workers


def test_workers_find_what_one_process_finds(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """With one thread each, since sums depend on their number in the last digit."""
    study = ("run", "--multirun", "method=grl,cross_entropy", "seeds=[0,1]", *smoke)
    subprocess.run(command(*study, f"results_dir={tmp_path / 'alone'}"), env=SINGLE, capture_output=True, check=True)
    together = ferbench(
        *study, f"results_dir={tmp_path / 'together'}", "executor=processes", "executor.workers=2", "executor.threads=1"
    )
    assert together.status == 0, together.err
    assert "4 trials: 4 run" in together.out
    assert {line[:3] for line in together.out.splitlines() if "| [" in line} == {"1| ", "2| "}
    one, two = by_place(tmp_path / "alone"), by_place(tmp_path / "together")
    assert len(one) == 4
    assert one.keys() == two.keys()
    for place, record in one.items():
        assert record.trial.id == two[place].trial.id
        assert [stage.weights for stage in record.stages] == [stage.weights for stage in two[place].stages]
        assert record.metrics == two[place].metrics
    assert list((tmp_path / "together" / ".leases").iterdir()) == []
    for record in two.values():
        assert (tmp_path / "together" / record.trial.id / "figures" / "confusion.png").is_file()
    assert "Nothing to run: all 4" in ferbench(*study, f"results_dir={tmp_path / 'together'}", "executor=processes").out


def test_a_worker_that_is_killed_costs_its_trial_alone(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, results: Path
) -> None:
    path = tmp_path / "deadly.py"
    path.write_text(DEADLY)
    study = ("run", "--plugin", path, "method=deadly", "seeds=[0,1,2]", *smoke, "evaluation.judges=0")
    done = ferbench(*study, "executor=processes", "executor.workers=2")
    assert done.status == 1
    assert "3 trials: 2 run, 1 failed" in done.out
    assert "The worker process was killed, probably because the memory ran out, during the trial." in done.out
    (failure,) = Store(results).failures()
    assert (failure.trial.seed, failure.status) == (1, FAILED)
    assert {place[2] for _, place in by_place(results)} == {0, 2}


def test_an_interrupted_study_ends_its_workers_and_goes_on_later(smoke: tuple[str, ...], results: Path) -> None:
    study = command(
        "run", "method=cross_entropy", "seeds=[0,1]", *smoke, "budget.steps=400", "trainer.checkpoint_every=10",
        "evaluation.judges=0", "executor=processes", "executor.workers=2",
    )  # fmt: skip
    process = subprocess.Popen(
        study, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_sigint
    )
    wait_for(lambda: len(list((results / ".stages").glob("*.checkpoint.safetensors"))) == 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "The same command goes on where it stopped." in err
    assert "Traceback" not in err
    assert list((results / ".leases").iterdir()) == []
    assert not by_place(results)
    again = subprocess.run(study, capture_output=True, text=True, check=True)
    assert again.stdout.count("goes on at step") == 2
    assert len(by_place(results)) == 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for the children of a process in /proc")
def test_workers_end_with_the_command_that_started_them(smoke: tuple[str, ...], results: Path) -> None:
    study = command(
        "run", "method=cross_entropy", "seeds=[0,1]", *smoke, "budget.steps=100000", "evaluation.judges=0",
        "executor=processes", "executor.workers=2",
    )  # fmt: skip
    process = subprocess.Popen(study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(list((results / ".leases").glob("stage-*.json"))) == 2)
    process.kill()
    process.wait()
    wait_for(lambda: not any(Store(results).held(path.stem) for path in (results / ".leases").glob("*.json")))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("executor.workers=-1",), "executor.workers is -1; it has to be at least 0"),
        (("executor.threads=-2",), "executor.threads is -2; it has to be at least 0"),
        (("trainer.device=cuda:1",), "trainer.device=cuda:1 puts all workers of executor=processes on one GPU"),
    ],
)
def test_settings_that_make_no_sense(
    ferbench: Run, smoke: tuple[str, ...], overrides: tuple[str, ...], sentence: str
) -> None:
    refused = ferbench("run", "method=cross_entropy", *smoke, "executor=processes", *overrides)
    assert refused.status == 2
    assert sentence in " ".join(refused.err.split())


def test_where_workers_run() -> None:
    on_gpus = worker_slots(ProcessesSettings(), trials=9, gpus=["0", "1"], cores=16)
    assert [(slot.gpu, slot.threads) for slot in on_gpus] == [("0", 8), ("1", 8)]
    assert [slot.gpu for slot in worker_slots(ProcessesSettings(workers=3), 9, ["0", "1"], 16)] == ["0", "1", "0"]
    assert [(slot.gpu, slot.threads) for slot in worker_slots(ProcessesSettings(), 9, [], 4)] == [(None, 1)] * 4
    assert len(worker_slots(ProcessesSettings(), trials=2, gpus=[], cores=64)) == 2
    assert worker_slots(ProcessesSettings(workers=2, threads=5), 9, [], 4)[0].threads == 5
    assert worker_slots(ProcessesSettings(workers=8), 9, [], 4)[0].threads == 1


def test_gpus_are_those_that_the_user_shows(smoke: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    automatic = trials_of(*smoke, "trainer.device=auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8932f937")
    assert gpus(automatic) == ["3", "GPU-8932f937"]
    assert gpus(trials_of(*smoke, "trainer.device=cpu")) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus(automatic) == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert len(gpus(automatic)) == torch.cuda.device_count()


# -- several commands


def test_two_commands_divide_a_study(smoke: tuple[str, ...], results: Path) -> None:
    study = command("run", "--multirun", "method=cross_entropy,grl", "seeds=[0,1]", *smoke)
    pipe = subprocess.PIPE
    both = [subprocess.Popen(study, env=SINGLE, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    trained = sum(out.count("training: 8 steps") for out, _ in told)
    assert trained == 4  # each once, whoever did it
    assert len(by_place(results)) == 4
    for out, _ in told:
        assert "4 trials: " in out or "Nothing to run" in out


def trials_of(*overrides: str) -> tuple[Trial, ...]:
    registry = load_registry()
    return plan(registry, compose(registry, ["method=degan", "ablation=all", *overrides])).trials


@pytest.fixture
def trials(smoke: tuple[str, ...], results: Path) -> tuple[Trial, ...]:
    """DE-GAN and its ablations, of which nothing has run."""
    Store(results).prepare()
    return trials_of(*smoke)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """Trials whose work was begun; the work itself is left out."""
    begun: list[Trial] = []

    def work(trial: Trial, progress: Progress) -> Outcome:
        begun.append(trial)
        return Outcome(trial, DONE)

    monkeypatch.setattr("ferbench.execution.trial.run", work)
    return begun


def test_what_another_runs_comes_last(trials: tuple[Trial, ...], results: Path, asked: list[Trial]) -> None:
    store = Store(results)
    running = run_shared(trials, Progress(), failures(trials))
    with store.lease(f"trial-{trials[0].id}"):
        rest = [next(running).trial.variant for _ in trials[1:]]
    assert rest == [trial.variant for trial in trials[1:]]
    assert [outcome.trial.variant for outcome in running] == ["full"]
    assert asked == [*trials[1:], trials[0]]


def test_trials_that_wait_for_a_stage_come_after_the_others(
    trials: tuple[Trial, ...], results: Path, asked: list[Trial]
) -> None:
    stage = trials[0].stages[0].key
    sharing = [trial.variant for trial in trials if trial.stages[0].key == stage]
    assert sharing == ["full", "no_residue_loss", "no_branch_losses", "no_disentangled"]
    with Store(results).lease(f"stage-{stage}"):
        order = [outcome.trial.variant for outcome in run_shared(trials, Progress(), {})]
    assert order[-4:] == sharing
    assert len(order) == len(trials)


def test_what_others_ended_is_not_run_again(trials: tuple[Trial, ...], results: Path, asked: list[Trial]) -> None:
    store = Store(results)
    stored, failed, failed_before, new = trials[:4]
    store.write_failure(Outcome(failed_before, FAILED, "long ago"))
    before = failures(trials[:4])
    (store.path(stored.id)).mkdir()
    (store.path(stored.id) / "record.json").write_text("{}")
    store.write_failure(Outcome(failed, FAILED, "elsewhere"))
    outcomes = {outcome.trial.variant: outcome for outcome in run_shared(trials[:4], Progress(), before)}
    assert outcomes[stored.variant].status == STORED
    assert (outcomes[failed.variant].status, outcomes[failed.variant].error) == (FAILED, "elsewhere")
    assert asked == [failed_before, new]


def test_it_says_that_it_waits(trials: tuple[Trial, ...], results: Path, asked: list[Trial]) -> None:
    told: list[str] = []

    class Listener(Progress):
        def message(self, text: str) -> None:
            told.append(text)
            lease.__exit__(None, None, None)

    lease = Store(results).lease(f"trial-{trials[0].id}")
    lease.__enter__()
    (outcome,) = run_shared(trials[:1], Listener(), {})
    assert outcome.status == DONE
    assert told == ["waiting for other processes, which run the remaining trials"]


def test_a_trial_that_another_holds_is_left_to_it(trials: tuple[Trial, ...], results: Path) -> None:
    from ferbench.execution.trial import run

    with Store(results).lease(f"trial-{trials[0].id}"):
        assert run(trials[0], Progress()) is None
    with pytest.raises(FerbenchError, match=f"process {os.getpid()} holds trial-x"):  # noqa: SIM117
        with Store(results).lease("trial-x"), Store(results).lease("trial-x", None):
            pass


def wait_for(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
