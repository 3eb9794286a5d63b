"""What `executor=slurm` asks Slurm for; tests/engines has a real cluster."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench import ExecutorCard, FerbenchError
from ferbench.interfaces.executor import Node, Progress, Work
from ferbench.records.schema import StageNode, Trial
from ferbench.registry.loader import load_registry
from tests.made_records import Make

pytestmark = pytest.mark.needs("submitit")

JUDGES = StageNode("judges", "jjj", 10)


@pytest.fixture
def trial(make: Make, tmp_path: Path) -> Trial:
    made = make().trial
    return dataclasses.replace(made, config={**made.config, "results_dir": str(tmp_path / "results")})


def trials(trial: Trial, number: int, needs: tuple[str, ...] = ()) -> list[Node]:
    return [Node(f"t{i}", dataclasses.replace(trial, id=f"t{i}"), None, needs) for i in range(number)]


def settings(**values: Any) -> Any:
    return load_registry().get(ExecutorCard, "slurm").settings(**values)


def test_trials_that_need_the_same_are_packed_together(trial: Trial) -> None:
    from ferbench_slurm.submission import chunks

    stage = Node("jjj", trial, JUDGES)
    made = [stage, *trials(trial, 5, ("jjj",)), *trials(trial, 2)]
    assert [[node.key for node in job] for job in chunks(made, 2)] == [
        ["jjj", "t0"],
        ["t1"],
        ["t0", "t1"],
        ["t2", "t3"],
        ["t4"],
    ]
    assert len(chunks(made, 1)) == 8


def test_what_a_job_asks_for() -> None:
    from ferbench_slurm.submission import parameters

    asked = parameters(settings(partition="gpu", gpus=1, cpus=4, memory="16G", time=240, parallel=64), "name", 100, "7")
    assert {k: v for k, v in asked.items() if v is not None} == {
        "partition": "gpu", "gpus_per_node": 1, "cpus_per_task": 4, "mem": "16G", "time": 240, "dependency": "afterany:7",
        "srun_args": ["--cpus-per-task=4"], "job_name": "name", "array_parallelism": 64, "signal_delay_s": 90,
        "stderr_to_stdout": True, "additional_parameters": {"hold": True, "requeue": True},
    }  # fmt: skip
    assert parameters(settings(time=1), "name", 1)["signal_delay_s"] == 20
    assert parameters(settings(), "name", 7)["array_parallelism"] == 7
    more = parameters(settings(extra="--exclude=node7 --nice 10"), "name", 1)["additional_parameters"]
    assert more == {"hold": True, "requeue": True, "exclude": "node7", "nice": "10"}


def test_the_job_that_prepares_images_asks_for_no_gpu() -> None:
    from ferbench_slurm.submission import _without_gpus

    assert (
        _without_gpus("--gres=gpu:a100:1 --gpus-per-node=2 --exclude=node7 --exclusive")
        == "--exclude=node7 --exclusive"
    )


class FakeSlurm:
    """Answers as Slurm does, and notes what it is asked."""

    def __init__(self, longest: int = 1001) -> None:
        self.longest, self.calls, self.scripts = longest, list[tuple[str, ...]](), list[str]()

    def ask(self, *command: str) -> str:
        self.calls.append(command)
        return f"MaxArraySize            = {self.longest}\n" if command[1:] == ("show", "config") else ""

    def batch(self, command: list[str], **_: Any) -> Callable[[], str]:
        self.scripts.append(Path(command[1]).read_text())
        return lambda: f"Submitted batch job {100 + len(self.scripts)}\n"

    def asked(self, *begins: str) -> list[tuple[str, ...]]:
        return [call[len(begins) :] for call in self.calls if call[: len(begins)] == begins]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    import submitit

    from ferbench_slurm import cluster

    made = FakeSlurm()
    monkeypatch.setattr(cluster, "ask", made.ask)
    monkeypatch.setattr(submitit.core.utils, "CommandFunction", made.batch)
    monkeypatch.setattr(submitit.SlurmExecutor, "affinity", classmethod(lambda cls: 2))
    return made


def test_trials_wait_for_their_stage_and_for_nothing_else(trial: Trial, tmp_path: Path, fake: FakeSlurm) -> None:
    from ferbench_slurm.submission import Table, submit

    judged = [Node("jjj", trial, JUDGES), *trials(trial, 4, ("jjj",))]
    alone = [dataclasses.replace(node, key=f"a{node.key}") for node in trials(trial, 2)]
    table = Table(tmp_path / "results")
    found, (preparing, _) = submit(table, [*judged, *alone], settings(parallel=3), {})
    assert [line for line in fake.scripts[1].splitlines() if "array" in line or "hold" in line or "dependency" in line] == [
        "#SBATCH --array=0-6%3", "#SBATCH --dependency=afterany:101", "#SBATCH --hold",
    ]  # fmt: skip
    assert "--array" not in fake.scripts[0]
    assert fake.asked("scontrol", "update") == [("JobId=102_[3-6]", "Dependency=afterany:101:102_0")]
    assert fake.asked("scontrol", "release") == [("101",), ("102",)]
    assert fake.calls.index(("scontrol", "release", "101")) > fake.calls.index(
        ("scontrol", "update", "JobId=102_[3-6]", "Dependency=afterany:101:102_0")
    )
    (array,) = {name for name, _ in found.values()}
    assert [found[key][1] for key in ("jjj", "at0", "at1", "t0", "t1", "t2", "t3")] == list(range(7))
    assert Table(tmp_path / "results").batches == table.batches
    assert set(table.batches) == {preparing, array}


def test_an_array_is_no_longer_than_the_cluster_allows(trial: Trial, tmp_path: Path, fake: FakeSlurm) -> None:
    """The limit on jobs is divided among the arrays."""
    from ferbench_slurm.submission import Table, submit

    fake.longest = 3
    submit(Table(tmp_path / "results"), trials(trial, 7), settings(parallel=6), {})
    arrays = [line for script in fake.scripts for line in script.splitlines() if "--array" in line]
    assert arrays == ["#SBATCH --array=0-2%2", "#SBATCH --array=0-2%2"], "and one job alone"
    assert len(fake.scripts) == 4


def test_a_job_that_waits_for_ever_is_named(trial: Trial, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for all jobs that wait for the same reason, if Slurm gives it twice."""
    from ferbench_slurm import cluster, executor, watch

    told: list[str] = []

    class Listener(Progress):
        def message(self, text: str) -> None:
            told.append(text)

    class EnoughError(Exception):
        pass

    asked: list[set[str]] = []

    def jobs(names: set[str]) -> dict[tuple[str, int], cluster.Row]:
        asked.append(set(names))
        if len(asked) == 6:
            raise EnoughError
        return {(name, i): cluster.Row(f"102_{i}", "PENDING", "", "JobHeldAdmin") for name in names for i in range(3)}

    monkeypatch.setattr(cluster, "jobs", jobs)
    monkeypatch.setattr(cluster, "check_commands", lambda: None)
    monkeypatch.setattr(watch, "LOOK", 0.0)
    monkeypatch.setattr(watch, "ASK", 0.0)
    with pytest.raises(EnoughError):
        list(executor.Slurm(settings()).run(Work(trials(trial, 3)), Listener()))
    (said,) = [text for text in told if "JobHeldAdmin" in text]
    assert said.startswith("JobHeldAdmin: an administrator holds it (job 102_")


def test_a_machine_without_slurm(trial: Trial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executor = load_registry().get(ExecutorCard, "slurm").load()(settings())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        FerbenchError, match="this machine has no sbatch, squeue, scontrol, scancel, srun: run it on a login node"
    ):
        list(executor.run(Work(trials(trial, 1)), Progress()))


def test_without_submitit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("submitit", "ferbench_slurm")]:
        if name != "ferbench_slurm.plugin":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(FerbenchError, match=r"executor 'slurm' needs submitit, .* pip install 'ferbench\[slurm\]'"):
        load_registry().get(ExecutorCard, "slurm").load()


def test_one_job_of_an_array_is_lost_before_another(
    trial: Trial, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The array has left the table when the second is found to be gone. Both trials are submitted again, and fail in the end."""
    from ferbench_slurm import cluster, executor, watch

    asked: list[set[str]] = []

    def jobs(names: set[str]) -> dict[tuple[str, int], cluster.Row]:
        """All have failed, but the second of the first array runs until it is asked for the fourth time."""
        asked.append(names)
        array = next((script for script in fake.scripts if "--array" in script), "")
        places = {(name, i) for name in names for i in range(2 if f"={name}\n" in array else 1)}
        return {
            place: cluster.Row("102_1", "RUNNING" if place[1] and len(asked) < 4 else "FAILED", "node1", "")
            for place in places
        }

    monkeypatch.setattr(cluster, "jobs", jobs)
    monkeypatch.setattr(cluster, "check_commands", lambda: None)
    monkeypatch.setattr(watch, "LOOK", 0.0)
    monkeypatch.setattr(watch, "ASK", 0.0)
    outcomes = list(executor.Slurm(settings()).run(Work(trials(trial, 2)), Progress()))
    assert {outcome.trial.id for outcome in outcomes} == {"t0", "t1"}
    assert all("ended as FAILED; its log is " in outcome.error for outcome in outcomes)


def test_jobs_that_run_at_the_same_time_are_shown_at_places_of_their_own(trial: Trial) -> None:
    """A place is free for the next when its trial ends; what has none is not shown until its outcome."""
    from ferbench_slurm.telling import SHOWN, Desks, Told

    shown: list[tuple[str, str]] = []

    class Listener(Progress):
        def __init__(self, place: str = "") -> None:
            self.place = place

        def worker(self, name: str) -> Progress:
            return Listener(name)

        def trial(self, trial: Trial) -> None:
            shown.append((self.place, trial.id))

    desks = Desks(Listener())
    told = [Told(node, desks) for node in trials(trial, SHOWN + 2)]
    for one in told[:-1]:
        one.trial(one.node.trial)
    assert shown == [(str(i + 1), f"t{i}") for i in range(SHOWN)]
    told[2].leaves()
    told[-1].trial(told[-1].node.trial)
    assert shown[SHOWN:] == [("3", f"t{SHOWN + 1}")]
