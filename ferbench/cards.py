"""Cards: what ferbench knows of a component without importing it.

A plugin's entry point names a module that holds cards only and imports no torch. `target` is the class or function,
written "package.module:Name"; it is imported when a trial needs it, not before.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ferbench.errors import FerbenchError, UnknownName

API = 1
"""Version of the plugin interface. A card states the one it was written for; the core says who is too old or too new."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass
class NoSettings:
    """The settings of a component that has none."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What all components state about themselves.

    Args:
        name: lower-case identifier, what the user types.
        target: "package.module:Name" of the class (or function) behind the card.
        title: one line for lists and tables.
        version: raised when the meaning of a result changes; results of unlike versions are never averaged.
        settings: a dataclass; its fields become the component's node in the configuration, typed.
        paper: citation, or empty where there is none.
        api: the plugin interface it was written for.
    """

    kind: ClassVar[str] = "component"

    name: str
    target: str
    title: str
    version: int = 1
    settings: type = NoSettings
    paper: str = ""
    api: int = API

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise FerbenchError(
                f"A {self.kind} card is called '{self.name}'; a name has lower-case letters, digits and '_' only."
            )
        if not _TARGET.fullmatch(self.target):
            raise FerbenchError(
                f"The target of {self.kind} '{self.name}' is '{self.target}'; it is written 'package.module:Name'."
            )
        if self.api != API:
            age = "a newer" if self.api > API else "an older"
            raise FerbenchError(
                f"{self.kind} '{self.name}' was written for {age} plugin interface ({self.api}; this ferbench has {API})."
            )
        if not dataclasses.is_dataclass(self.settings):
            raise FerbenchError(f"The settings of {self.kind} '{self.name}' are not a dataclass.")
        if "name" in self.setting_names:
            raise FerbenchError(f"The settings of {self.kind} '{self.name}' may not have a field called 'name'.")

    @property
    def setting_names(self) -> tuple[str, ...]:
        return tuple(f.name for f in dataclasses.fields(self.settings))

    def defaults(self) -> dict[str, Any]:
        """Default values of the settings; those without a default are left out."""
        values = {}
        for f in dataclasses.fields(self.settings):
            if f.default is not dataclasses.MISSING:
                values[f.name] = f.default
            elif f.default_factory is not dataclasses.MISSING:
                values[f.name] = f.default_factory()
        return values

    def load(self) -> Any:
        """Import what the card describes.

        Raises:
            FerbenchError: the module or the name in it does not exist.
        """
        module, _, attribute = self.target.partition(":")
        try:
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
    """What a dataset's paper, or the literature, says of its size under its usual protocol.

    Args:
        source: where these counts were read, or that they are from knowledge of the distribution.
        subjects, sequences: how many, 0 where unknown; a still image is a sequence of one frame.
        by_expression: sequences of each expression.
        complete: every subject shows every expression.
    """

    source: str
    subjects: int = 0
    sequences: int = 0
    by_expression: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetCard(Card):
    """A dataset: frames of faces with expression and identity labels.

    Args:
        expressions: the classes, in the order of their indices.
        provides: what its frames have: "subject", "neutral" (a neutral face of each subject), "sequence", "intensity",
            "split" (a column `split` with train, test and perhaps val).
        frames: which frames the literature uses: "last_3", "middle_3", "apex" or "all".
        protocol: the literature's protocol, used unless the user names another.
        licence, obtain: under which terms, and where, the data can be had.
        published: its size in the literature.
        shareable: its images may be shown to anybody; pages and reports hold faces of such datasets only.
    """

    kind: ClassVar[str] = "dataset"

    expressions: tuple[str, ...]
    provides: frozenset[str] = frozenset()
    frames: str = "all"
    protocol: str = "subject_10fold_ordered"
    licence: str = ""
    obtain: str = ""
    published: Published | None = None
    shareable: bool = False


@dataclass(frozen=True, kw_only=True)
class BackboneCard(Card):
    """A network that maps images to feature maps, fine to coarse."""

    kind: ClassVar[str] = "backbone"


@dataclass(frozen=True, kw_only=True)
class StageCard:
    """One training phase of a method, as far as planning needs it.

    Args:
        name: as in `Method.stages()`.
        share: of the trial's budget of steps; the shares of a method add up to 1.
        settings: the settings of the method that the weights of this stage depend on, and no others. Variants
            that agree in these (and in all stages before) share the trained stage.
    """

    name: str
    share: float = 1.0
    settings: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class MethodCard(Card):
    """What is benchmarked.

    Args:
        stages: its training phases in their order.
        ablations: named overrides of its settings, e.g. {"no_identity_head": {"identity_head": False}}.
        needs: what a dataset must provide: "subject", "neutral".
    """

    kind: ClassVar[str] = "method"

    stages: Sequence[StageCard]
    ablations: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        names = set(self.setting_names)
        if abs(sum(stage.share for stage in self.stages) - 1) > 1e-6:
            raise FerbenchError(f"The shares of the stages of method '{self.name}' do not add up to 1.")
        for stage in self.stages:
            if unknown := sorted(set(stage.settings) - names):
                raise UnknownName(f"setting of method '{self.name}' (stage '{stage.name}')", unknown[0], names)
        defaults = self.defaults()
        for ablation, overrides in self.ablations.items():
            for key, value in overrides.items():
                if key not in names:
                    raise UnknownName(f"setting of method '{self.name}' (ablation '{ablation}')", key, names)
                if key in defaults and type(defaults[key]) is not type(value):
                    raise FerbenchError(
                        f"Ablation '{ablation}' of method '{self.name}' sets '{key}' to {value!r}, but the setting "
                        f"holds values like {defaults[key]!r}."
                    )
            if all(defaults.get(key) == value for key, value in overrides.items()):
                raise FerbenchError(f"Ablation '{ablation}' of method '{self.name}' changes nothing.")


@dataclass(frozen=True, kw_only=True)
class ProtocolCard(Card):
    """Which frames count, and which subjects are trained on and tested on."""

    kind: ClassVar[str] = "protocol"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that an evaluator gives.

    Args:
        name: its key in the record.
        title: column heading.
        higher_is_better: direction.
        low, high: its range.
    """

    name: str
    title: str
    higher_is_better: bool = True
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, kw_only=True)
class EvaluatorCard(Card):
    """A function from stored Outputs to metrics.

    Args:
        metrics: what it gives.
        on_request: worked out by `ferbench evaluate` only, not at the end of a trial: it takes long, or few ask for it.
    """

    kind: ClassVar[str] = "evaluator"

    metrics: Sequence[Metric]
    on_request: bool = False


@dataclass(frozen=True, kw_only=True)
class ExecutorCard(Card):
    """Where trials run."""

    kind: ClassVar[str] = "executor"


@dataclass(frozen=True, kw_only=True)
class DetectorCard(Card):
    """A face detector, for `preparation=align`."""

    kind: ClassVar[str] = "detector"


KINDS: tuple[type[Card], ...] = (
    DatasetCard,
    BackboneCard,
    MethodCard,
    ProtocolCard,
    EvaluatorCard,
    ExecutorCard,
    DetectorCard,
)
