"""Training on a CPU with threads that spin while they wait and with threads that sleep, in bf16 and in fp32; alone, and beside as
many busy processes as there are cores. `python benchmarks/waiting.py [ROUNDS]`, some minutes, in turn.

Prints images a second: median, lowest and highest.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from ferbench.cores import SPINS

BRIEF = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": SPINS}
SETTINGS = {
    "libgomp's default": ({}, "fp32"),
    "sleeping at once": ({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}, "fp32"),
    "sleeping after 10,000 rounds": (BRIEF, "fp32"),
    "the same, bf16": (BRIEF, "bf16"),
}
"""Environment variables and precisions that are compared; the third is what ferbench does."""
SECONDS = 4.0


def train(name: str, precision: str) -> None:
    """Images a second of a method's first stage, 32 images of 48 pixels, measured for SECONDS after two warm runs."""
    import test_training_step as case

    from ferbench.training.loop import Device, Training, train

    ready, method = case.batches(), case.make(name)
    training = Training(batches=lambda step: ready[step], device=Device.choose("cpu", precision))
    stage = method.stages()[0]
    for _ in range(2):
        train(method, stage, 2, training)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        train(method, stage, 2, training)
        steps += 2
    print(steps * case.BATCH / (time.perf_counter() - start))


def rate(environment: dict[str, str], name: str, precision: str) -> float:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "train", name, precision]
    done = subprocess.run(command, env=own | environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """A context in which other processes keep cores busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main(count: int = 3) -> None:
    print("| | " + " | ".join(SETTINGS) + " |\n|---" + "|---" * len(SETTINGS) + "|")
    for others in (0, os.cpu_count() or 1):
        beside = f"beside {others} busy processes" if others else "alone"
        with busy(others):
            for name in ("cross_entropy", "degan"):
                found: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
                for _ in range(count):
                    for setting, (environment, precision) in SETTINGS.items():
                        found[setting].append(rate(environment, name, precision))
                cells = [
                    f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
                    for rates in found.values()
                ]
                print(f"| {name} {beside} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(*sys.argv[2:4])
    else:
        main(*map(int, sys.argv[1:]))
