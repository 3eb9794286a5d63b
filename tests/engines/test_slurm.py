"""`executor=slurm` on a real cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.execution.work import work_of
from ferbench.interfaces import events
from ferbench.interfaces.executor import Progress, Queues, Work
from ferbench.plan.study import plan
from ferbench.records.schema import DONE, FAILED, OOM, Record
from ferbench.records.store import Store
from ferbench.registry.loader import load_registry
from ferbench_slurm import cluster as commands
from ferbench_slurm import executor, watch
from ferbench_slurm.executor import Slurm
from ferbench_slurm.plugin import SlurmSettings
from tests.engines.conftest import Cluster, wait_for
from tests.onehead import plugin

Run = Callable[..., Any]

pytestmark = pytest.mark.slow

TINY = (
    "budget=smoke", "dataset=synthfaces", "dataset.subjects=4", "dataset.takes=1", "dataset.image_size=32",
    "preparation.image_size=32", "trainer.device=cpu", "protocol=subject_kfold", "protocol.k=2", "protocol.folds=[0]",
    "evaluation.test_curve_points=0",
)  # fmt: skip
ALONE = (*TINY, "evaluation.judges=0")

STEP = """
import time
time.sleep({pause})
{more}
yield Update("all", F.cross_entropy(self.logits(batch.images), batch.expression))
"""


def slow(tmp_path: Path, pause: float, more: str = "") -> tuple[str, ...]:
    """Options of `ferbench run` with a method whose steps take `pause` seconds."""
    path = tmp_path / "patient.py"
    path.write_text(plugin("patient", STEP.format(pause=pause, more=more)))
    return "--plugin", str(path), "method=patient", "trainer.checkpoint_every=5", *ALONE


def command(results: Path, *arguments: str, on: tuple[str, ...] = ("executor=slurm", "executor.cpus=1")) -> list[str]:
    return [sys.executable, "-m", "ferbench", "run", *arguments, f"results_dir={results}", *on]


def begin(words: list[str], **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def done(process: subprocess.Popen[str], status: int = 0, seconds: float = 300) -> str:
    try:
        out, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert process.returncode == status, out
    return str(out)


def records(results: Path) -> dict[str, Record]:
    whole, damaged = Store(results).scan()
    assert not damaged
    return {record.trial.id: record for record in whole}


def checkpointed(results: Path) -> Callable[[], object]:
    return lambda: list((results / ".stages").glob("*.checkpoint.safetensors"))


def left(results: Path) -> list[str]:
    """What is left of work in progress."""
    found = [path for name in (".leases", ".drafts", ".progress", ".slurm") for path in (results / name).glob("*")]
    return [str(path.relative_to(results)) for path in found if path.name != "jobs.json"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


# -- what is submitted, and what comes of it


def test_jobs_find_what_one_process_finds(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """An array whose trials wait for the judges that they share; records equal to the last bit; nothing left behind."""
    study = ("--multirun", "method=grl,cross_entropy", *TINY)
    subprocess.run(command(tmp_path / "here", *study, on=()), check=True, capture_output=True)
    out = done(begin(command(results, *study)))
    assert "3 pieces of work are submitted now, in 3 jobs" in out
    assert "2 trials: 2 run" in out
    assert "judges 4/4" in out
    trained = [line[:3] for line in out.splitlines() if "training: 8 steps" in line]
    assert trained in (["1| ", "1| "], ["1| ", "2| "], ["2| ", "1| "]), "one place where one job began after the other"
    here, there = records(tmp_path / "here"), records(results)
    assert len(here) == 2
    assert here.keys() == there.keys()
    for trial, record in here.items():
        assert there[trial].metrics == record.metrics
        assert [stage.weights for stage in there[trial].stages] == [stage.weights for stage in record.stages]
        assert (results / trial / "figures" / "confusion.png").is_file()
    assert left(results) == []
    jobs = [line for line in cluster.listed("%F %K %T") if line.split()[1] != "N/A"]
    jobs = sorted(line for line in jobs if line.split()[0] == jobs[0].split()[0])
    number = jobs[0].split()[0]
    assert [line.split()[:3] for line in jobs] == [[number, str(i), "COMPLETED"] for i in range(3)]
    starts = dict(line.split() for line in cluster.listed("%i %S", f"--jobs={number}"))
    ends = dict(line.split() for line in cluster.listed("%i %e", f"--jobs={number}"))
    assert starts[f"{number}_1"] >= ends[f"{number}_0"], "the first trains the judges"
    assert "Nothing to run" in done(begin(command(results, *study)))


def test_several_trials_in_one_job(cluster: Cluster, results: Path) -> None:
    study = command(results, "method=cross_entropy", "seeds=[0,1]", *ALONE, "executor.lanes=2")
    assert "2 pieces of work are submitted now, in 1 jobs" in done(begin(study))
    assert len(records(results)) == 2
    assert left(results) == []


def test_as_many_jobs_at_a_time_as_are_asked_for(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    study = begin(command(results, *slow(tmp_path, 0.1), "seeds=[0,1,2]", "executor.parallel=1"))
    most = 0

    def all_done() -> bool:
        nonlocal most
        most = max(most, sum("_" in line for line in cluster.listed("%i %T", "--states=running")))
        return study.poll() is not None

    wait_for(all_done, 240)
    done(study)
    assert most == 1
    assert len(records(results)) == 3


def test_a_machine_without_torch_can_submit(cluster: Cluster, results: Path) -> None:
    """Nor with matplotlib: a login node has the light part of ferbench, and the extra `slurm`."""
    words = command(results, "method=cross_entropy", *ALONE)[3:]
    code = f"""
import importlib.util, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "matplotlib", "timm", "torchmetrics", "safetensors"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
usual = importlib.util.find_spec
sys.argv = ["ferbench", *{words!r}]
from ferbench.api import drawing
from ferbench.cli import main
drawing.find_spec = lambda name: None
main.main()
"""
    out = done(begin([sys.executable, "-c", code]))
    assert "1 trials: 1 run" in out
    assert "could not be drawn" not in out
    (trial,) = records(results)
    assert (results / trial / "figures" / "losses.png").is_file()


# -- commands that end, and others that begin


def test_a_second_command_finds_the_jobs_of_the_first(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    study = command(results, *slow(tmp_path, 0.3), "seeds=[0,1]")
    both = [begin(study), begin(study)]
    told = [done(process) for process in both]
    assert sorted("are submitted now" in out for out in told) == [False, True]
    assert all("2 trials: 2 " in out for out in told), told
    assert sum(out.count("2 pieces of work were submitted before") for out in told) == 1


def test_jobs_survive_the_command_that_submitted_them(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    study = command(results, *slow(tmp_path, 0.5), "seeds=[0,1]", "budget.steps=40")
    first = begin(study)
    slurm = Slurm(SlurmSettings())
    assert isinstance(slurm, Queues)
    wait_for(lambda: sum(job.running for job in slurm.jobs(str(results))) == 2)
    first.kill()
    first.communicate()
    jobs = slurm.jobs(str(results))
    assert len(jobs) == 2
    assert all(job.name.startswith("slurm ") and job.where.startswith("node") for job in jobs)
    out = done(begin(study))
    assert "2 pieces of work were submitted before" in out
    assert "are submitted now" not in out
    assert {job.key for job in jobs} == records(results).keys()
    assert all(sum(run.steps_run for run in record.stages) == 40 for record in records(results).values())


@pytest.mark.parametrize("function", ["_submit", "_wait", "_release"])
def test_a_command_that_dies_while_it_submits(cluster: Cluster, results: Path, function: str) -> None:
    """Whatever it left, the next one runs each trial once."""
    words = command(results, "method=cross_entropy", "seeds=[0,1]", *ALONE)
    code = f"""
import os, sys
from ferbench_slurm import submission
usual, calls = submission.{function}, []
def dies(*arguments, **more):
    calls.append(1)
    found = usual(*arguments, **more)
    if len(calls) == {2 if function != "_wait" else 1}: os._exit(9)
    return found
submission.{function} = dies
sys.argv = ["ferbench", *{words[3:]!r}]
from ferbench.cli.main import main
main()
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    again = done(begin(words))
    assert "2 trials: 2 " in again
    assert len(records(results)) == 2
    assert left(results) == []


def test_cancelling(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """A job that runs leaves a checkpoint and its lease; the command that watches says what to do."""
    study = command(results, *slow(tmp_path, 0.3), "seeds=[0,1]", "budget.steps=1000")
    first = begin(study)
    wait_for(checkpointed(results))
    slurm = Slurm(SlurmSettings())
    keys = {job.key for job in slurm.jobs(str(results))}
    assert len(keys) == 2
    assert slurm.cancel(str(results), {"another"}) == 0
    assert slurm.cancel(str(results), keys) == 2
    out = done(first, status=2)
    assert "2 jobs were cancelled, and 2 trials were not run to their end." in " ".join(out.split())
    assert slurm.jobs(str(results)) == []
    assert not list((results / ".leases").iterdir())
    assert not Store(results).failures()
    assert checkpointed(results)()


# -- jobs that end before their trials


def test_a_job_at_the_end_of_its_time_is_queued_again(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """It is told 40 s before the end of two minutes (Slurm may be 60 s early), and its training alone takes 90."""
    study = (*slow(tmp_path, 0.5), "budget.steps=180", "executor.time=2")
    out = done(begin(command(results, *study)), seconds=600)
    assert "goes on at step" in out
    assert out.count("[1/1]") == 1
    (record,) = records(results).values()
    assert record.stages[0].steps_run < 180
    assert left(results) == []


def test_a_job_that_comes_no_further_is_not_queued_for_ever(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """Its networks take longer to be made than a job has time."""
    study = slow(tmp_path, 0)
    file, begins = tmp_path / "patient.py", "super().__init__(task, backbone, settings)"
    assert begins in file.read_text()
    file.write_text("import time\n" + file.read_text().replace(begins, f"{begins}; time.sleep(300)"))
    out = done(begin(command(results, *study, "budget.steps=20", "executor.time=1")), status=1, seconds=400)
    assert "reached the end of its time twice without coming further: executor.time=1 is too short" in out
    (failure,) = Store(results).failures()
    assert failure.status == FAILED


def test_a_job_makes_room_and_goes_on_later(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    first = begin(command(results, *slow(tmp_path, 0.3), "budget.steps=100"))
    wait_for(checkpointed(results))
    urgent = ["sbatch", "--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 5"]
    subprocess.run(urgent, check=True, capture_output=True)
    out = done(first, seconds=400)
    assert "goes on at step" in out
    (record,) = records(results).values()
    assert record.stages[0].steps_run < 100
    assert not Store(results).failures()


def test_a_node_that_breaks_down(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """Its daemon and all processes of its job are gone at once."""
    first = begin(command(results, *slow(tmp_path, 0.3), "budget.steps=100"))
    wait_for(checkpointed(results))
    (job,) = Slurm(SlurmSettings()).jobs(str(results))
    cluster.kill(f"slurmd-{job.where}")
    for pid in cluster.steps():
        os.kill(pid, signal.SIGKILL)
    os.kill(events.Latest(events.path(results, job.key)).process, signal.SIGKILL)
    out = done(first, seconds=400)
    assert "goes on at step" in out
    (record,) = records(results).values()
    assert record.stages[0].steps_run < 100


def test_a_job_that_dies_again_and_again(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    study = slow(tmp_path, 0.0, "os.kill(os.getpid(), signal.SIGKILL)")
    out = done(begin(command(results, *study)), status=1)
    (failure,) = Store(results).failures()
    assert "ended as FAILED; its log is " in failure.error
    assert Path(failure.error.partition("its log is ")[2].rstrip(".")).is_file()
    assert out.count("are submitted now") == 1 + executor.RETRIES
    assert "1 failed" in out


# -- in this process, where Slurm's answers can be changed


class Listener(Progress):
    """Calls `heard` with each message."""

    def __init__(self, heard: Callable[[str], None] = lambda text: None) -> None:
        self.heard = heard
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)
        self.heard(text)


def work(results: Path, *overrides: str, files: tuple[str, ...] = ()) -> Work:
    registry = load_registry(files)
    study = plan(registry, compose(registry, [*overrides, f"results_dir={results}"]))
    Store(results).prepare()
    return work_of(study.trials, Progress())


def test_a_dead_controller_that_comes_back(cluster: Cluster, results: Path) -> None:
    def heard(text: str) -> None:
        if "submitted now" in text and not killed:
            killed.append(text)
            cluster.kill("slurmctld")  # it forgets what it did in the last seconds
        if "does not answer" in text:
            cluster.up()

    killed: list[str] = []
    listener = Listener(heard)
    (outcome,) = Slurm(SlurmSettings(cpus=1)).run(work(results, "method=cross_entropy", *ALONE), listener)
    assert outcome.status == DONE
    (said,) = [text for text in listener.told if "does not answer" in text]
    assert "squeue says" in said


def test_a_dead_controller_that_stays_away(cluster: Cluster, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 3.0)
    listener = Listener(lambda text: cluster.kill("slurmctld") if "submitted now" in text else None)
    with pytest.raises(FerbenchError, match=r"Slurm does not answer: .* Jobs that run go on; the same command"):
        list(Slurm(SlurmSettings(cpus=1)).run(work(results, "method=cross_entropy", *ALONE), listener))
    with pytest.raises(FerbenchError, match="Slurm does not answer"):
        Slurm(SlurmSettings()).jobs(str(results))


def test_a_job_that_runs_out_of_memory(
    cluster: Cluster, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers cannot limit the memory of a job: what Slurm says of one that is killed is changed here."""
    usual = commands.jobs

    def jobs(names: set[str]) -> dict[commands.Place, commands.Row]:
        found = usual(names)
        return {
            p: commands.Row(r.number, r.state.replace("FAILED", "OUT_OF_MEMORY"), r.nodes, r.reason)
            for p, r in found.items()
        }

    monkeypatch.setattr(commands, "jobs", jobs)
    _, file, *overrides = slow(tmp_path, 0.0, "os.kill(os.getpid(), signal.SIGKILL)")
    (outcome,) = Slurm(SlurmSettings(cpus=1)).run(work(results, *overrides, files=(file,)), Progress())
    assert outcome.status == OOM
    assert "ran out of memory" in outcome.error
    assert [failure.status for failure in Store(results).failures()] == [OOM]


def test_jobs_that_have_other_code_run_nothing(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """The plugin's file is changed after the study was planned."""
    _, file, *overrides = slow(tmp_path, 0.0)
    planned = work(results, *overrides, files=(file,))
    Path(file).write_text(plugin("patient", STEP.format(pause=0.0, more="x = 1")))
    with pytest.raises(FerbenchError, match=r"has other code of method than the command that planned patient"):
        list(Slurm(SlurmSettings(cpus=1)).run(planned, Progress()))
    assert not records(results)
    wait_for(lambda: not Slurm(SlurmSettings()).jobs(str(results)))


def test_images_that_cannot_be_prepared_end_the_study(cluster: Cluster, tmp_path: Path, results: Path) -> None:
    """Which is found where they are prepared, in a job."""
    rows = ["path,subject,expression"]
    for subject in range(4):
        for expression in ("anger", "fear"):
            name = f"{subject}{expression}.png"
            (tmp_path / name).write_text(f"no image, but {name}")
            rows.append(f"{name},s{subject},{expression}")
    (tmp_path / "frames.csv").write_text("\n".join(rows))
    own = ("dataset=table", f"dataset.file={tmp_path / 'frames.csv'}", "protocol=subject_kfold", "protocol.k=2")
    study = command(results, "method=cross_entropy", "budget=smoke", *own, "evaluation.judges=0", "trainer.device=cpu")
    out = done(begin(study), status=2)
    assert "2 pieces of work are submitted now" in out
    assert "8 of 8 frames cannot be read" in out
    wait_for(lambda: not Slurm(SlurmSettings()).jobs(str(results)))
    assert not Store(results).failures()


# -- what cannot work


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("executor.lanes=0",), "executor.lanes is 0; it has to be at least 1."),
        (("executor.time=-1",), "executor.time is -1; it has to be at least 0."),
        (("executor.extra='node7'",), "executor.extra is 'node7', where 'node7' is no option"),
        (
            ("executor.partition=nowhere",),
            "Slurm refuses the jobs: invalid partition specified: nowhere; Batch job submission failed",
        ),
        (
            ("executor.cpus=99",),
            "Slurm refuses the jobs: scontrol says: Requested partition configuration not available now",
        ),
        (("executor.python=/no/such/python",), "ended as FAILED; its log is"),
    ],
)
def test_settings_that_cannot_work(
    cluster: Cluster, ferbench: Run, results: Path, overrides: tuple[str, ...], sentence: str
) -> None:
    refused = ferbench("run", "method=cross_entropy", *ALONE, f"results_dir={results}", "executor=slurm", *overrides)
    assert refused.status in (1, 2)
    assert sentence in " ".join((refused.err + refused.out).split())
    wait_for(lambda: not Slurm(SlurmSettings()).jobs(str(results)))


def test_a_table_that_cannot_be_read(cluster: Cluster, results: Path) -> None:
    (results / ".slurm").mkdir(parents=True)
    (results / ".slurm" / "jobs.json").write_text("[")
    with pytest.raises(FerbenchError, match="which says what was submitted to Slurm, cannot be read"):
        Slurm(SlurmSettings()).jobs(str(results))
