"""What the side-by-side scripts time: a whole command on the embedded dataset."""

from __future__ import annotations

import subprocess
import sys
import time

COMMON = ("dataset=synthfaces", "dataset.takes=1", "budget=demo", "protocol=subject_kfold", "protocol.k=3")


def run(*words: str) -> float:
    """Seconds of `ferbench run` with these words, in a process of its own."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ferbench", "run", *COMMON, *words], check=True, capture_output=True)
    return time.perf_counter() - start
