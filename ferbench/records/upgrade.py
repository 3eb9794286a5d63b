"""Conversion of records of version 1 to version 2, as plain JSON values. Nothing is written here.

In version 1 some settings have other names, and the identity contains hashes of the source code of ferbench and its plugins. Data,
settings, subjects, seed and versions of cards are all there, so that the identity of version 2 can be computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferbench.hashing import digest
from ferbench.records.identity import IDENTITY, counted_preparation

NOT_SETTINGS = ("name", "version")


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the JSON values of a record. The trial keeps its name, and its identity is marked as version 1."""
    old = values["trial"]["identity"]
    provenance = dict(values["provenance"])
    if "seen" in provenance:
        provenance["pretraining"] = provenance.pop("seen")
    provenance.setdefault("code", code_digests(old.get("code", {})))
    return {**values, "schema": 2, "trial": trial(values["trial"]), "provenance": provenance}


def trial(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the JSON values of a trial."""
    changed = dict(values)
    changed["fold_count"] = changed.pop("folds")
    changed["config"] = config(values["config"])
    changed["identity"] = identity(values["identity"])
    return changed


def config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a configuration: `seed` became `seeds`, and `evaluation.looks` became `evaluation.test_curve_points`."""
    changed = dict(values)
    seed = changed.pop("seed", None)
    if seed is not None:
        changed["seeds"] = changed.get("seeds") or [seed]
    changed["evaluation"] = evaluation(changed.get("evaluation"))
    preparation = changed.get("preparation", {})
    if "detector" in preparation and preparation.get("mode") != "align":
        changed["preparation"] = {**preparation, "detector": ""}
    return changed


def evaluation(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Convert the section `evaluation`. Records older than that section have no judges and no test curve."""
    if values is None:
        return {"judges": 0.0, "test_curve_points": 0}
    changed = dict(values)
    if "looks" in changed:
        changed["test_curve_points"] = changed.pop("looks")
    return changed


def identity(values: Mapping[str, Any], version: int = 1) -> dict[str, Any]:
    """Convert an identity. `version`: 1 if the trial keeps its old name, IDENTITY if it gets a new one."""
    protocol, method = values["protocol"], values["method"]
    return {
        "dataset": values["dataset"],
        "protocol": {
            "name": protocol["name"],
            "version": protocol["version"],
            "settings": {k: v for k, v in protocol.items() if k not in NOT_SETTINGS},
        },
        "test_subjects": values.get("test_subjects", []),
        "train_subjects": values.get("train_subjects", []),
        "frames_digest": values.get("frames", ""),
        "backbone": values["backbone"],
        "method": {k: method[k] for k in ("name", "version", "settings")},
        "stage_steps": method.get("steps", {}),
        "seed": values.get("seed", 0),
        "preparation": _preparation(values.get("preparation", {})),
        **{name: values.get(name, {}) for name in ("augment", "budget", "trainer")},
        "evaluation": evaluation(values.get("evaluation")),
        "core": 1,
        "code": {},
        "version": version,
    }


def _preparation(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the preparation. The card of every face detector had version 1 when records of version 1 were written."""
    counted = counted_preparation(values)
    return counted | {"detector_version": 1} if counted.get("detector") else counted


def code_digests(modules: Mapping[str, str]) -> dict[str, str]:
    """One digest for "core" and one for "plugins", from the hashes of modules in version 1."""
    core = {name: value for name, value in modules.items() if name.partition(".")[0] == "ferbench"}
    plugins = {name: value for name, value in modules.items() if name not in core}
    return {part: digest(hashes) for part, hashes in (("core", core), ("plugins", plugins)) if hashes}


def new_name(values: Mapping[str, Any], frames: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """(name, identity) in version 2 of a trial of version 1, as plain values.

    Args:
        values: JSON values of the trial.
        frames: digests of the frames of a fold by `fold_key`, for the oldest records, which do not contain them.
    """
    changed = identity(values["identity"], IDENTITY)
    changed["frames_digest"] = changed["frames_digest"] or frames.get(fold_key(values["identity"]), "")
    return digest(changed), changed


def fold_key(values: Mapping[str, Any]) -> str:
    """A digest of what determines the frames of a fold in version 1: dataset, protocol and subjects."""
    return digest([values["dataset"], values["protocol"], values.get("test_subjects"), values.get("train_subjects")])
