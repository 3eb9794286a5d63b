"""The identity of a trial: all that its result depends on. The digest of the identity is the trial's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferbench.hashing import digest

IDENTITY = 2
"""Version of the format of identities. Version 1 contained hashes of source code instead of declared versions."""


ALIGNMENT = ("detector", "margin", "no_face")
"""Settings of the preparation that count where images are aligned, and do nothing elsewhere."""


def counted_preparation(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the preparation that its images depend on."""
    return {k: v for k, v in values.items() if values.get("mode") == "align" or k not in ALIGNMENT}


@dataclass(frozen=True)
class DatasetIdentity:
    """A dataset: name and version of its card, and the hash of its content (`Dataset.fingerprint`)."""

    name: str
    version: int
    fingerprint: str


@dataclass(frozen=True)
class ComponentIdentity:
    """A protocol, backbone or method: name and version of its card, and its settings."""

    name: str
    version: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """All that a trial's result depends on.

    Attributes:
        dataset, protocol, backbone, method: the components, with declared versions and settings.
        test_subjects: subject IDs of the test set, sorted.
        train_subjects: subject IDs of the training set, sorted.
        frames_digest: hash of the frame_ids of the test set and of the training set.
        stage_steps: number of training steps of each stage.
        seed: the random seed.
        preparation, augment, budget, trainer, evaluation: those settings of these sections that affect the result. Where images
            are aligned, `preparation` includes "detector_version", the version of the face detector's card.
        core: version of ferbench's computations in training and evaluation.
        code: digest of the code of each component without a released version (`--plugin` files and editable installs of
            plugins), by "method", "backbone", "dataset", "protocol", "test_dataset", "extra_dataset" or "detector".
        extra: the extra dataset; None where there is none, which `to_dict` then leaves out.
        version: version of the format of the identity; 1 for records that are not migrated yet.
    """

    dataset: DatasetIdentity
    protocol: ComponentIdentity
    test_subjects: tuple[str, ...]
    train_subjects: tuple[str, ...]
    frames_digest: str
    backbone: ComponentIdentity
    method: ComponentIdentity
    stage_steps: Mapping[str, int]
    seed: int
    preparation: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    core: int = 1
    code: Mapping[str, str] = field(default_factory=dict)
    version: int = IDENTITY
    extra: DatasetIdentity | None = None

    def to_dict(self) -> dict[str, Any]:
        """The identity as dicts, tuples, strings and numbers."""
        values = dataclasses.asdict(self)
        if self.extra is None:  # as before there was such a part: the names of stored trials stay
            del values["extra"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Identity:
        """The inverse of `to_dict`. Raises KeyError or TypeError if the values are not an identity."""
        return cls(
            **{
                **values,
                "dataset": DatasetIdentity(**values["dataset"]),
                **{name: ComponentIdentity(**values[name]) for name in ("protocol", "backbone", "method")},
                "extra": DatasetIdentity(**values["extra"]) if values.get("extra") else None,
                "test_subjects": tuple(values["test_subjects"]),
                "train_subjects": tuple(values["train_subjects"]),
            }
        )

    @property
    def id(self) -> str:
        """The name of the trial: 16 hexadecimal digits, the digest of the identity."""
        return digest(self.to_dict())
