"""Cards: the description of a component that ferbench reads without importing the component's code.

A plugin's entry point names a module that defines cards and does not import torch. A card's `target` names the class or
function, "package.module:Name". That module is imported when a trial needs it, not before.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from ferbench.errors import FerbenchError, UnknownName, not_a_choice
from ferbench.expressions import canonical
from ferbench.extras import needed_by
from ferbench.settings import SCALARS, fits, options_of, plain, types_of

API = 1
"""Version of the plugin interface. A card states the one that it was written for."""

OLDEST_API = 1
"""Oldest version of the plugin interface that is still loaded, with a warning (docs/deprecations.md)."""

CLASSES = "classes"
"""A setting that every dataset has, beside those of its settings dataclass: which of its expressions are classes."""

WEIGHTS, SEEN = "weights", "seen"
"""Settings that every backbone has, beside those of its settings dataclass: the file with the weights that it starts from, and what
these were trained on, in words."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass
class NoSettings:
    """The settings class of a component without settings."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """The fields that the cards of all kinds of component have.

    Args:
        name: what the user types: lower-case letters, digits and '_', first a letter.
        target: the class or function that the card describes, "package.module:Name".
        title: one line for lists and tables.
        version: raise it when the same settings give another result. Results of different versions are never averaged.
        settings: a dataclass. Its fields become typed settings in the configuration, such as `method.lr`.
        paper: citation; empty if there is none.
        packages: distributions that the component uses and whose versions a record states, such as "timm".
        label: name of the setting whose value stands for `name` on boards: "model" of a backbone that wraps a library.
        shown: names of settings that boards state behind the name if they are not at their defaults.
        api: version of the plugin interface that the card was written for, see API; a card that does not say was written for 1.

    Raises:
        FerbenchError: the name, the target, the settings class or the version of the plugin interface is not valid.
    """

    kind: ClassVar[str] = "component"

    @property
    def stand_in(self) -> bool:
        """Whether the card stands for another one, which planning chooses, and points to nothing itself."""
        return False

    name: str
    target: str
    title: str
    version: int = 1
    settings: type = NoSettings
    paper: str = ""
    packages: Sequence[str] = ()
    label: str = ""
    shown: Sequence[str] = ()
    api: int = 1

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise FerbenchError(
                f"A {self.kind} card is called '{self.name}'; a name has lower-case letters, digits and '_' only."
            )
        if not _TARGET.fullmatch(self.target) and not self.stand_in:
            raise FerbenchError(
                f"The target of {self.kind} '{self.name}' is '{self.target}'; write it as 'package.module:Name'."
            )
        if not OLDEST_API <= self.api <= API:
            age, mend = (
                ("a newer", "Install a newer ferbench")
                if self.api > API
                else ("an older", "Install a newer release of it")
            )
            raise FerbenchError(
                f"{self.kind} '{self.name}' was written for {age} plugin interface ({self.api}; this ferbench has "
                f"{API} and supports {OLDEST_API} and newer). {mend}."
            )
        if not dataclasses.is_dataclass(self.settings):
            raise FerbenchError(f"The settings of {self.kind} '{self.name}' are not a dataclass.")
        types_of(self.settings, f"{self.kind} '{self.name}'")
        if "name" in self.setting_names:
            raise FerbenchError(f"The settings of {self.kind} '{self.name}' may not have a field called 'name'.")
        self._check_settings("name on boards", *self.shown, *([self.label] if self.label else []))

    def _check_settings(self, use: str, *names: str) -> None:
        for name in names:
            if name not in self.setting_names:
                raise UnknownName(f"setting of {self.kind} '{self.name}' ({use})", name, self.setting_names)

    @property
    def schema(self) -> type:
        """The dataclass of all settings that a configuration may have: `settings`, and those that the core adds to a kind."""
        return self.settings

    @property
    def setting_names(self) -> tuple[str, ...]:
        """Names of the settings, in the order of the dataclass."""
        return tuple(f.name for f in dataclasses.fields(self.schema))

    def defaults(self) -> dict[str, Any]:
        """Default value of each setting that has one, by name; tuples as lists, which is what configurations have."""
        values = {}
        for f in dataclasses.fields(self.schema):
            if f.default is not dataclasses.MISSING:
                values[f.name] = plain(f.default)
            elif f.default_factory is not dataclasses.MISSING:
                values[f.name] = plain(f.default_factory())
        return values

    def check_values(self, values: Mapping[str, Any], key: str) -> None:
        """Raise FerbenchError if a setting whose type lists its values has another one. `key`: as settings are typed, "method"."""
        for name, kind in types_of(self.schema, f"{self.kind} '{self.name}'").items():
            if name in values and (options := options_of(kind)) and not fits(values[name], kind):
                raise FerbenchError(not_a_choice(f"{key}.{name}", str(values[name]), list(map(str, options))))

    def own(self, values: Mapping[str, Any]) -> Any:
        """An instance of `settings` with values of a configuration, without those that the core adds."""
        added_by_core = set(self.setting_names) - {f.name for f in dataclasses.fields(self.settings)}
        return self.settings(**{name: value for name, value in values.items() if name not in added_by_core})

    @property
    def module(self) -> str:
        """The module of what `target` names."""
        return self.target.partition(":")[0]

    def load(self) -> Any:
        """Import and return the class or function that `target` names.

        Raises:
            FerbenchError: the module, or the name in it, does not exist, or a package that it imports is not installed.
        """
        module, _, attribute = self.target.partition(":")
        try:
            with needed_by(f"{self.kind} '{self.name}'"):
                return getattr(importlib.import_module(module), attribute)
        except AttributeError as error:
            raise FerbenchError(
                f"{self.kind} '{self.name}' points to '{self.target}', which has no '{attribute}'."
            ) from error
        except ModuleNotFoundError as error:
            raise FerbenchError(
                f"{self.kind} '{self.name}' needs the module '{error.name}', which is not installed ({self.target})."
            ) from error


@dataclass(frozen=True, kw_only=True)
class Published:
    """A dataset's size under its usual protocol, as its paper or the literature gives it.

    Args:
        source: the publication with these counts, or a note that they are from knowledge of the distribution.
        subjects: number of subjects; 0 if unknown.
        sequences: number of sequences; 0 if unknown. A still image counts as a sequence of one frame.
        by_expression: number of sequences of each expression.
        complete: whether every subject shows every expression.
    """

    source: str
    subjects: int = 0
    sequences: int = 0
    by_expression: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """A figure that a paper reports. It was not run here, and boards show it beside their rows, unranked.

    Args:
        method, year, venue: of the paper.
        dataset: as `DatasetCard.known_as`.
        accuracy: in percent.
        mean_class: mean over classes, in percent; 0 where none is given.
        source: where the figure was read.
        runs: the name of the method here that implements it; empty where none does.
        classes, frames, folds: of its protocol, as cards and protocols here call them; empty where the source does not say.
        sequences: it sees a sequence at a time, not a frame.
        pretraining: what it was trained on before.
        selection: of the epoch, where it is said: "last epoch", "best epoch on the test fold".
        note: what else sets the figure apart.
    """

    method: str
    dataset: str
    accuracy: float
    source: str
    year: int
    venue: str = ""
    mean_class: float = 0.0
    runs: str = ""
    classes: str = ""
    frames: str = ""
    folds: str = ""
    sequences: bool = False
    pretraining: str = ""
    selection: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.accuracy <= 100 or not 0 <= self.mean_class <= 100:
            raise FerbenchError(
                f"The accuracy that {self.method} reports on {self.dataset} is {self.accuracy}; it is written in percent."
            )
        if not self.source:
            raise FerbenchError(f"The figure that {self.method} reports on {self.dataset} has no source.")


@dataclass(frozen=True, kw_only=True)
class ZenodoRecord:
    """A record on zenodo.org by which a dataset's owners offer its files to everyone. Names, sizes and checksums are read there.

    Args:
        number: of the record, as in its address.
        files: patterns of the names of the files that the dataset reads with its default settings, such as "Video_*.zip".
    """

    number: int
    files: Sequence[str] = ("*",)


@dataclass(frozen=True, kw_only=True)
class DatasetCard(Card):
    """A dataset: frames of faces with expression and identity labels.

    Args:
        expressions: names of the classes. The position of a name is its class index.
        provides: what the frame table contains, any of "subject", "neutral" (a neutral face of each subject), "sequence",
            "intensity" and "split" (a column `split` with the values train, test and, optionally, val).
        frames: the frames of a sequence that the literature uses: "last_3", "middle_3", "apex" or "all".
        protocol: name of the protocol that the literature uses. It is the default (`protocol=auto`).
        licence: terms of use.
        obtain: where to get the data.
        download: the record that `ferbench datasets get` downloads; None where the owners do not offer all files to everyone, with
            checksums, or the licence does not allow it.
        published: size in the literature.
        known_as, classes: how papers name the dataset and its set of classes ("CK+", "7c"); published results are found by them.
        population: the people, or pictures, that it draws from, such as "CK+". Datasets of one population have subjects in common,
            under the same names; no test may train on them. By default the name of the dataset.
        class_sets: smaller sets of classes that papers use, by the name that the setting `classes` takes, such as "7".
        shareable: whether the licence allows its images to be published. Reports show faces of shareable datasets only.
        reads_tables: whether it reads any table of paths and labels, through its settings `file` and `root`. `ferbench audit
            --worth` uses such a dataset for a split that comes without one.
    """

    kind: ClassVar[str] = "dataset"

    expressions: tuple[str, ...]
    provides: frozenset[str] = frozenset()
    frames: str = "all"
    protocol: str = "subject_10fold_ordered"
    licence: str = ""
    obtain: str = ""
    download: ZenodoRecord | None = None
    published: Published | None = None
    known_as: str = ""
    classes: str = ""
    population: str = ""
    class_sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shareable: bool = False
    reads_tables: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.population:
            object.__setattr__(self, "population", self.name)
        for name, members in self.class_sets.items():
            if strange := [e for e in members if e not in self.expressions]:
                raise UnknownName(
                    f"expression of dataset '{self.name}' (class set '{name}')", strange[0], self.expressions
                )

    @property
    def takes_classes(self) -> bool:
        """Whether the setting `classes` is the one that every dataset has, and not one of the dataset's own."""
        return all(f.name != CLASSES for f in dataclasses.fields(self.settings))

    @property
    def schema(self) -> type:
        return _extended(self.settings, (CLASSES, Any)) if self.takes_classes else self.settings

    def with_classes(self, asked: object) -> DatasetCard:
        """The card with the classes that the setting `classes` asks for, in the card's order, and what is published of them.

        Args:
            asked: "" for all; the name of one of `class_sets`; names of expressions in a list, or joined by '+'. Synonyms
                (`ferbench.expressions`) are understood.

        Raises:
            FerbenchError: an expression is unknown, or there are fewer than two.
        """
        if asked is None or asked in ("", [], ()):
            return self
        members = self.class_sets.get(str(asked))
        words = members or (asked if isinstance(asked, list | tuple) else str(asked).split("+"))
        names = {canonical(expression): expression for expression in reversed(self.expressions)}
        names |= {expression: expression for expression in self.expressions}
        chosen = set()
        for word in map(str, words):
            if (name := names.get(word) or names.get(canonical(word))) is None:
                sets = f" Sets of classes are {', '.join(self.class_sets)}." if self.class_sets else ""
                raise UnknownName(f"expression of dataset '{self.name}'", word, self.expressions, sets.strip())
            chosen.add(name)
        kept = tuple(expression for expression in self.expressions if expression in chosen)
        if len(kept) < 2:
            raise FerbenchError(
                f"dataset.classes={asked} leaves {len(kept)} class; there have to be two or more, such as "
                f"dataset.classes=[{','.join(self.expressions[:2])}]."
            )
        classes = str(asked) if members else f"{len(kept)} of {len(self.expressions)}"
        return dataclasses.replace(
            self, expressions=kept, class_sets={}, classes=classes, published=_of(self.published, kept)
        )


def _of(published: Published | None, expressions: Sequence[str]) -> Published | None:
    """What is published of some classes; the number of subjects who show them is known only where all show all."""
    if published is None or not published.by_expression:
        return None
    counts = {name: count for name, count in published.by_expression.items() if name in expressions}
    subjects = published.subjects if published.complete else 0
    return dataclasses.replace(published, subjects=subjects, sequences=sum(counts.values()), by_expression=counts)


@cache
def _extended(settings: type, *more: tuple[str, Any]) -> type:
    """A settings dataclass with settings that the core adds, by name and type, which are empty by default."""
    frozen = settings.__dataclass_params__.frozen  # type: ignore[attr-defined]
    same = {"__module__": settings.__module__, "__doc__": settings.__doc__}
    fields = [(name, kind, added("")) for name, kind in more]
    return dataclasses.make_dataclass(settings.__name__, fields, bases=(settings,), frozen=frozen, namespace=same)


@dataclass(frozen=True, kw_only=True)
class BackboneCard(Card):
    """A backbone: a network that maps images to feature maps, ordered from fine to coarse.

    Args:
        pretrained: name of the setting (true or false) that says whether its weights are pretrained; boards keep both apart.
        small: settings with which it is cheap enough for the conformance checks of methods; None if there are none.

    Every backbone has two more settings, unless its own have one of their names: `weights`, a file with the weights that it starts
    from (`Backbone.load_weights`), and `seen`, what these were trained on, in words.
    """

    kind: ClassVar[str] = "backbone"

    pretrained: str = ""
    small: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_settings("pretrained", *([self.pretrained] if self.pretrained else []))
        self._check_settings("small", *(self.small or {}))

    @property
    def takes_weights(self) -> bool:
        """Whether the core loads the file that the setting `weights` names."""
        return not {WEIGHTS, SEEN} & {f.name for f in dataclasses.fields(self.settings)}

    @property
    def schema(self) -> type:
        return _extended(self.settings, (WEIGHTS, str), (SEEN, str)) if self.takes_weights else self.settings


EXTRA = "extra"
"""What a method needs that cannot do without an extra dataset, and the data of a stage that is trained on it."""


@dataclass(frozen=True, kw_only=True)
class StageCard:
    """The description of one training stage of a method, for planning.

    Args:
        name: name of the stage, as in `Method.stages()`.
        share: fraction of the trial's training steps, 0 to 1. The shares of a method's stages add up to 1; a stage on extra data
            comes on top.
        settings: names of the method's settings on which the weights of this stage depend. Variants with equal values of
            these settings, in this stage and all stages before it, share one training.
        data: what its batches are of: "train" (the training set), "extra" (the dataset that `extra_dataset` names; without one
            the stage is left out, and `Method.stages()` does not return it), or "both" (the training set, with a batch of the
            extra dataset as `Batch.extra`, which is None without one).

    Raises:
        FerbenchError: `data` is something else.
    """

    name: str
    share: float = 1.0
    settings: frozenset[str] = frozenset()
    data: str = "train"

    def __post_init__(self) -> None:
        if self.data not in ("train", EXTRA, "both"):
            raise FerbenchError(f"Stage '{self.name}' has data='{self.data}'; it can be 'train', 'extra' or 'both'.")


ADDED = "ferbench.added"
"""Key in the metadata of a settings field."""


def added(default: Any) -> Any:
    """The default of a setting that a later version adds to a settings dataclass: `blur: float = added(0.0)`.

    With this value the component does what it did before the setting existed, and the identity of a trial leaves the setting out,
    so that stored trials stay valid.
    """
    return field(default=default, metadata={ADDED: True})


def counted(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an identity states: all but those that were added and are at their default.

    >>> @dataclass
    ... class Settings:
    ...     lr: float = 0.1
    ...     blur: float = added(0.0)
    >>> counted(Settings, {"lr": 0.1, "blur": 0.0}), counted(Settings, {"lr": 0.1, "blur": 0.5})
    ({'lr': 0.1}, {'lr': 0.1, 'blur': 0.5})
    """
    fields = [f for f in dataclasses.fields(kind) if ADDED in f.metadata]
    left_out = {f.name for f in fields if plain(settings.get(f.name)) == plain(f.default)}
    return {name: value for name, value in settings.items() if name not in left_out}


def settings_of(kind: type, *earlier: type) -> frozenset[str]:
    """Names of the settings of a stage, for `StageCard.settings`.

    Args:
        kind: settings dataclass of the method, or of this stage and those before it.
        earlier: settings dataclasses of the stages before; their fields are left out.

    >>> @dataclass
    ... class First:
    ...     lr: float = 0.1
    >>> @dataclass
    ... class Both(First):
    ...     width: int = 8
    >>> sorted(settings_of(Both)), sorted(settings_of(Both, First))
    (['lr', 'width'], ['width'])
    """
    names = {field.name for field in dataclasses.fields(kind)}
    return frozenset(names.difference(*({field.name for field in dataclasses.fields(k)} for k in earlier)))


@dataclass(frozen=True, kw_only=True)
class MethodCard(Card):
    """A method: what the benchmark compares.

    Args:
        stages: the training stages, in order.
        ablations: overrides of the settings by name of the ablation, e.g. {"no_identity_head": {"identity_head": False}}.
        needs: what the dataset must provide: "subject", "neutral" or both. The extra dataset must provide it too, where the method
            trains on one. "extra": the method cannot do without an extra dataset.
        factors: columns of the frame table with numbers that it is trained on, such as "valence", in `batch.factors`; "au[0-9]*" is
            each column whose name matches the pattern.
        levels: the same for columns with names of something, such as "camera", of which a batch has the number in
            `Task.factors`.
        clip: of a method that takes clips in place of images, the name of the setting with the number of frames of a clip. They are
            of one sequence, evenly spaced from its first frame to the labelled one. Empty for single images.
        unlabelled: whether it also trains on frames of the extra dataset that have no expression; their `expression` is -1.
        baseline: whether it is the plain classifier that others are compared with; `ferbench audit --worth` trains it.
        trains_as: name of another method whose stages are trained in the same way. Stages with equal settings are then
            trained once for both methods. Empty if there is no such method.
        synchronised: whether batch normalisation takes its statistics from the whole batch where several devices train. Say so
            only where all else that a step computes are means over images: the result is then that of one device, as which it
            counts. Without it, the part of each device is a batch of its own (`trainer.devices`).

    Raises:
        FerbenchError: the shares do not add up to 1, or an ablation changes nothing or has values of the wrong type.
        UnknownName: a stage or an ablation names a setting that does not exist.
    """

    kind: ClassVar[str] = "method"

    stages: Sequence[StageCard]
    ablations: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    factors: Sequence[str] = ()
    levels: Sequence[str] = ()
    clip: str = ""
    unlabelled: bool = False
    baseline: bool = False
    trains_as: str = ""
    synchronised: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        names = set(self.setting_names)
        self._check_settings("frames of a clip", *([self.clip] if self.clip else []))
        if abs(sum(stage.share for stage in self.stages if stage.data != EXTRA) - 1) > 1e-6:
            raise FerbenchError(
                f"The shares of the stages of method '{self.name}' do not add up to 1: they are what part of the steps each stage "
                "gets. Say StageCard(name=..., share=...) for each; those with data='extra' do not count."
            )
        for stage in self.stages:
            if unknown := sorted(set(stage.settings) - names):
                raise UnknownName(f"setting of method '{self.name}' (stage '{stage.name}')", unknown[0], names)
        for field_name in ("factors", "levels"):
            if isinstance(getattr(self, field_name), str):
                raise FerbenchError(
                    f"{field_name} of method '{self.name}' is a text; write a list of names of columns, such as ['valence']."
                )
        defaults, kinds = self.defaults(), types_of(self.settings, f"method '{self.name}'")
        for ablation, overrides in self.ablations.items():
            for key, value in overrides.items():
                if key not in names:
                    raise UnknownName(f"setting of method '{self.name}' (ablation '{ablation}')", key, names)
                if not fits(value, kinds[key]):
                    shown = getattr(kinds[key], "__name__", "") if kinds[key] in SCALARS else str(kinds[key])
                    raise FerbenchError(
                        f"Ablation '{ablation}' of method '{self.name}' sets '{key}' to {value!r}, but the setting is a "
                        f"{shown.replace('typing.', '')}."
                    )
            if all(defaults.get(key) == plain(value) for key, value in overrides.items()):
                raise FerbenchError(f"Ablation '{ablation}' of method '{self.name}' changes nothing.")

    def clip_length(self, settings: Mapping[str, Any]) -> int:
        """The number of frames of a clip with these settings; 0 for single images.

        Raises:
            FerbenchError: it is no whole number from 1 on.
        """
        if not self.clip:
            return 0
        asked = settings.get(self.clip, self.defaults().get(self.clip))
        if type(asked) is not int or asked < 1:
            raise FerbenchError(
                f"method.{self.clip}={asked} is the number of frames of a clip; it has to be at least 1."
            )
        return asked

    @property
    def takes_extra(self) -> bool:
        """Whether a stage trains on an extra dataset."""
        return any(stage.data != "train" for stage in self.stages)

    def stages_with(self, extra: bool) -> list[StageCard]:
        """The stages that are trained with, or without, an extra dataset."""
        return [stage for stage in self.stages if extra or stage.data != EXTRA]


@dataclass(frozen=True, kw_only=True)
class ProtocolCard(Card):
    """A protocol: which frames are used, and which subjects are in the training set and the test set of each fold.

    Args:
        of_dataset: whether the card stands for the protocol that the dataset's card names; its target is then empty.
    """

    kind: ClassVar[str] = "protocol"

    of_dataset: bool = False

    @property
    def stand_in(self) -> bool:
        return self.of_dataset


class Counts(StrEnum):
    """Confusion counts by subject that every record holds: of test frames, or of whole sequences."""

    FRAMES = "confusion"
    SEQUENCES = "sequence_confusion"


class CountScore(StrEnum):
    """Scores of confusion counts, of any set of subjects."""

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    MACRO_F1 = "macro_f1"


@dataclass(frozen=True)
class BySubject:
    """A metric that is a score of confusion counts: boards work it out over all folds together, with an interval and a test.

    Attributes:
        counts: of what.
        score: of these counts.
    """

    counts: Counts
    score: CountScore


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that an evaluator gives.

    Args:
        name: its key in the record.
        title: what it is called in lists and, without a heading, in tables.
        heading: short column heading, without the unit; empty for the title.
        unit: "", "%", "dB" ...; written behind the heading. A metric in "%" is stored as a fraction of 1 and shown times 100.
        digits: behind the point, in tables; None for 1 of a metric in percent and 2 of others.
        interval: its 95 % interval is shown beside it in tables.
        higher_is_better: direction.
        low, high: its range, as it is stored.
        by_subject: how boards work it out from confusion counts; None for one that is averaged over folds and seeds. Such a metric
            has an interval and ranks if its evaluator gives it by subject (`ferbench.PerSubject`).
    """

    name: str
    title: str
    heading: str = ""
    unit: str = ""
    digits: int | None = None
    interval: bool = False
    higher_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    by_subject: BySubject | None = None

    @property
    def factor(self) -> int:
        """What a stored value is multiplied by where it is shown."""
        return 100 if self.unit == "%" else 1

    @property
    def decimals(self) -> int:
        """Digits behind the point, in tables."""
        return self.digits if self.digits is not None else 1 if self.unit == "%" else 2

    def size(self, value: float) -> str:
        """A difference in the unit of the metric: '2.1 points', '0.04'."""
        text = f"{value * self.factor:.{self.decimals}f}"
        return f"{text} points" if self.unit == "%" else f"{text} {self.unit}".rstrip()

    @property
    def column(self) -> str:
        """Column heading, with the unit."""
        return f"{self.heading or self.title} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class EvaluatorCard(Card):
    """An evaluator: a function that computes metrics from the stored outputs of a trial.

    Args:
        metrics: the metrics that it returns.
        on_request: whether it is run by `ferbench evaluate` only, and not at the end of each trial, because it is slow or
            rarely needed.
        of_estimates: whether it is about `Outputs.estimates`, and is run only where a method makes some.

    Raises:
        FerbenchError: a metric is none, has no valid name, or is there twice.
    """

    kind: ClassVar[str] = "evaluator"

    metrics: Sequence[Metric]
    on_request: bool = False
    of_estimates: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        names = []
        for metric in self.metrics:
            if not isinstance(metric, Metric):
                raise FerbenchError(
                    f"The metrics of evaluator '{self.name}' have {metric!r} among them, which is no ferbench.Metric."
                )
            if not _NAME.fullmatch(metric.name):
                raise FerbenchError(
                    f"A metric of evaluator '{self.name}' is called '{metric.name}'; a name has lower-case letters, digits and '_' "
                    "only."
                )
            names.append(metric.name)
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise FerbenchError(f"Evaluator '{self.name}' has two metrics '{doubled[0]}'.")


@dataclass(frozen=True, kw_only=True)
class ExecutorCard(Card):
    """An executor: it decides where trials run, such as in this process or in several.

    Attributes:
        prepares: whether the command prepares the images before it starts any work; if not, each job does, one of them for all.
    """

    kind: ClassVar[str] = "executor"
    prepares: bool = True


@dataclass(frozen=True, kw_only=True)
class DetectorCard(Card):
    """A face detector, for `preparation=align`."""

    kind: ClassVar[str] = "detector"


@dataclass(frozen=True, kw_only=True)
class TrackerCard(Card):
    """A tracker: it keeps the numbers of trials elsewhere too, such as TensorBoard."""

    kind: ClassVar[str] = "tracker"


@dataclass(frozen=True, kw_only=True)
class CommandCard(Card):
    """A command, `ferbench NAME`, typed with '-' where the name has '_'.

    Its target is a function that takes the words behind the command's name, a list of texts, and returns the exit status, or None
    for 0. It is imported when the command is typed. What it raises is shown with the name of the plugin, a `FerbenchError` as its
    sentence alone.
    """

    kind: ClassVar[str] = "command"


KINDS: tuple[type[Card], ...] = (
    DatasetCard,
    BackboneCard,
    MethodCard,
    ProtocolCard,
    EvaluatorCard,
    ExecutorCard,
    DetectorCard,
    TrackerCard,
    CommandCard,
)
