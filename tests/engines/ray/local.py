"""Without a cluster: one of the study's own, or a sentence."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.engines.ray.studies import SMOKE, begin, records

Run = Callable[..., Any]

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same in IPv6, and ::1, as /proc/net has them."""

LISTEN = "0A"


def listening() -> set[str]:
    lines = [line for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {line.split()[1].partition(":")[0] for line in lines if line.split()[3] == LISTEN}


def test_there_is_no_cluster(ferbench: Run, tmp_path: Path) -> None:
    study = ("run", "method=cross_entropy", *SMOKE, f"results_dir={tmp_path / 'r'}", "executor=ray")
    refused = ferbench(*study)
    assert refused.status == 2, refused.out + refused.err
    assert "executor.address=auto: no Ray cluster can be had there" in refused.err
    assert "Start one with 'ray start --head'" in refused.err


def test_a_cluster_of_its_own_is_bound_to_loopback_and_ends_with_the_study(tmp_path: Path) -> None:
    process = begin(
        "run", "method=cross_entropy", *SMOKE, f"results_dir={tmp_path / 'r'}", "executor=ray", "executor.address=local"
    )
    seen: set[str] = set()
    while process.poll() is None:
        seen |= listening()
        time.sleep(0.2)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert seen, "Ray has servers"
    assert seen <= LOOPBACK
    assert len(records(tmp_path / "r")) == 1
    assert not any("raylet" in words for words in commands())
    assert list(Path(tempfile.gettempdir()).glob("ray-*")) == []


def commands() -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                found.append((folder / "cmdline").read_text())
            except OSError:
                continue
    return found
