"""What ferbench survives: k of n, for each promise of docs/reference/reliability.md.

    python benchmarks/faults.py [PROMISE]... [--kills 20] [--writers 8] [--records 500] [--commands 8] [--minutes 20]

Promises: kills, writers, commands, files, disk, folders, hosts; without one, all of them, in some ten minutes on two cores. Exit
status 1 where a promise was not kept. A study of seconds on the embedded dataset is run again and again, in processes that are
forked from this one, which has imported everything; disks are file systems in memory, which only root can mount.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums depend on the number of threads in the last digit
sys.path.insert(0, str(Path(__file__).parents[1]))

from ferbench.execution import trial  # noqa: F401  (imports torch once, before the forks)
from ferbench.records import files
from ferbench.records.doctor import examine
from ferbench.records.schema import Record
from ferbench.records.store import Store
from tests.damage import DAMAGES
from tests.disks import mounted
from tests.killed import PLACES

STUDY = (
    "run", "method=ifgan", "dataset=synthfaces", "dataset.subjects=6", "dataset.takes=1", "dataset.image_size=48",
    "budget=smoke", "trainer.device=cpu", "trainer.checkpoint_every=3", "protocol=subject_kfold", "protocol.k=2",
    "protocol.folds=[0]", "executor=inprocess",
)  # fmt: skip
"""One trial: a stage, judges, synthesised faces."""


class Tries:
    """The tries of a promise: counted, and ended when the time is over."""

    def __init__(self, promise: str, count: int, minutes: float) -> None:
        self.promise, self.count = promise, count
        self.end = time.monotonic() + 60 * minutes
        self.kept = self.tried = 0

    def __iter__(self) -> Iterator[int]:
        while self.tried < self.count and time.monotonic() < self.end:
            yield self.tried

    def note(self, what: str, problems: Sequence[str]) -> None:
        """A try has ended."""
        self.tried += 1
        self.kept += not problems
        for problem in problems:
            print(f"    {what}: {problem}", flush=True)

    def told(self) -> bool:
        """Print k of n; whether all were kept."""
        ended = "" if self.tried == self.count else f" (of {self.count}; the time was over)"
        print(f"{self.promise}: {self.kept} of {self.tried}{ended}", flush=True)
        return self.kept == self.tried > 0


def nothing() -> None:
    """Done before or after a command."""


def start(
    words: Sequence[str], log: Path, before: Callable[[], object] = nothing, after: Callable[[], object] = nothing
) -> int:
    """Start `ferbench WORDS` in a fork of this process, whose number is returned."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        with log.open("a") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["ferbench", *words]
        before()
        from ferbench.cli import main as entry

        entry.main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    finally:
        with contextlib.suppress(Exception):
            after()
            sys.stdout.flush()
        os._exit(status)


def run(
    words: Sequence[str], log: Path, before: Callable[[], object] = nothing, after: Callable[[], object] = nothing
) -> int:
    """Run a command to its end; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(start(words, log, before, after), 0)[1])


def result(folder: Path) -> dict[str, object]:
    """What has to be equal: the checksums of weights, predictions and arrays, and the metrics, by trial."""
    found, _ = Store(folder).scan()
    return {record.trial.id: (dict(record.files), dict(record.metrics)) for record in found}


class Bench:
    """A folder for all tries, and what an undisturbed run of the study finds.

    Attributes:
        whole: its `result`. seconds: how long it took. size: of its results folder, in KiB.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.environ["FERBENCH_CACHE"] = str(folder / "cache")
        warm = [*STUDY, f"results_dir={folder / 'warm'}"]
        run(warm, folder / "log", after=lambda: (folder / "modules").write_text(" ".join(sys.modules)))
        for name in (folder / "modules").read_text().split():
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        begun = time.monotonic()
        status = run([*STUDY, f"results_dir={folder / 'whole'}"], folder / "log")
        self.seconds = time.monotonic() - begun
        self.whole = result(folder / "whole")
        self.size = sum(path.stat().st_size for path in (folder / "whole").rglob("*") if path.is_file()) // 1024
        if status or len(self.whole) != 1:
            sys.exit(f"The study does not run:\n{(folder / 'log').read_text()}")

    def problems(self, results: Path, words: Sequence[str] = ()) -> list[str]:
        """Run the same command to its end. What is not as after an undisturbed run."""
        log = results.with_suffix(".log")
        status = run([*STUDY, f"results_dir={results}", *words], log)
        found = [f"exit status {status}: {log.read_text()[-500:]}"] if status else []
        found += [] if result(results) == self.whole else ["another result"]
        found += [f"{finding.path} is left: {finding.wrong}" for finding in examine(Store(results))]
        return found


def kills(bench: Bench, asked: argparse.Namespace) -> bool:
    """Killed at a random time, or at one of the places of tests/killed.py, and run again."""
    chance, tries = random.Random(asked.seed), Tries("kill -9, then the same command", asked.kills, asked.minutes)
    places = [*PLACES, *[""] * max(asked.kills - len(PLACES), 0)]
    for number in tries:
        place = places[number]
        results = bench.folder / f"killed{number}"
        words = [*STUDY, f"results_dir={results}"]
        log = results.with_suffix(".log")
        if place:
            status = run(words, log, PLACES[place])
        else:
            status = 0
            while status != -signal.SIGKILL:  # else it had ended before
                shutil.rmtree(results, ignore_errors=True)
                pid = start(words, log)
                time.sleep(chance.uniform(0, bench.seconds))
                os.kill(pid, signal.SIGKILL)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        missed = [] if status == -signal.SIGKILL else [f"it was not killed (status {status})"]
        tries.note(place or "at a random time", missed + bench.problems(results))
    return tries.told()


def writers(bench: Bench, asked: argparse.Namespace) -> bool:
    """Processes that write records into one folder, half of them the same, while it is read."""
    import numpy as np
    from test_leaderboard import generated

    root = bench.folder / "written"
    Store(root).prepare()

    def write(number: int) -> None:
        store, noise = Store(root), np.random.default_rng(number)
        for place in range(asked.records):
            method = 0 if place % 2 else number + 1
            record = generated(method, place % 10, place // 10, noise)

            def fill(folder: Path, record: Record = record) -> Record:
                (folder / "who.txt").write_text(f"{number} " * 1000)
                return record

            store.write(record.trial.id, fill)

    children = [fork(lambda number=number: write(number)) for number in range(asked.writers)]
    torn, left = 0, set(children)
    while left:
        torn += len(Store(root).scan()[1])
        left -= {pid for pid in left if os.waitpid(pid, os.WNOHANG)[0]}
    records, damaged = Store(root).scan()
    expected = asked.writers * (asked.records - asked.records // 2) + asked.records // 2
    count, names = len(records), {record.trial.id for record in records}
    wrong = list(examine(Store(root)))
    print(
        f"{asked.writers} processes x {asked.records} records: {count} of {expected} there, {count - len(names)} double, "
        f"{torn + len(damaged) + len(wrong)} torn"
    )
    return count == expected == len(names) and not torn and not damaged and not wrong


def fork(work: Callable[[], object]) -> int:
    """Do something in a fork of this process, whose number is returned."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    finally:
        os._exit(0)


def commands(bench: Bench, asked: argparse.Namespace) -> bool:
    """Commands that run one study at the same time."""
    results, log = bench.folder / "shared", bench.folder / "shared.log"
    words = [*STUDY, "--multirun", "method=cross_entropy,grl", f"seeds={list(range(4))}", f"results_dir={results}"]
    children = [start(words, log) for _ in range(asked.commands)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    records, _ = Store(results).scan()
    trained = Counter(log.read_text().count(" training: 8 steps") for _ in range(1))
    once = sum(sum(stage.steps_run for stage in record.stages) == 8 for record in records)
    print(
        f"{asked.commands} commands, one study: {once} of 8 trials trained once; {statuses.count(0)} of {len(statuses)} ended well"
    )
    left = [f"{finding.path} {finding.wrong}" for finding in examine(Store(results))]
    print(*left, sep="\n", end="\n" if left else "")
    return once == 8 and len(records) == 8 and not any(statuses) and sum(trained) <= 8 and not left


def damage(bench: Bench, asked: argparse.Namespace) -> bool:
    """Each file of a finished study, damaged in each way: after `ferbench doctor --mend` the same command completes it."""
    whole = bench.folder / "whole"
    paths = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_file() and "figures" not in p.parts]
    cases = [(path, name) for path in paths for name in DAMAGES]
    random.Random(asked.seed).shuffle(cases)
    tries = Tries("damaged files named, mended and made again", min(len(cases), asked.damages), asked.minutes)
    for number in tries:
        path, name = cases[number]
        results = bench.folder / f"damaged{number}"
        shutil.copytree(whole, results)
        DAMAGES[name](results / path)
        log = results.with_suffix(".log")
        named = run(["doctor", str(results)], log) == 1 and str(path.parts[0]) in log.read_text()
        unseen = name == "deleted" and path.parts[0] in (
            ".references",
            ".studies",
            ".progress",
        )  # none is as good as one
        missing = name == "deleted" and path.parts[0] != ".stages" and not unseen and path.name != files.RECORD
        found = [] if named or unseen else ["not named"]
        if missing:  # it may have been left out on purpose: the folder is moved by hand
            Store(results).set_aside(results / path.parts[0])
        else:
            run(["doctor", str(results), "--mend"], log)
        tries.note(f"{name} {path}", found + bench.problems(results))
        shutil.rmtree(results)
    return tries.told()


def disk(bench: Bench, asked: argparse.Namespace) -> bool:
    """Disks of all sizes that are too small, made larger after the command has failed."""
    tries = Tries("full disk, then the same command", asked.disks, asked.minutes)
    try:
        for number in tries:
            size = max(bench.size * (2 * number + 1) // (2 * asked.disks), 4)
            with mounted(bench.folder / f"disk{number}", size) as small:
                results = small.path / "results"
                log = bench.folder / f"disk{number}.log"
                status = run([*STUDY, f"results_dir={results}"], log)
                said = log.read_text()
                found = ["a traceback"] if "Traceback" in said else []
                found += [] if status in (0, 1, 2) else [f"exit status {status}"]
                found += [] if status == 0 or "No space left" in said else [f"no sentence: {said[-300:]}"]
                found += [f"half written: {item.path} {item.reason}" for item in scan(results)]
                small.resize(20 * bench.size)
                tries.note(f"{size} KiB", found + bench.problems(results))
    except OSError as error:
        print(f"full disk: not tried, {error}")
        return True
    return tries.told()


def scan(results: Path) -> list[object]:
    return list(Store(results).scan()[1]) if results.is_dir() else []


def folders(bench: Bench, asked: argparse.Namespace) -> bool:
    """A results folder that becomes read-only, or vanishes, at a random time."""
    chance, tries = (
        random.Random(asked.seed),
        Tries("a folder that vanishes or is read-only", asked.folders, asked.minutes),
    )
    try:
        for number in tries:
            with mounted(bench.folder / f"place{number}", 20 * bench.size) as place:
                results, away = place.path / "results", place.path / "away"
                log = bench.folder / f"place{number}.log"
                pid = start([*STUDY, f"results_dir={results}"], log)
                time.sleep(chance.uniform(0.1, 0.9) * bench.seconds)
                readonly = number % 2 == 0
                with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
                    for _ in range(200):  # while a file is open for writing, it cannot be made read-only
                        with contextlib.suppress(subprocess.CalledProcessError):
                            place.remount("ro") if readonly else results.rename(away)
                            break
                        time.sleep(0.01)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                said = log.read_text()
                found = ["a traceback"] if "Traceback" in said else []
                found += [] if status in (0, 1, 2) else [f"exit status {status}"]
                if readonly:
                    place.remount("rw")
                elif away.is_dir():
                    shutil.rmtree(results, ignore_errors=True)
                    away.rename(results)
                tries.note("read-only" if readonly else "vanished", found + bench.problems(results))
    except OSError as error:
        print(f"folders: not tried, {error}")
        return True
    return tries.told()


def hosts(bench: Bench, asked: argparse.Namespace) -> bool:
    """Two machines with one name, of which neither sees the other's processes: PID namespaces of their own."""
    results, log = bench.folder / "hosts", bench.folder / "hosts.log"
    words = [*STUDY, "--multirun", "method=cross_entropy,grl", "seeds=[0,1]", f"results_dir={results}"]
    apart = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", sys.executable, "-m", "ferbench"]
    with log.open("w") as out:
        children = [subprocess.Popen([*apart, *words], stdout=out, stderr=out) for _ in range(2)]
        statuses = [child.wait() for child in children]
    if "unshare:" in log.read_text():
        print(f"two hosts with one name: not tried, {log.read_text().splitlines()[0]}")
        return True
    records, _ = Store(results).scan()
    once = sum(sum(stage.steps_run for stage in record.stages) == 8 for record in records)
    print(f"two hosts with one name: {once} of 4 trials trained once; {statuses.count(0)} of 2 ended well")
    return once == 4 and not any(statuses)


PROMISES = {
    "kills": kills, "writers": writers, "commands": commands, "files": damage, "disk": disk, "folders": folders, "hosts": hosts,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("promises", nargs="*", choices=[*PROMISES, []], metavar="PROMISE")
    for name, default, what in (
        ("kills", 20, "how many commands are killed"), ("writers", 8, "processes that write records"),
        ("records", 500, "records of each of them"), ("commands", 8, "commands that run one study"),
        ("damages", 24, "damaged files"), ("disks", 12, "sizes of disks"), ("folders", 8, "folders that vanish"),
        ("seed", 0, "of random times"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument("--minutes", type=float, default=10, help="for each promise, at most (10)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        kept = [PROMISES[name](bench, asked) for name in asked.promises or PROMISES]
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
