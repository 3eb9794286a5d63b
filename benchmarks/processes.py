"""What `executor=processes` saves: the same trials one after another in one process, which uses all cores or the GPU, and
several at a time. No goal: it depends on how well one trial fills the machine.

    python benchmarks/processes.py [STEPS] [WORKERS]
"""

from __future__ import annotations

import sys
import tempfile

from timed import run

STUDY = ("--multirun", "method=cross_entropy,degan", "evaluation.judges=0")


def main() -> None:
    given = sys.argv[1:]
    steps, workers = [*given, *("400", "0")[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        run(*STUDY, "budget.steps=2", f"results_dir={folder}/warm")  # draws the faces into the cache
        alone = run(*STUDY, f"budget.steps={steps}", f"results_dir={folder}/alone")
        several = run(
            *STUDY,
            f"budget.steps={steps}",
            f"results_dir={folder}/several",
            "executor=processes",
            f"executor.workers={workers}",
        )
    print(f"6 trials of {steps} steps: {several:.0f} s several at a time, {alone:.0f} s one after another")
    print(f"ratio {several / alone:.3f}")


if __name__ == "__main__":
    main()
