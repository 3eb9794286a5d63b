"""The settings of the executors. They stand here so that composing a configuration imports none of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Processes:
    """Settings of the executor `processes`.

    Attributes:
        workers: processes that run trials at the same time; 0: one for each GPU that is visible, else one for each core.
            There are never more than trials.
        threads: CPU threads of each; 0: the cores divided by the workers.
    """

    workers: int = 0
    threads: int = 0
