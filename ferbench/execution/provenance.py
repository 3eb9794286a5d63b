"""The provenance of a record: machine, time and versions."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ferbench.cards import EvaluatorCard
from ferbench.execution.installed import PACKAGES, version
from ferbench.interfaces.backbone import Backbone
from ferbench.records.metrics import CARDS, UNMEASURED, as_stated
from ferbench.training.loop import Device


def provenance(
    began: datetime,
    device: Device,
    backbone: Backbone,
    code: Mapping[str, str],
    evaluators: Sequence[EvaluatorCard],
    origins: Mapping[str, str],
    start: str = "",
    packages: Sequence[str] = (),
    devices: int = 1,
    measured: Sequence[str] = (),
    failed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The provenance of a record.

    Args:
        began: when the trial was started.
        device: where it ran.
        backbone: its initial weights are described.
        code: digest of the code by part.
        evaluators: what computed the metrics; their versions and packages are stated.
        origins: distribution and version of each component's plugin, by part.
        start: digest of the weights that the backbone started from; empty for random ones.
        packages: further packages whose versions are stated.
        devices: how many trained it together.
        measured: names of the metrics of the record; what the evaluators' cards say of them is stated.
        failed: a sentence for each evaluator that failed, by name.
    """
    packages = [*packages, *(package for card in evaluators for package in card.packages)]
    on_cuda = device.device.type == "cuda"
    cards = as_stated((metric for card in evaluators for metric in card.metrics), measured)
    return {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": platform.machine(),
        "system": platform.system(),
        "device": torch.cuda.get_device_name(device.device) if on_cuda else f"cpu, {torch.get_num_threads()} threads",
        "devices": devices,
        "precision": device.precision,
        "pretraining": backbone.pretraining,
        **({"initial_weights": start} if start else {}),
        "plugins": dict(origins),
        "code": dict(code),
        "evaluators": {card.name: card.version for card in evaluators if card.name not in (failed or {})},
        "versions": {name: found for name in (*PACKAGES, *packages) if (found := version(name)) is not None}
        | {"python": platform.python_version(), "cuda": torch.version.cuda if on_cuda else None},
        "revision": _revision(),
        **({CARDS: cards} if cards else {}),
        **({UNMEASURED: dict(failed)} if failed else {}),
    }


def _revision() -> str | None:
    """The git revision of the sources; None if ferbench does not run from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
