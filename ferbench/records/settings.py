"""The settings of a trial as a flat table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ferbench.records.schema import Trial


def settings_of(trial: Trial) -> dict[str, Any]:
    """Every setting of a trial, by the name that `ferbench run` takes: "method", "method.lr", "budget.steps" ...

    `seeds` and `ablation` are left out, which a trial has as its seed and its variant.
    """
    return {key: value for key, value in _flat(trial.config) if key not in ("seeds", "ablation")}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            if "name" in value:
                yield prefix + key, value["name"]
            yield from _flat({k: v for k, v in value.items() if k != "name"}, f"{prefix}{key}.")
        else:
            yield prefix + key, value
