"""What an engine costs: a study of 24 trials, one after another in one process, and the same on the engine, one at a time. Their
records are equal, and the difference of the times, a trial, is what the engine takes: its scheduler, a new process, its imports.

    python benchmarks/engines.py slurm [STEPS]     # SLURM_CONF names a cluster, such as that of tests/engines/slurm/up.sh
    python benchmarks/engines.py ray [STEPS]       # with a cluster of its own on this machine
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # sums depend on the number of threads in the last digit

from timed import run

from ferbench.cores import usable_cores
from ferbench.records.schema import Record
from ferbench.records.store import Store

STUDY = ("--multirun", "method=cross_entropy,grl", "seeds=[0,1,2,3]", "trainer.device=cpu", "evaluation.judges=0")
TRIALS = 24

ENGINES = {
    "slurm": ("executor=slurm", "executor.cpus=1", "executor.parallel=1"),
    "ray": ("executor=ray", "executor.address=local", f"executor.cpus={usable_cores()}"),
}


def main() -> None:
    engine, steps = [*sys.argv[1:], "40"][:2]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        run(*STUDY, "budget.steps=2", "seeds=0", f"results_dir={folder}/warm")  # draws the faces into the cache
        alone = run(*STUDY, f"budget.steps={steps}", f"results_dir={folder}/alone", "executor=inprocess")
        there = run(*STUDY, f"budget.steps={steps}", f"results_dir={folder}/there", *ENGINES[engine])
        one, two = results(Path(folder, "alone")), results(Path(folder, "there"))
    equal = sum(one[trial] == two.get(trial) for trial in one)
    print(
        f"{TRIALS} trials of {steps} steps: {alone:.0f} s in one process, {there:.0f} s on {engine}; {equal} records equal"
    )
    print(f"overhead of {engine}: {(there - alone) / TRIALS:.1f} s a trial")


def results(folder: Path) -> dict[str, tuple[object, list[str]]]:
    """Metrics and digests of weights by trial."""
    found: list[Record] = Store(folder).scan()[0]
    assert len(found) == TRIALS
    return {record.trial.id: (record.metrics, [stage.weights for stage in record.stages]) for record in found}


if __name__ == "__main__":
    main()
