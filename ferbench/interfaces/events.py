"""What is reported about a piece of work, kept in the results folder while it is done:

    results/.progress/<node>.jsonl      a line for each call of a `Progress`; the first says who does the work

`Node.perform` writes it, on whatever machine. `Following` reads it for an engine that has no other way to hear of its jobs, and
`Latest` for `ferbench status`. The command that runs the study removes the files in the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.interfaces.executor import REPORTED, Node, Progress, Relayed
from ferbench.records.schema import Outcome
from ferbench.records.store import PROGRESS

EVERY = 2.0
"""Seconds between two lines about the steps of a stage."""

BEGIN, END = "begin", "end"
"""Lines that stand for no call of `Progress`: who does the work, and what became of it."""


def path(results_dir: str | Path, key: str) -> Path:
    """The file of the node with this key, whether it exists or not."""
    return Path(results_dir, PROGRESS, f"{key}.jsonl")


class Recording(Relayed):
    """A listener that writes what is reported into the node's file, and passes it on to `listener`.

    Where the file cannot be written nothing else fails: the work is what counts.
    """

    def __init__(self, node: Node, listener: Progress) -> None:
        self._path, self._listener = path(node.trial.config["results_dir"], node.key), listener
        self._steps, self._written = 0, 0.0
        self._write(BEGIN, [socket.gethostname(), os.getpid()])

    def worker(self, name: str) -> Progress:
        return self._listener.worker(name)

    def end(self, outcome: Outcome | None) -> None:
        """The work has ended, or another process does it (None)."""
        self._write(END, [None if outcome is None else outcome.to_json()])

    def report(self, name: str, values: tuple[Any, ...]) -> None:
        if name == "stage":
            self._steps = values[2]
        if name != "step" or values[0] == self._steps or time.monotonic() - self._written >= EVERY:
            # the reader knows the trial, and `end` says what became of it
            self._write(name, [] if name in ("trial", "shared", "outcome") else list(values))
        getattr(self._listener, name)(*values)

    def _write(self, name: str, values: list[Any]) -> None:
        self._written = time.monotonic()
        line = json.dumps({"time": round(time.time(), 1), "event": name, "values": values}) + "\n"
        if name == BEGIN:
            line = "\n" + line  # the last line of a process that was killed may be half written
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)


@dataclass(frozen=True)
class End:
    """That the work on a node has ended. `outcome` is None if another process was doing it."""

    outcome: Outcome | None


class Following:
    """What is reported about a node that is worked on elsewhere.

    Args:
        progress: is told what is reported, as if it happened here.
    """

    def __init__(self, node: Node, progress: Progress) -> None:
        self._node, self._progress = node, progress
        self._path, self._read = path(node.trial.config["results_dir"], node.key), 0

    def poll(self) -> End | None:
        """Pass on what is new. Returns what became of the node, if it has ended."""
        found = None
        lines, self._read = _lines(self._path, self._read)
        for line in lines:
            values = line["values"]
            match line["event"]:
                case "begin":
                    found = None  # it was begun once more
                case "end":
                    found = End(None if values[0] is None else Outcome.from_json(values[0]))
                    if found.outcome is not None and self._node.stage is None:
                        self._progress.outcome(found.outcome)
                case "trial":
                    self._progress.trial(self._node.trial)
                case "shared":
                    self._progress.shared(self._node)
                case "outcome":
                    pass
                case name if name in REPORTED:
                    getattr(self._progress, name)(*values)
        return found


class Latest(Progress):
    """The state of the work on a node, from its file.

    Attributes:
        host, process: who does it, or did it last; empty and 0 if nobody began.
        began, reported: when it was begun, and when it last reported something, in seconds since 1970.
        ended: whether it has ended.
        name, done, steps: the stage that is trained, and how much of it; empty and 0 before the first.
        rate: images per second.
        text: the last message.
    """

    def __init__(self, file: Path) -> None:
        self.host, self.process = "", 0
        self.began = self.reported = 0.0
        self.ended = False
        self.name, self.text = "", ""
        self.done = self.steps = 0
        self.rate = 0.0
        for line in _lines(file, 0)[0]:
            name, values, self.reported = line["event"], line["values"], line["time"]
            self.ended = name == END
            if name == BEGIN:
                (self.host, self.process), self.began = values, line["time"]
            elif name in ("message", "stage", "step"):
                getattr(self, name)(*values)

    def message(self, text: str) -> None:
        self.text = text

    def stage(self, name: str, step: int, steps: int) -> None:
        self.name, self.done, self.steps, self.text = name, step, steps, ""

    def step(self, step: int, losses: Mapping[str, float], images_per_second: float) -> None:
        self.done, self.rate = step, images_per_second


def _lines(file: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """The whole lines from byte `start` on, and where they end. What is no event, as after a crash, is passed over."""
    try:
        data = file.read_bytes()
    except OSError:
        return [], start
    start = start if start <= len(data) else 0  # it was removed, and the work begun once more
    data = data[start:]
    whole = data[: data.rfind(b"\n") + 1]
    found = []
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and event.keys() >= {"time", "event", "values"}:
                found.append(event)
    return found, start + len(whole)
