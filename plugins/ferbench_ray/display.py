"""What tasks of all nodes report, in the one progress display."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from ferbench.interfaces.executor import Node, Outcome, Progress


class Display:
    """The lines of a display: "host:1", "host:2" and so on, one for each trial or stage that runs on a host at the same time.

    A trial whose node died moves to another line. Reports that arrive late, when it has ended, are dropped.
    """

    def __init__(self, nodes: Sequence[Node], progress: Progress) -> None:
        self._nodes = {node.key: node for node in nodes}
        self._progress = progress
        self._lines: dict[str, tuple[str, int]] = {}  # host and number, by node
        self._listeners: dict[tuple[str, int], Progress] = {}
        self._ended: set[str] = set()

    def show(self, reports: Iterable[tuple[Any, ...]]) -> None:
        """Pass on reports (key of the node, host, name of the method of Progress, its arguments)."""
        for key, host, name, values in reports:
            if key in self._ended:
                continue
            if self._lines.get(key, ("", 0))[0] != host:
                self._lines.pop(key, None)
                taken = set(self._lines.values())
                self._lines[key] = host, next(number for number in count(1) if (host, number) not in taken)
            listener, node = self._listener(key), self._nodes[key]
            if name == "trial":
                listener.trial(node.trial)
            elif name == "shared":
                listener.shared(node)
            else:
                getattr(listener, name)(*values)

    def ended(self, node: Node, outcome: Outcome | None = None) -> None:
        """A node has ended, with `outcome`; without one, others say so, or it is not over."""
        if outcome is not None:
            self._ended.add(node.key)
            if node.stage is None:
                self._listener(node.key).outcome(outcome)
        self._lines.pop(node.key, None)

    def _listener(self, key: str) -> Progress:
        line = self._lines.get(key)
        if line is None:
            return self._progress
        if line not in self._listeners:
            self._listeners[line] = self._progress.worker(f"{line[0]}:{line[1]}")
        return self._listeners[line]
