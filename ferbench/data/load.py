"""Loading a dataset with a protocol: frame table, folds and prepared images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ferbench.cards import DatasetCard, DetectorCard, MethodCard, ProtocolCard, counted
from ferbench.config.schema import Preparation, RunConfig
from ferbench.data.cache import LazyDetector, Prepared, prepare
from ferbench.data.extra import Extra, load_extra
from ferbench.data.joined import Joined, image_key, twins
from ferbench.data.loaded import Loaded, load_dataset
from ferbench.errors import FerbenchError
from ferbench.files import cache_folder
from ferbench.hashing import digest
from ferbench.interfaces.dataset import Dataset, check_frames
from ferbench.interfaces.protocol import TRAIN_ONLY, Protocol
from ferbench.protocols.select import SIDE, Sides, sides, split
from ferbench.randomness import own_random_state
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
        notes: sentences that every record of it states.
        extra: what is trained on besides; None for nothing.
    """

    dataset: Dataset
    card: DatasetCard
    frames: pd.DataFrame
    selected: pd.DataFrame
    protocol: ComponentIdentity
    folds: tuple[int, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    extra: Extra | None = None

    def sides(self, fold: int) -> Sides:
        """Test set, training set and validation set of a fold. Raises as `ferbench.protocols.select.sides`."""
        settings = self.protocol.settings
        return sides(self.selected, fold, settings.get("validation", 0.0), settings.get("assignment", 0))

    def extra_of(self, fold: int) -> pd.DataFrame:
        """The rows of the extra dataset that a fold trains on: those of people of whom it tests and validates nothing.

        Raises:
            FerbenchError: there are none.
        """
        assert self.extra is not None
        of_fold = self.sides(fold)
        return self.extra.without(set(self.selected.loc[of_fold.tested | of_fold.validation, "subject"].astype(str)))


CROSS_DATASET = "cross_dataset"

IMAGE_KFOLD = "image_kfold"

WITHOUT_IDENTITIES = ("fixed", CROSS_DATASET, IMAGE_KFOLD)
"""Protocols that do not split by subject."""

NOT_COUNTED = ("folds", "repeats", "file")
"""Settings of protocols that are not part of a trial's identity: a trial has one fold and one assignment, and its identity
contains the digest of its frames."""


def data_key(values: Mapping[str, Any]) -> str:
    """A digest of what of a configuration, as `RunConfig.to_dict` gives it, its data and their folds depend on."""
    protocol = {name: value for name, value in values["protocol"].items() if name != "folds"}
    method = values["method"]["name"] if values.get("extra_dataset") else ""  # says whether frames need an expression
    return digest([*(values.get(name) for name in ("dataset", "test_dataset", "extra_dataset")), protocol, method])


def load_data(registry: Registry, config: RunConfig) -> Data:
    """Load the dataset of a configuration, or two if it has a `test_dataset`, and divide it into folds.

    Raises:
        FerbenchError: the data cannot be read, the protocol cannot split it, or the two datasets have people or pictures in common.
    """
    loaded = load_dataset(registry, config.dataset)
    if config.test_dataset is not None:
        loaded = _joined(registry, config, loaded)
    elif registry.recorded(registry.get(ProtocolCard, config.protocol.name)) == CROSS_DATASET:
        raise FerbenchError("protocol=cross_dataset tests on another dataset: add test_dataset=NAME.")
    card, frames = loaded.card, loaded.frames
    if not frames["expression"].isin(card.expressions).any():
        raise FerbenchError(
            f"No frame of dataset '{card.name}' has an expression, so that nothing can be tested. It can be the extra_dataset of a "
            "method that takes frames without one."
        )
    chosen = _protocol(registry, config.protocol, card)
    protocol_card = registry.get(ProtocolCard, chosen.name)
    name = registry.recorded(protocol_card)
    protocol = chosen.make(registry, ProtocolCard)
    assert isinstance(protocol, Protocol)
    if "subject" not in card.provides and name not in WITHOUT_IDENTITIES:
        raise FerbenchError(
            f"protocol={chosen.name} splits by subject, and dataset '{card.name}' has no identities. protocol=fixed takes a split "
            "of its own, protocol=image_kfold folds of images."
        )
    if "subject" in card.provides and name == IMAGE_KFOLD:
        raise FerbenchError(
            f"protocol=image_kfold is for datasets without identities; '{card.name}' has them: write protocol=subject_kfold."
        )
    with registry.blaming(protocol_card), own_random_state(0):
        selected = split(frames, card, protocol)
    tested = selected["fold"] if SIDE not in selected else selected.loc[selected[SIDE] == "test", "fold"]
    folds = tuple(sorted({int(fold) for fold in tested} - {TRAIN_ONLY}))
    used = {k: v for k, v in counted(protocol_card.settings, chosen.settings).items() if k not in NOT_COUNTED}
    if used.get("frames") == "auto":
        used["frames"] = card.frames
    identity = ComponentIdentity(name, protocol_card.version, used)
    notes = loaded.notes + _validation_note(protocol.settings.validation)
    if name == IMAGE_KFOLD:
        notes += (
            f"{card.name} does not say who is who: images of one person may be in the training and in the test set.",
        )
    extra = None
    if config.extra_dataset is not None:
        unlabelled = bool(config.method.name) and registry.get(MethodCard, config.method.name).unlabelled
        extra = load_extra(registry, config.extra_dataset, loaded, config.test_dataset is not None, unlabelled)
        notes += extra.notes
    data = Data(loaded.dataset, card, frames, selected, identity, folds, loaded.fingerprint, notes, extra)
    for fold in folds:
        data.sides(fold)  # refuses a validation set that leaves nobody to train on before anything runs
        if extra is not None:
            data.extra_of(fold)
    return data


def _validation_note(share: float) -> tuple[str, ...]:
    return (f"{share:g} of the training subjects were kept apart for validation and not trained on.",) if share else ()


def _joined(registry: Registry, config: RunConfig, train: Loaded) -> Loaded:
    """The dataset of a configuration joined with its test dataset.

    Raises:
        FerbenchError: the protocol does not go with two datasets, or they have people or pictures in common that nobody asked for.
    """
    assert config.test_dataset is not None
    test = load_dataset(registry, config.test_dataset)
    asked = registry.get(ProtocolCard, config.protocol.name)
    name = registry.recorded(asked)
    crossed = asked.of_dataset or name == CROSS_DATASET
    by_subject = not crossed and name not in (*WITHOUT_IDENTITIES, "listed")
    joined = Joined(train, test)
    same_people = joined.same and "subject" in train.card.provides & test.card.provides
    if not crossed and not (by_subject and same_people):
        raise FerbenchError(
            f"test_dataset={config.test_dataset.name} is for protocol=cross_dataset; protocol={name} splits one dataset"
            + (", or two with the same people" if by_subject else "")
            + ". Leave one of them out."
        )
    notes = [f"{side}: {note}" for side, part in joined.parts.items() for note in part.notes]
    notes += joined.notes
    if crossed and joined.untold:
        notes.append(_untold(config, joined))
    elif crossed and joined.common:
        notes.append(_overlap(config, joined, SUBJECTS if same_people else IMAGES))
    elif config.protocol.settings.get("allow_overlap") == SUBJECTS:
        raise FerbenchError(
            f"protocol.allow_overlap=subjects: {train.card.name} and {test.card.name} have no people in common that are known. "
            "Leave it out."
        )
    frames = check_frames(joined.frames(), joined.card)
    return Loaded(joined.card, joined, frames, joined.card.expressions, tuple(notes))


SUBJECTS, IMAGES = "subjects", "images"


def _overlap(config: RunConfig, joined: Joined, what: str) -> str:
    """A note on what is trained on and tested too.

    Raises:
        FerbenchError: it was not asked for.
    """
    both = f"{len(joined.common)} of the {joined.tested} {what} of the test set"
    if config.protocol.settings.get("allow_overlap") == what:
        return f"{both} are in the training set too (protocol.allow_overlap={what})."
    population = joined.card.population
    way = "protocol=subject_10fold_ordered leaves the subjects of each test fold out of training, and "
    other = " If they are other people of the same names, name them: dataset.population=A test_dataset.population=B."
    named = all(hasattr(part.dataset.settings, "population") for part in joined.parts.values())
    raise FerbenchError(
        f"{both} are in the training set too, such as {joined.common[0].removeprefix(population + '/')}: both datasets are of "
        f"{population}. {way if what == SUBJECTS else ''}protocol.allow_overlap={what} tests on what was trained on, which every "
        f"board then says.{other if named else ''}"
    )


def _untold(config: RunConfig, joined: Joined) -> str:
    """A note on two datasets of one population that do not say who is who.

    Raises:
        FerbenchError: it was not asked for.
    """
    names = " and ".join(part.card.name for part in joined.parts.values())
    both = f"{names} are of the same people ({joined.card.population}), and it cannot be told which of them are on both sides"
    if config.protocol.settings.get("allow_overlap"):
        return f"{both} (protocol.allow_overlap)."
    raise FerbenchError(f"{both}. protocol.allow_overlap=subjects runs it all the same, and every board then says so.")


def check_twins(data: Data, prepared: Prepared, allowed: str) -> None:
    """Look for equal images on both sides of a test across datasets.

    Args:
        allowed: protocol.allow_overlap. Where people are allowed on both sides, their images are.

    Raises:
        FerbenchError: there are some, and nobody asked for them; or somebody asked, and there are none.
    """
    if not isinstance(data.dataset, Joined) or allowed == SUBJECTS:
        return
    usable = data.selected[data.selected["frame_id"].isin(prepared.rows)]
    rows = usable["frame_id"].map(prepared.rows).to_numpy()
    pairs = list(twins(prepared.images, rows, usable[SIDE].to_numpy(), usable["fold"].to_numpy()))
    tested = int((usable[SIDE] == "test").sum())
    if pairs and not allowed:
        one, other = (usable["frame_id"].iloc[place] for place in pairs[0])
        raise FerbenchError(
            f"{len(pairs)} of the {tested} test images are training images too, pixel by pixel, such as {one} and {other}. "
            "protocol.allow_overlap=images tests on what was trained on, which every board then says."
        )
    if allowed == IMAGES and not pairs and not data.dataset.common and not data.dataset.untold:
        raise FerbenchError("protocol.allow_overlap=images: no image is on both sides. Leave it out.")


def check_extra_twins(data: Data, prepared: Prepared, extra: Prepared) -> None:
    """Raise FerbenchError if a fold tests an image that is in the extra dataset that it trains on, pixel by pixel."""
    assert data.extra is not None
    known: dict[bytes | None, list[str]] = {}
    for frame in data.extra.selected["frame_id"]:
        if frame in extra.rows:
            known.setdefault(image_key(extra.images[extra.rows[frame]]), []).append(frame)
    known.pop(None, None)
    keys = {f: image_key(prepared.images[prepared.rows[f]]) for f in data.selected["frame_id"] if f in prepared.rows}
    for fold in data.folds:
        tested = data.selected.loc[data.sides(fold).tested, "frame_id"]
        trained = set(data.extra_of(fold)["frame_id"])
        twins_of = {f: next((t for t in known.get(keys.get(f), ()) if t in trained), None) for f in tested}
        pairs = [(f, twin) for f, twin in twins_of.items() if twin is not None]
        if pairs:
            raise FerbenchError(
                f"{len(pairs)} of the {len(tested)} test images of fold {fold} are in extra_dataset={data.extra.card.name} too, "
                f"pixel by pixel, such as {pairs[0][0]} and {pairs[0][1]}: they would be trained on. Take another extra dataset."
            )


def _protocol(registry: Registry, asked: Component, card: DatasetCard) -> Component:
    """The protocol that is asked for, or the one of the dataset's card, with the settings that it knows."""
    name = card.protocol if registry.get(ProtocolCard, asked.name).of_dataset else asked.name
    known = registry.get(ProtocolCard, name).setting_names
    if "assignment" not in known and asked.settings.get("assignment"):
        raise FerbenchError(
            f"protocol={name} has one assignment of subjects to folds; leave protocol.assignment and protocol.repeats out."
        )
    if "allow_overlap" not in known and asked.settings.get("allow_overlap"):
        raise FerbenchError(f"protocol.allow_overlap is for tests across datasets; protocol={name} does without.")
    return Component(name, {k: v for k, v in asked.settings.items() if k in known})


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
    registry: Registry,
    of: Data | Extra,
    config: RunConfig,
    progress: Callable[[int, int], None] = lambda done, total: None,
    tell: Callable[[str], None] = lambda sentence: None,
) -> Prepared:
    """The prepared images of a dataset with its protocol, or of an extra dataset, read from the cache or prepared now. Arguments
    and errors as of `prepare`."""
    detector = None
    name = detector_name(registry, config.preparation)
    if name:
        card = registry.get(DetectorCard, name)
        detector = LazyDetector(f"{registry.recorded(card)} {card.version}", lambda: card.load()(card.settings()))
    return prepare(
        of.dataset,
        of.fingerprint,
        of.frames,
        of.selected,
        config.preparation,
        cache_folder(config.cache_dir),
        progress,
        detector,
        tell,
        clip_of(registry, config.method),
    )


def clip_of(registry: Registry, method: Component) -> int:
    """The number of frames of a clip of a configuration's method; 0 for single images, and without a method. Raises as
    `MethodCard.clip_length`."""
    return registry.get(MethodCard, method.name).clip_length(method.settings) if method.name else 0
