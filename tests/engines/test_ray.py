"""`executor=ray` on clusters of this machine. Each file of tests/engines/ray runs beside one, in namespaces of its own (in.sh)."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ferbench.errors import FerbenchError
from ferbench.extras import extra_of
from ferbench.interfaces.executor import DONE, Node, Outcome, Progress, Trial
from tests.engines.ray.studies import use_memory
from tests.made_records import Make
from tests.test_extras import DECLARED

HERE = Path(__file__).parent / "ray"
TIMEOUT = 900


@functools.cache
def obstacle() -> str:
    """Why there can be no cluster here; empty if there can."""
    if find_spec("ray") is None:
        return "ray is not installed (pip install 'ferbench[ray]')"
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    command = [
        "unshare",
        *as_root,
        "--net",
        "--pid",
        "--mount",
        "--fork",
        "--mount-proc",
        "ip",
        "link",
        "set",
        "lo",
        "up",
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return f"no namespaces of its own for a cluster: {error}"
    return ""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name: paths of sockets are short."""
    folder = Path(tempfile.mkdtemp(prefix="fr-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def beside(home: Path, file: str, **environment: Any) -> None:
    """Run the tests of a file beside a cluster; `environment`: see in.sh."""
    if obstacle():
        pytest.skip(obstacle())
    command = [
        str(HERE / "in.sh"),
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        str(HERE / file),
    ]
    ray = Path(sys.executable).with_name("ray")
    variables = {"RAY_HOME": home, "RAY": ray, "OMP_NUM_THREADS": 1, **environment}
    told = {name: str(value) for name, value in variables.items()}
    done = subprocess.run(
        command,
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_cluster_of_two_nodes(home: Path) -> None:
    beside(home, "cluster.py")


@pytest.mark.slow
def test_nodes_without_the_results_folder(home: Path) -> None:
    (home / "hidden").mkdir()
    beside(home, "apart.py", HIDE=home / "hidden")


@pytest.mark.slow
def test_a_node_without_memory(home: Path) -> None:
    (home / "cgroup").mkdir()
    use_memory(home / "cgroup", 0.1)
    beside(home, "memory.py", NODES=1, CGROUP=home / "cgroup", RAY_memory_monitor_refresh_ms=100)


@pytest.mark.slow
def test_a_cluster_for_one_study(home: Path) -> None:
    beside(home, "local.py", NODES=0)


# -- without a cluster


def test_the_extra_that_brings_it() -> None:
    assert extra_of("ray", DECLARED) == "ray"


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_ray_is_missing() -> None:
    from ferbench.cards import ExecutorCard
    from ferbench.registry.loader import load_registry

    with pytest.raises(FerbenchError, match=r"executor 'ray' needs ray, .* pip install 'ferbench\[ray\]'"):
        load_registry().get(ExecutorCard, "ray").load()


@pytest.mark.needs("ray")
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"cpus": 0}, "executor.cpus is 0; a trial needs some"),
        ({"gpus": -2}, "executor.gpus is -2; write -1"),
        ({"gpus": 2}, "executor.gpus is 2; a trial uses one GPU at most"),
        ({"retries": -1}, "executor.retries is -1"),
    ],
)
def test_settings_that_make_no_sense(setting: dict[str, float], sentence: str) -> None:
    from ferbench_ray.executor import check
    from ferbench_ray.plugin import RaySettings

    with pytest.raises(FerbenchError, match=sentence):
        check(RaySettings(**setting))  # type: ignore[arg-type]


@pytest.mark.needs("ray")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ray is too old.\nStart it again.", "Ray is too old"),
        ("Failure:\nTraceback (...):\n  File ...\nRuntimeError: No port.\n", "Failure: RuntimeError: No port"),
        ("", "ConnectionError"),
    ],
)
def test_why_there_is_no_cluster(text: str, said: str) -> None:
    from ferbench_ray.cluster import reason

    assert reason(ConnectionError(text)) == said


@pytest.mark.needs("ray")
def test_gpus_of_a_trial(make: Make) -> None:
    from ferbench_ray.cluster import Machine, per_trial
    from ferbench_ray.plugin import RaySettings

    def trials(device: str) -> list[Trial]:
        trial = make().trial
        return [dataclasses.replace(trial, config={**trial.config, "trainer": {"device": device}})]

    cpus, gpus = [Machine("1", "a", 4, 0)], [Machine("1", "a", 4, 0), Machine("2", "b", 4, 2)]
    assert per_trial(RaySettings(), trials("auto"), cpus) == 0
    assert per_trial(RaySettings(), trials("auto"), gpus) == 1
    assert per_trial(RaySettings(), trials("cpu"), gpus) == 0
    assert per_trial(RaySettings(gpus=0.25), trials("auto"), gpus) == 0.25
    for settings, device, sentence in [
        (RaySettings(), "cuda:1", "trainer.device=cuda:1 puts all trials of a Ray node on one GPU"),
        (RaySettings(gpus=1), "cpu", "executor.gpus=1 with trainer.device=cpu reserves GPUs that nobody uses"),
        (RaySettings(gpus=0), "cuda", "executor.gpus=0 with trainer.device=cuda gives the trials no GPU"),
    ]:
        with pytest.raises(FerbenchError, match=sentence):
            per_trial(settings, trials(device), gpus)


def test_lines_of_the_display(make: Make) -> None:
    """One for each trial at a time on a host; a trial whose node died moves, and what arrives late is dropped."""
    from ferbench_ray.display import Display

    told: list[str] = []

    class Line(Progress):
        def __init__(self, name: str = "") -> None:
            self.name = name

        def worker(self, name: str) -> Progress:
            return Line(name)

        def trial(self, trial: Trial) -> None:
            told.append(f"{self.name} trial {trial.id}")

        def message(self, text: str) -> None:
            told.append(f"{self.name} {text}")

        def outcome(self, outcome: Outcome) -> None:
            told.append(f"{self.name} {outcome.status} {outcome.trial.id}")

    nodes = [Node(key, dataclasses.replace(make().trial, id=key)) for key in ("t1", "t2", "t3")]
    display = Display(nodes, Line())
    display.show([("t1", "a", "trial", ()), ("t2", "a", "trial", ()), ("t1", "b", "trial", ())])
    display.show([("t3", "a", "message", ("evaluating",))])
    display.ended(nodes[0], Outcome(nodes[0].trial, DONE))
    display.show([("t1", "b", "message", ("late",))])
    assert told == ["a:1 trial t1", "a:2 trial t2", "b:1 trial t1", "a:1 evaluating", "b:1 done t1"]


def test_installations_that_differ() -> None:
    from ferbench_ray.worker import different

    ours = {"Python": "3.11", "torch": "2.6", "the code of ferbench": "abc"}
    assert different(ours, {**ours, "numpy": "2"}) == ""
    assert different(ours, {**ours, "torch": "2.7", "the code of ferbench": "x"}) == "torch is 2.7 and not 2.6"
    assert different(ours, {**ours, "the code of ferbench": "x"}) == "the code of ferbench differs"
    assert different(ours, {"Python": "3.11", "the code of ferbench": "abc"}) == "torch is missing and not 2.6"
