"""What `executor=processes` saves: the same trials one after another in one process, which uses all cores or the GPU, and
several at a time. No goal: it depends on how well one trial fills the machine.

    python benchmarks/processes.py [STEPS] [WORKERS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

COMMON = (
    "method=cross_entropy,degan", "--multirun", "dataset=synthfaces", "dataset.takes=1", "budget=demo", "protocol=subject_kfold",
    "protocol.k=3", "evaluation.judges=0",
)  # fmt: skip


def run(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ferbench", "run", *COMMON, *words], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    given = sys.argv[1:]
    steps, workers = [*given, *("400", "0")[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        run("budget.steps=2", f"results_dir={folder}/warm")  # draws the faces into the cache
        alone = run(f"budget.steps={steps}", f"results_dir={folder}/alone")
        several = run(
            f"budget.steps={steps}",
            f"results_dir={folder}/several",
            "executor=processes",
            f"executor.workers={workers}",
        )
    print(f"6 trials of {steps} steps: {several:.0f} s several at a time, {alone:.0f} s one after another")
    print(f"ratio {several / alone:.3f}")


if __name__ == "__main__":
    main()
