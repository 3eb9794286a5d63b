"""Trials that run at the same time: workers of one command, and commands that share a results folder."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.execution.executors import auto, lanes, mps, processes
from ferbench.execution.executors.inprocess import InProcess
from ferbench.execution.executors.processes import Processes, gpus, groups, worker_slots
from ferbench.execution.work import work_of
from ferbench.interfaces.executor import Progress
from ferbench.plan.study import plan
from ferbench.records.schema import DONE, FAILED, STORED, Outcome, Record, Trial
from ferbench.records.store import Store
from ferbench.registry.builtin import ProcessesSettings
from ferbench.registry.loader import load_registry
from tests.onehead import plugin

Run = Callable[..., Any]


def single() -> dict[str, str]:
    """The environment of a command with one thread, and with the cache of the tests."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


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


@pytest.mark.slow
def test_workers_find_what_one_process_finds(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """With one thread each, since sums depend on their number in the last digit."""
    study = ("run", "--multirun", "method=grl,cross_entropy", "seeds=[0,1]", *smoke)
    subprocess.run(command(*study, f"results_dir={tmp_path / 'alone'}"), env=single(), capture_output=True, check=True)
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


# -- several trials on one GPU: here, processes that train on the CPU and believe that they have one


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU with room for two, without MPS."""
    monkeypatch.setattr(processes, "gpus", lambda trials: ["0"])
    monkeypatch.setattr(processes, "_room", lambda trials: lanes.Room(gain=1.0, memory=2**30, free=80 * 2**30))
    monkeypatch.setattr(processes, "usable_cores", lambda: 2)
    monkeypatch.setenv("PATH", "")


@pytest.mark.slow
def test_trials_that_share_a_gpu_find_what_one_after_another_finds(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, one_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit: weights and metrics."""
    study = ["run", "--multirun", "method=grl,cross_entropy", "seeds=[0,1]", *smoke]
    one, two = tmp_path / "one", tmp_path / "two"
    alone = ("executor=processes", "executor.lanes=1", "executor.threads=1")  # as many threads as each of two has
    assert ferbench(*study, f"results_dir={one}", *alone).status == 0
    monkeypatch.setattr(auto, "WORTH", 1)
    done = ferbench(*study, f"results_dir={two}")
    assert done.status == 0, done.err
    assert {line[:3] for line in done.out.splitlines() if "| [" in line} == {"1| ", "2| "}
    assert "2 trials at a time on the GPU; they take turns on it, without MPS" in done.out
    first, beside = ({r.trial.id: r for r in Store(folder).scan()[0]} for folder in (one, two))
    assert len(first) == 4
    assert first.keys() == beside.keys()
    for trial, record in first.items():
        assert beside[trial].metrics == record.metrics
        assert [run.weights for run in beside[trial].stages] == [run.weights for run in record.stages]
        assert any("It ran beside another trial on one GPU" in note for note in beside[trial].notes)
        assert not any("beside" in note for note in record.notes)


@pytest.mark.parametrize(
    ("visible", "number", "steps", "lanes", "workers"),
    [
        ([], 9, 9000, 0, False),
        (["0"], 1, 9000, 0, False),
        (["0"], 2, 9000, 0, True),
        (["0"], 2, 100, 0, False),
        (["0"], 2, 100, 2, True),
        (["0"], 2, 9000, 1, False),
        (["0", "1"], 2, 9000, 1, True),
        (["0", "1"], 2, 100, 0, False),
    ],
)
def test_when_trials_run_in_workers(
    visible: list[str],
    number: int,
    steps: int,
    lanes: int,
    workers: bool,
    trials: tuple[Trial, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several trials on a GPU, if they are long enough or if that is asked; never more than one at a time where one is asked."""
    monkeypatch.setattr(processes, "gpus", lambda trials: visible)
    config = {**trials[0].config, "budget": {**trials[0].config["budget"], "steps": steps}}
    many = [dataclasses.replace(trials[0], config=config)] * number
    assert auto.in_workers(many, lanes) == workers
    numbered = {**config, "trainer": {**config["trainer"], "device": "cuda:1"}}
    assert not auto.in_workers([dataclasses.replace(trials[0], config=numbered)] * number, lanes)


@pytest.mark.parametrize(
    ("trials", "cores", "service", "gain", "free", "count"),
    [
        (100, 16, True, 3.8, 80, 8),
        (100, 16, False, 3.8, 80, 4),
        (100, 16, True, 1.5, 80, 3),
        (100, 16, True, 0.9, 80, 2),
        (100, 4, True, 3.8, 80, 4),
        (100, 16, True, 3.8, 16, 4),
        (100, 16, True, 3.8, 2, 1),
        (5, 16, True, 3.8, 80, 5),
    ],
)
def test_how_many_share_a_gpu(trials: int, cores: int, service: bool, gain: float, free: int, count: int) -> None:
    room = lanes.Room(gain, memory=2**30, free=free * 2**30)
    assert lanes.fitting(0, trials, cores, service, lambda: room) == count


def test_how_many_share_a_gpu_where_that_is_asked(ferbench: Run, smoke: tuple[str, ...], one_gpu: None) -> None:
    def not_asked() -> lanes.Room:
        pytest.fail("measured")

    assert lanes.fitting(6, 100, 1, False, not_asked) == 6
    assert lanes.fitting(6, 4, 16, True, not_asked) == 4
    assert lanes.fitting(0, 1, 16, True, not_asked) == 1
    for words in (("executor.lanes=-1",), ("executor=processes", "executor.lanes=-1")):
        refused = ferbench("run", "method=cross_entropy", "seeds=[0,1]", *smoke, *words)
        assert refused.status == 2
        assert "executor.lanes is -1; it has to be at least 0 (0: chosen by ferbench)." in refused.err


CONTROL = """#!{python}
import os, sys
words = sys.stdin.read() if len(sys.argv) == 1 else ""
with open("{log}", "a") as log:
    print(*sys.argv[1:], words.strip(), os.environ["CUDA_VISIBLE_DEVICES"], os.environ["{folder}"], file=log)
if "get_server_list" in words:
    print("{servers}")
"""


def control(folder: Path, monkeypatch: pytest.MonkeyPatch, servers: str = "4711") -> Callable[[], list[list[str]]]:
    """Put a program that stands in for nvidia-cuda-mps-control on the path; gives what it was asked."""
    log = folder / "log"
    program = folder / mps.CONTROL
    program.write_text(CONTROL.format(python=sys.executable, log=log, folder=mps.FOLDER, servers=servers))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(mps, "TRY", "import os; assert os.environ['CUDA_VISIBLE_DEVICES'] == '0'")
    monkeypatch.delenv(mps.FOLDER, raising=False)
    return lambda: [line.split() for line in log.read_text().splitlines()]


def test_each_gpu_has_a_service_that_ends_with_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = control(tmp_path, monkeypatch)
    with mps.services(["3", "GPU-7a"]) as services:
        assert list(services) == ["3", "GPU-7a"]
        folders = [services[gpu][mps.FOLDER] for gpu in services]
        assert len(set(folders)) == 2
        assert all(Path(folder).is_dir() for folder in folders)
        assert all(services[gpu]["CUDA_VISIBLE_DEVICES"] == "0" for gpu in services), "the only one that it shows"
        started = [["-d", gpu, folder] for gpu, folder in zip(services, folders, strict=True)]
        assert [words for words in asked() if words[0] == "-d"] == started
    ended = [words[1:] for words in asked() if words[0] == "quit"]
    assert sorted(ended) == sorted(words[1:] for words in started)
    assert not any(Path(folder).exists() for folder in folders)


def test_a_service_that_cannot_be_used_is_ended_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = control(tmp_path, monkeypatch, servers="")
    with mps.services(["0"]) as services:
        assert services == {}, "no server was started for the process that tried it"
    assert asked()[-1][0] == "quit"
    control(tmp_path, monkeypatch)
    monkeypatch.setattr(mps, "TRY", "raise SystemExit(1)")
    with mps.services(["0"]) as services:
        assert services == {}
    assert asked()[-1][0] == "quit"
    monkeypatch.setenv("PATH", "")
    with mps.services(["0"]) as services:
        assert services == {}, "the program is not installed"


def test_a_service_of_the_user_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control(tmp_path, monkeypatch)
    monkeypatch.setenv(mps.FOLDER, str(tmp_path))
    with mps.services(["1"]) as services:
        assert services == {"1": {"CUDA_VISIBLE_DEVICES": "1"}}
    assert not (tmp_path / "log").exists()


# -- workers that end


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_trials_on_several_gpus_get_them_in_groups(smoke: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,6")
    asked = trials_of(*smoke, "trainer.device=auto", "trainer.devices=2", "seeds=[0,1]", "budget.steps=100000")
    assert groups(asked, 0) == ["0,1", "2,3"]
    with Processes(ProcessesSettings())._slots(asked, Progress()) as slots:
        assert [slot.gpu for slot in slots] == ["0,1", "2,3"]
    assert auto.in_workers(asked, 0)
    with pytest.raises(
        FerbenchError, match="executor.lanes=3 lets trials share a GPU, and trainer.devices=2 gives each"
    ):
        groups(asked, 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6")
    assert groups(asked, 0) == ["6"], "the trial says that it needs two"
    assert not auto.in_workers(asked, 0)


def test_gpus_are_those_that_the_user_shows(smoke: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    automatic = trials_of(*smoke, "trainer.device=auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8932f937")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpus(automatic) == [], "a machine without one, where the variable is set"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert gpus(automatic) == ["3", "GPU-8932f937"]
    assert gpus(trials_of(*smoke, "trainer.device=cpu")) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus(automatic) == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert len(gpus(automatic)) == torch.cuda.device_count()


# -- several commands


@pytest.mark.slow
def test_two_commands_divide_a_study(smoke: tuple[str, ...], results: Path) -> None:
    study = command("run", "--multirun", "method=cross_entropy,grl", "seeds=[0,1]", *smoke)
    pipe = subprocess.PIPE
    both = [subprocess.Popen(study, env=single(), stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
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


def outcomes_of(trials: Sequence[Trial], progress: Progress = Progress()) -> Iterator[Outcome]:  # noqa: B008
    return InProcess(None).run(work_of(trials, progress), progress)


def test_what_another_runs_comes_last(trials: tuple[Trial, ...], results: Path, asked: list[Trial]) -> None:
    running = outcomes_of([trials[0], *trials[4:]])
    with Store(results).lease(f"trial-{trials[0].id}"):
        rest = [next(running).trial.variant for _ in trials[4:]]
    assert rest == [trial.variant for trial in trials[4:]]
    assert [outcome.trial.variant for outcome in running] == ["full"]


def test_it_says_that_it_waits(
    trials: tuple[Trial, ...], results: Path, asked: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferbench.interfaces.executor.REST", 0.1)
    told: list[str] = []

    class Listener(Progress):
        def message(self, text: str) -> None:
            told.append(text)
            lease.__exit__(None, None, None)

    lease = Store(results).lease(f"stage-{trials[0].stages[0].key}")
    lease.__enter__()
    (outcome,) = outcomes_of(trials[:1], Listener())
    assert outcome.status == DONE
    assert told == ["waiting for other commands, which run what is left"]


def test_trials_that_wait_for_a_stage_come_after_the_others(
    trials: tuple[Trial, ...], results: Path, asked: list[Trial]
) -> None:
    """It is in training by another command: this one goes on with what it can do."""
    stage = trials[0].stages[0].key
    sharing = [trial.variant for trial in trials if trial.stages[0].key == stage]
    assert sharing == ["full", "no_residue_loss", "no_branch_losses", "no_disentangled"]
    with Store(results).lease(f"stage-{stage}"):
        running = outcomes_of(trials)
        order = [next(running).trial.variant for _ in range(len(trials) - len(sharing))]
    order += [outcome.trial.variant for outcome in running]
    assert set(order[-4:]) == set(sharing)
    assert len(order) == len(trials)


def test_what_others_ended_is_not_run_again(trials: tuple[Trial, ...], results: Path, asked: list[Trial]) -> None:
    store = Store(results)
    stored, failed, failed_before, new = trials[:4]
    store.write_failure(Outcome(failed_before, FAILED, "long ago"))
    work = work_of(trials[:4], Progress())
    (store.path(stored.id)).mkdir()
    (store.path(stored.id) / "record.json").write_text("{}")
    store.write_failure(Outcome(failed, FAILED, "elsewhere"))
    outcomes = {outcome.trial.variant: outcome for outcome in InProcess(None).run(work, Progress())}
    assert outcomes[stored.variant].status == STORED
    assert (outcomes[failed.variant].status, outcomes[failed.variant].error) == (FAILED, "elsewhere")
    assert asked == [failed_before, new]


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
