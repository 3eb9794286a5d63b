"""What sharing stages saves: `ablation=all` for DE-GAN as one study, against its variants one by one, each a command of its own
with a results folder of its own. Goal: at most 0.75 of their time.

    python benchmarks/sharing.py [STEPS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from timed import run

from ferbench.cards import MethodCard
from ferbench.registry.loader import load_registry

STUDY = ("method=degan", "protocol.folds=[0]")


def main() -> None:
    steps = sys.argv[1] if len(sys.argv) > 1 else "1200"
    variants = ["none", *load_registry().get(MethodCard, "degan").ablations]
    with tempfile.TemporaryDirectory() as folder:
        run(*STUDY, "budget.steps=2", f"results_dir={folder}/warm")  # draws the faces into the cache
        together = run(*STUDY, f"budget.steps={steps}", "ablation=all", f"results_dir={folder}/all")
        alone = [
            run(*STUDY, f"budget.steps={steps}", f"ablation={v}", f"results_dir={Path(folder) / v}") for v in variants
        ]
    print(f"{len(variants)} variants, {steps} steps each: {together:.0f} s together, {sum(alone):.0f} s one by one")
    print(f"ratio {together / sum(alone):.3f}")


if __name__ == "__main__":
    main()
