"""`executor=ray` on clusters of this machine. Each file of tests/engines/ray runs beside one, in namespaces of its own (in.sh)."""

from __future__ import annotations

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
from tests.test_extras import DECLARED

HERE = Path(__file__).parent / "ray"
TIMEOUT = 600


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
    """Run the tests of a file beside a cluster."""
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
    beside(home, "apart.py", HIDE=home / "hidden", FERBENCH_TEST_HIDDEN=home / "hidden")


@pytest.mark.slow
def test_a_node_without_memory(home: Path) -> None:
    beside(home, "memory.py", NODES=1, RAY_memory_usage_threshold=0.01, RAY_memory_monitor_refresh_ms=100)


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
