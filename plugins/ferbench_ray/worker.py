"""What runs in Ray's processes: the tasks, and the actor that collects what they report."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ferbench.cores import be_considerate, keep_memory
from ferbench.errors import FerbenchError
from ferbench.interfaces import parcels
from ferbench.interfaces.executor import DONE, STORED, Node, Outcome, Relayed, Trial
from ferbench.interfaces.parcels import Files

EVERY = 0.5
"""Seconds between two reports of the steps of a stage."""

LANES = "FERBENCH_LANES"
"""Environment variable that tells a trial how many share its GPU, so that its record says so."""


@dataclass(frozen=True)
class Shared:
    """What all tasks of a study need.

    Attributes:
        key: unique; part of the names of folders on the nodes.
        folder: where the command was given, from which relative paths count.
        mark: a file in the results folder. A node that sees it has that folder.
        environment: variables of ferbench that the command has.
        gpus: share of a GPU that a trial has.
        plugins: the code of plugin files.
        everywhere: whether all nodes have the results folder.
        versions: what each node has to have installed.
        mailbox: the actor that collects reports; None for none.
    """

    key: str
    folder: str
    mark: str
    environment: Mapping[str, str]
    gpus: float
    plugins: Mapping[str, Files] = field(default_factory=dict)
    everywhere: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    mailbox: Any = None

    @property
    def home(self) -> Path:
        """The study's folder on a node."""
        return Path(tempfile.gettempdir(), f"ferbench-{self.key}")


@dataclass(frozen=True)
class Report:
    """What became of a node.

    Attributes:
        outcome: as of `Node.perform`; None also if something that it needs was not done.
        refusal: why nothing can be done on this machine; empty if it can.
        interrupted: whether it was interrupted, and what it left comes home.
    """

    outcome: Outcome | None = None
    refusal: str = ""
    interrupted: bool = False

    @property
    def well(self) -> bool:
        """Whether what needs the node can start."""
        return self.outcome is not None and self.outcome.status in (DONE, STORED)


class Mailbox:
    """An actor: reports of all tasks, until the command takes them."""

    def __init__(self) -> None:
        self._reports: list[tuple[Any, ...]] = []

    def put(self, *report: Any) -> None:
        self._reports.append(report)

    def take(self) -> list[tuple[Any, ...]]:
        reports, self._reports = self._reports, []
        return reports


class Relay(Relayed):
    """The progress listener of a task: it sends all calls to the mailbox, those about steps not too often."""

    def __init__(self, mailbox: Any, key: str) -> None:
        self._mailbox, self._key = mailbox, key
        self._steps, self._sent = 0, 0.0

    def report(self, name: str, values: tuple[Any, ...]) -> None:
        if name == "stage":
            self._steps = values[2]
        now = time.monotonic()
        if name == "outcome" or (name == "step" and values[0] != self._steps and now - self._sent < EVERY):
            return  # an outcome is what the task returns
        self._sent = now
        about = () if name in ("trial", "shared") else values  # the command knows the node
        self._mailbox.put.options(num_returns=0).remote(self._key, socket.gethostname(), name, about)


def perform(shared: Shared, node: Node, *needs: Report | Mapping[str, Files]) -> tuple[Report, dict[str, Files]]:
    """Do the work of a node.

    Args:
        needs: reports of the nodes that it needs; and stages by key, packed, of which some may be checkpoints.

    Returns:
        What became of it; and by key what is new of its stages and itself, packed, unless all nodes have the results folder.
    """
    if any(isinstance(need, Report) and not need.well for need in needs):
        return Report(), {}
    if refusal := _refusal(shared, node.trial):
        return Report(refusal=refusal), {}
    relay = Relay(shared.mailbox, node.key)
    if shared.everywhere:
        return Report(node.perform(relay)), {}
    shared.home.mkdir(mode=0o700, exist_ok=True)
    own = parcels.at(node, shared.home / "results")
    brought = {key: files for need in needs if not isinstance(need, Report) for key, files in need.items()}
    nodes = parcels.parts_of(own)
    for part in nodes:
        if part.key in brought:
            parcels.adopt(part, brought[part.key])
    interrupted = False
    try:
        outcome = own.perform(relay)
    except KeyboardInterrupt:
        outcome, interrupted = None, True
    new = {part.key: files for part in nodes if (files := parcels.pack(part)) and files != brought.get(part.key)}
    return Report(outcome, interrupted=interrupted), new


def look(shared: Shared, trials: Sequence[Trial]) -> tuple[bool, dict[str, str] | str]:
    """Whether this machine has the results folder; and what is installed here, or a sentence why that cannot be said."""
    _settle(shared)
    try:
        return Path(shared.mark).is_file(), parcels.installed(trials)
    except FerbenchError as error:
        return False, str(error)


def clear(shared: Shared) -> None:
    """Remove the study's folder on this machine."""
    shutil.rmtree(shared.home, ignore_errors=True)


def different(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """What of another installation differs from ours, in words; empty if nothing does. What we have not counts for nothing: a study
    is planned without torch."""
    found = [
        f"{name} differs" if name.startswith("the code") else f"{name} is {theirs.get(name, 'missing')} and not {known}"
        for name, known in ours.items()
        if theirs.get(name) != known
    ]
    versions = [sentence for sentence in found if not sentence.startswith("the code")]
    return ", ".join(versions or found)


_refused: dict[tuple[str, str], str] = {}


def _refusal(shared: Shared, trial: Trial) -> str:
    """Why this machine cannot do the work of a trial; empty if it can. A node may have joined the cluster later."""
    _settle(shared)
    key = (shared.key, repr(sorted(trial.code.items())))
    if key not in _refused:
        sees, installed = look(shared, [trial])
        if isinstance(installed, str):
            _refused[key] = f"The Ray node {socket.gethostname()} cannot run the study: {installed}"
        elif difference := different({k: v for k, v in shared.versions.items() if k in installed}, installed):
            _refused[key] = f"On the Ray node {socket.gethostname()} {difference}. Install the same on all nodes."
        elif shared.everywhere and not sees:
            _refused[key] = (
                f"The Ray node {socket.gethostname()} joined during the study and does not have its results folder "
                f"{Path(shared.mark).parent.parent}. Start the command again; it then does without a common folder."
            )
        else:
            _refused[key] = ""
    return _refused[key]


_settled: set[str] = set()


def _settle(shared: Shared) -> None:
    """Make this process as the command is: folder, variables, plugin files."""
    if shared.key in _settled:
        return
    _settled.add(shared.key)
    be_considerate()
    keep_memory()
    if shared.gpus == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif shared.gpus < 1:
        os.environ[LANES] = str(int(1 / shared.gpus))
    for name, value in shared.environment.items():
        os.environ.setdefault(name, value)
    if Path(shared.folder).is_dir():
        os.chdir(shared.folder)
    if shared.plugins:
        shared.home.mkdir(mode=0o700, exist_ok=True)
        parcels.place(shared.plugins, shared.home / f"plugins-{os.getpid()}")
