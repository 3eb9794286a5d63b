"""Loading a dataset with a protocol: frame table, folds and prepared images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ferbench.cards import DatasetCard, DetectorCard, ProtocolCard, counted
from ferbench.config.schema import Preparation, RunConfig
from ferbench.data.cache import LazyDetector, Prepared, prepare
from ferbench.data.joined import Joined
from ferbench.errors import FerbenchError
from ferbench.files import cache_folder
from ferbench.interfaces.dataset import Dataset, Describes, check_frames
from ferbench.interfaces.protocol import TRAIN_ONLY, Protocol
from ferbench.protocols.select import split
from ferbench.records.identity import ComponentIdentity
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Data:
    """A dataset with a protocol.

    Attributes:
        dataset: the dataset.
        card: its card, as the dataset itself describes it.
        frames: the whole frame table.
        selected: the rows of the frame table that the protocol uses, with the additional column `fold`.
        protocol: name, version and settings of the protocol that is used.
        folds: numbers of the protocol's folds.
        fingerprint: hash of the dataset's content.
    """

    dataset: Dataset
    card: DatasetCard
    frames: pd.DataFrame
    selected: pd.DataFrame
    protocol: ComponentIdentity
    folds: tuple[int, ...]
    fingerprint: str


CROSS_DATASET = "cross_dataset"

WITHOUT_IDENTITIES = ("fixed", CROSS_DATASET)
"""Protocols that do not split by subject."""

NOT_COUNTED = ("folds", "repeats", "file")
"""Settings of protocols that are not part of a trial's identity: a trial has one fold and one assignment, and its identity
contains the digest of its frames."""


def load_data(registry: Registry, config: RunConfig) -> Data:
    """Load the dataset of a configuration, or two if it has a `test_dataset`, and divide it into folds.

    Raises:
        FerbenchError: the data cannot be read, or the protocol cannot split it.
    """
    card, dataset = load_dataset(registry, config.dataset)
    if config.test_dataset is not None:
        if not registry.get(ProtocolCard, config.protocol.name).of_dataset and config.protocol.name != CROSS_DATASET:
            raise FerbenchError(
                f"test_dataset={config.test_dataset.name} is for protocol=cross_dataset; protocol={config.protocol.name} splits "
                "one dataset. Leave one of them out."
            )
        dataset = Joined((card, dataset), load_dataset(registry, config.test_dataset))
        card = dataset.card
    elif config.protocol.name == CROSS_DATASET:
        raise FerbenchError("protocol=cross_dataset tests on another dataset: add test_dataset=NAME.")
    chosen = _protocol(registry, config.protocol, card)
    frames = check_frames(dataset.frames(), card)
    protocol = chosen.make(registry, ProtocolCard)
    assert isinstance(protocol, Protocol)
    if "subject" not in card.provides and chosen.name not in WITHOUT_IDENTITIES:
        raise FerbenchError(f"protocol={chosen.name} splits by subject, and dataset '{card.name}' has no identities.")
    selected = split(frames, card, protocol)
    folds = tuple(sorted({int(fold) for fold in selected["fold"]} - {TRAIN_ONLY}))
    protocol_card = registry.get(ProtocolCard, chosen.name)
    used = {k: v for k, v in counted(protocol_card.settings, chosen.settings).items() if k not in NOT_COUNTED}
    if used.get("frames") == "auto":
        used["frames"] = card.frames
    identity = ComponentIdentity(chosen.name, protocol_card.version, used)
    return Data(dataset, card, frames, selected, identity, folds, dataset.fingerprint())


def _protocol(registry: Registry, asked: Component, card: DatasetCard) -> Component:
    """The protocol that is asked for, or the one of the dataset's card, with the settings that it knows."""
    name = card.protocol if registry.get(ProtocolCard, asked.name).of_dataset else asked.name
    known = registry.get(ProtocolCard, name).setting_names
    if "assignment" not in known and asked.settings.get("assignment"):
        raise FerbenchError(
            f"protocol={name} has one assignment of subjects to folds; leave protocol.assignment and protocol.repeats out."
        )
    return Component(name, {k: v for k, v in asked.settings.items() if k in known})


def load_dataset(registry: Registry, asked: Component) -> tuple[DatasetCard, Dataset]:
    """A dataset and its card. Where the dataset describes itself (`Describes`), it is the card that the dataset returns.

    Raises:
        FerbenchError: there is no such dataset, or it cannot be read.
    """
    dataset = asked.make(registry, DatasetCard)
    card = registry.get(DatasetCard, asked.name)
    return (dataset.describe(card) if isinstance(dataset, Describes) else card), dataset


def detector_name(registry: Registry, preparation: Preparation) -> str:
    """The face detector that a preparation uses: the one that it names, else the only one that is installed; "" for none, and
    where images are not aligned.

    Raises:
        FerbenchError: several are installed, and none is named.
    """
    if preparation.mode != "align":
        return ""
    if preparation.detector:
        return preparation.detector
    installed = list(registry.catalogue(DetectorCard))
    if len(installed) > 1:
        raise FerbenchError(
            f"Which face detector? Write preparation.detector=NAME; installed are {', '.join(installed)}."
        )
    return installed[0] if installed else ""


def prepare_data(
    registry: Registry, data: Data, config: RunConfig, progress: Callable[[int, int], None] = lambda done, total: None
) -> Prepared:
    """The prepared images of a dataset with its protocol, read from the cache or prepared now. Raises as `prepare` does."""
    detector = None
    name = detector_name(registry, config.preparation)
    if name:
        card = registry.get(DetectorCard, name)
        detector = LazyDetector(f"{card.name} {card.version}", lambda: card.load()(card.settings()))
    return prepare(
        data.dataset,
        data.fingerprint,
        data.frames,
        data.selected,
        config.preparation,
        cache_folder(config.cache_dir),
        progress,
        detector,
    )
