"""What an engine carries between machines: the code of plugin files, what a machine has installed, and, where the machines have no
results folder in common, trained stages and records.

A machine without the study's results folder works in one of its own:

    own = at(node, folder)                  # the same work, with another results folder
    adopt(own, files)                       # a stage that it starts from, packed elsewhere
    outcome = own.perform(progress)
    files = pack(own)                       # to be sent home, where adopt(node, files) stores it
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench.interfaces.executor import Node
from ferbench.records.schema import Trial

PARCELS = "ferbench.execution.parcels"
"""The module that does what these functions say. It is imported where they are called."""

Files = Mapping[str, bytes]
"""Contents of files by name."""


def at(node: Node, results_dir: str | Path) -> Node:
    """The same work with another results folder, which is created."""
    _module().prepare(results_dir)
    trial = node.trial
    there = dataclasses.replace(trial, config={**trial.config, "results_dir": str(results_dir)})
    return dataclasses.replace(node, trial=there)


def stages_of(node: Node) -> list[Node]:
    """Nodes of all stages, and of the judges, that the node's trial trains or loads; `pack` and `adopt` take them."""
    return [Node(stage.key, node.trial, stage) for stage in node.trial.trainings]


def parts_of(node: Node) -> list[Node]:
    """All that work on the node may bring about: its `stages_of`, and a trial itself."""
    return [*stages_of(node), *([node] if node.stage is None else [])]


def pack(node: Node) -> Files:
    """What the results folder holds of a node: the files of the trained stage or its checkpoint, of the record or of the failure.
    Empty if there is nothing."""
    found: Files = _module().pack(node)
    return found


def adopt(node: Node, files: Files) -> None:
    """Store in the results folder what `pack` gave elsewhere, each folder at once. What is there already stays, unless the trial is
    to replace it.

    Raises:
        OSError: a file cannot be written.
    """
    _module().adopt(node, files)


def plugin_files(trials: Sequence[Trial]) -> dict[str, Files]:
    """The code of the plugin files (`--plugin`) of trials, and of the modules beside them that they import: for each plugin file,
    contents by path relative to its folder."""
    found: dict[str, Files] = _module().plugin_files(trials)
    return found


def place(plugins: Mapping[str, Files], folder: Path) -> None:
    """Let this process load the plugin files of another machine. Those that are not here, with the same content, are written below
    `folder`, and are found there under their paths."""
    _module().place(plugins, folder)


def installed(trials: Sequence[Trial]) -> dict[str, str]:
    """What of this machine's installation the results of trials depend on: versions of Python and of packages, and digests of the
    code of components, by a name for people. What is not installed is left out.

    Raises:
        FerbenchError: a plugin that a trial needs is not installed or cannot be loaded.
    """
    found: dict[str, str] = _module().installed(trials)
    return found


def _module() -> Any:
    return importlib.import_module(PARCELS)
