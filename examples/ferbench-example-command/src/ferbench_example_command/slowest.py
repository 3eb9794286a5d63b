"""`ferbench slowest`: the trials that took longest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import ferbench


def main(words: Sequence[str]) -> int:
    """Print them. Status 1 where a trial failed.

    Args:
        words: what was typed behind `ferbench slowest`.
    """
    parser = argparse.ArgumentParser(prog="ferbench slowest", description="List the trials that took longest.")
    parser.add_argument("folder", nargs="?", default="results", help="results folder (default: results)")
    parser.add_argument("--count", type=int, default=5, help="how many (default: 5)")
    asked = parser.parse_args(words)
    frame = ferbench.load_results(asked.folder)
    for _, row in frame.nlargest(asked.count, "seconds").iterrows():
        print(f"{row['seconds']:8.1f} s  {row['method']} {row['variant']} fold {row['fold']} seed {row['seed']}")
    return int(bool((frame["status"] != "done").any()))
