"""Plugins that hang, fill the memory, or fork: what becomes of their trials, and of the others."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ferbench.execution.executors import processes
from ferbench.execution.watch import Watched
from ferbench.interfaces.executor import Progress
from ferbench.limits import TimeUp, alarm
from ferbench.records.schema import FAILED, OOM, Outcome
from ferbench.records.store import Store
from tests.onehead import plugin

Run = Callable[..., Any]

UPDATE = 'yield Update("all", F.cross_entropy(self.logits(batch.images), batch.expression))\n'


@pytest.fixture
def study(smoke: tuple[str, ...], tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """The words of a study with a method whose step is the given one."""

    def words(step: str, *overrides: str) -> tuple[str, ...]:
        path = tmp_path / "hostile.py"
        path.write_text(plugin("hostile", step))
        return ("run", "--plugin", str(path), "method=hostile", *smoke, "evaluation.judges=0", *overrides)

    return words


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def failure(results: Path) -> Outcome:
    (found,) = Store(results).failures()
    return found


# -- hanging


HANGS = """
if self.task.seed == 1 and clock.step >= 3:
    try:
        signal.raise_signal(signal.SIGALRM)
        import time
        time.sleep(300)
    except Exception:
        pass
"""
"""The time is up at once, so that no test depends on how fast a machine is."""


def test_a_step_that_hangs_is_ended_and_the_next_trial_runs(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path
) -> None:
    done = ferbench(*study(HANGS + UPDATE, "seeds=[1,0]", "trial.timeout=600", "executor=inprocess"))
    assert done.status == 1
    assert "2 trials: 1 run, 1 failed" in done.out
    found = failure(results)
    assert (found.trial.seed, found.status, found.stage) == (1, FAILED, "training")
    assert found.error.startswith(
        "It took longer than trial.timeout=600 s and was ended in stage 'training', after step "
    )
    assert "a larger trial.timeout with --retry failed continues from there" in found.error
    assert not any((results / ".leases").iterdir())


def test_the_limit_is_no_part_of_a_trials_identity(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path
) -> None:
    assert ferbench(*study(UPDATE, "trial.timeout=300")).status == 0
    assert "Nothing to run" in ferbench(*study(UPDATE)).out
    refused = ferbench(*study(UPDATE, "trial.timeout=-1"))
    assert (refused.status, "trial.timeout is -1.0; it has to be at least 0." in refused.err) == (2, True)


@pytest.fixture
def deaf() -> Iterator[None]:
    """Workers do not hear the alarm, as in code in C that does not return: processes inherit which signals are blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.slow
def test_a_worker_that_cannot_be_interrupted_is_killed(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path, monkeypatch: pytest.MonkeyPatch, deaf: None
) -> None:
    monkeypatch.setattr(processes, "LATE", 1.0)
    words = study("import time\ntime.sleep(300)\n" + UPDATE, "trial.timeout=1", "executor=processes")
    assert ferbench(*words).status == 1
    found = failure(results)
    assert found.status == FAILED
    assert "longer than trial.timeout=1 s, did not end within 1 s more, and was killed " in found.error


def test_an_alarm_leaves_no_trace() -> None:
    before = signal.getsignal(signal.SIGALRM)
    rung: list[str] = []
    with alarm(60, lambda: rung.append("outer")):
        with alarm(0.05, lambda: rung.append("inner")):
            time.sleep(0.2)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(60, abs=10), "the outer one goes on"
    assert rung == ["inner"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_an_alarm_that_was_caught_rings_again() -> None:
    def ring() -> None:
        raise TimeUp

    def stubborn() -> None:
        try:
            time.sleep(10)
        except BaseException:
            time.sleep(10)

    with pytest.raises(TimeUp), alarm(0.05, ring, again=0.05):
        stubborn()


def test_where_there_is_no_alarm_there_is_no_limit() -> None:
    ended: list[bool] = []

    def work() -> None:
        with alarm(0.05, lambda: ended.append(False)):
            time.sleep(0.2)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]


def test_the_place_of_a_trial_in_words() -> None:
    watched = Watched(Progress())
    assert watched.place == "before its first stage"
    watched.stage("synthesis", 0, 50)
    watched.step(25, {}, 1.0)
    assert watched.place == "in stage 'synthesis', after step 25 of 50"
    watched.step(50, {}, 1.0)
    assert watched.place == "after stage 'synthesis'"


# -- memory


FILLS = """
import resource
pages = int(open("/proc/self/statm").read().split()[0])
limits = resource.getrlimit(resource.RLIMIT_AS)
kept = []
if self.task.seed:
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**28, limits[1]))
    try:
        while True:
            kept.append(bytearray(2**24) if self.task.seed == 1 else torch.zeros(2**22))
    finally:
        kept.clear()
        resource.setrlimit(resource.RLIMIT_AS, limits)
"""
"""With Python's objects, and with tensors, for which torch has no exception of its own on a CPU."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks in /proc for the size of the process")
def test_a_step_that_fills_the_memory_is_out_of_memory(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path
) -> None:
    words = study(FILLS + UPDATE, "seeds=[1,2,0]", "executor=processes", "executor.workers=1")
    done = ferbench(*words)
    assert "3 trials: 1 run, 2 out of memory" in done.out, done.out
    found = {outcome.trial.seed: outcome for outcome in Store(results).failures()}
    assert {seed: outcome.status for seed, outcome in found.items()} == {1: OOM, 2: OOM}
    assert all("A smaller budget.batch_size" in outcome.error for outcome in found.values())


# -- forks


def counted(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


COPIES = """
if clock.step == 1:
    child = os.fork()
    with open("LOG", "a") as log:
        print(os.getpid(), file=log)
"""


def test_a_copy_of_the_process_writes_no_record(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child goes on with the study; it ends where it comes back to ferbench."""
    pid, log = os.getpid(), tmp_path / "log"
    done = ferbench(*study(COPIES.replace("LOG", str(log)) + UPDATE, "executor=inprocess"))
    assert os.getpid() == pid, "this is the child"
    assert (done.status, counted(log)) == (0, 2)
    records, damaged = Store(results).scan()
    assert (len(records), damaged) == (1, [])
    assert not any((results / ".leases").iterdir())
    child, status = os.wait()
    assert str(child) in log.read_text().split()
    assert os.waitstatus_to_exitcode(status) == 1


def test_the_store_and_its_leases_are_of_one_process(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    with store.lease("trial-x"):
        if not (child := os.fork()):
            with store._draft("trial-x"):
                os._exit(0)  # it was let in
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        if not (child := os.fork()):
            try:
                with store.lease("trial-y"):
                    pass
                raise KeyboardInterrupt
            finally:
                os._exit(3)  # its own lease is its own affair
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert store.held("trial-x")


LEAVES = """
if self.task.seed == 1:
    child = os.fork()
    if not child:
        import time
        time.sleep(900)
        os._exit(0)
    with open("LOG", "w") as log:
        log.write(str(child))
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""A worker that is gone, and whose pipe a process in the background holds open."""


@pytest.mark.slow
def test_a_process_in_the_background_does_not_hold_the_study(
    ferbench: Run, study: Callable[..., tuple[str, ...]], results: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    step = LEAVES.replace("LOG", str(log)) + UPDATE
    done = ferbench(*study(step, "seeds=[1,0]", "executor=processes", "executor.workers=1"))
    os.kill(int(log.read_text()), signal.SIGKILL)  # it is there still: nobody waited for it
    assert "2 trials: 1 run, 1 failed" in done.out, done.out
    assert failure(results).trial.seed == 1
