"""The method interface: the method writes mathematics, the loop owns everything else."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ferbench.fingerprint import digest
from ferbench.interfaces.backbone import Backbone


def derive_seed(*parts: object) -> int:
    """A seed of 63 bits that depends on the given parts and on nothing else."""
    return int(digest([str(part) for part in parts], 16), 16) >> 1


@dataclass(frozen=True)
class Task:
    """What a method is to learn.

    Attributes:
        expressions: names of the C classes.
        subjects: the N subjects that are trained on; test subjects are strangers.
        image_size: images are square, this many pixels wide.
        seed: of the trial.
    """

    expressions: tuple[str, ...]
    subjects: tuple[str, ...]
    image_size: int
    seed: int = 0

    @contextlib.contextmanager
    def init(self, part: str) -> Iterator[None]:
        """Draw initial weights that depend on (seed, part) alone, so that variants share those of equal parts."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed("init", self.seed, part))
            yield

    def scope(self, name: str) -> Callable[[str], contextlib.AbstractContextManager[None]]:
        """`init` for the parts of one network, as the networks of `ferbench.blocks` take it: each part's weights depend
        on the name and the part alone, so that a network without one of its heads keeps the weights of the others."""
        return lambda part: self.init(f"{name}.{part}")


@dataclass
class Batch:
    """What a step sees.

    Attributes:
        images: (B, 3, H, W), float, in [-1, 1].
        expression: (B,), int64, class index.
        subject: (B,), int64, index into `Task.subjects`.
        neutral: (B, 3, H, W), a neutral face of the same subject, for methods that need "neutral".
    """

    images: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def split(self, parts: int) -> list[Batch]:
        """The batch in equal micro-batches."""
        pieces = [self.images.chunk(parts), self.expression.chunk(parts), self.subject.chunk(parts)]
        if self.neutral is not None:
            pieces.append(self.neutral.chunk(parts))
        return [Batch(*piece) for piece in zip(*pieces, strict=True)]


@dataclass(frozen=True)
class Clock:
    """Where training stands: `step` of `steps` in this stage."""

    step: int
    steps: int

    @property
    def progress(self) -> float:
        """In [0, 1)."""
        return self.step / max(self.steps, 1)


@dataclass
class Update:
    """One optimiser step that a method asks for.

    Attributes:
        group: whose parameters move; a key of `Stage.trains`.
        loss: scalar; differentiated with respect to the group's parameters alone.
        parts: terms of the loss by name, logged and otherwise unused.
    """

    group: str
    loss: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def total(cls, group: str, terms: Mapping[str, Tensor]) -> Update:
        """An update whose loss is the sum of its terms, which are logged by name."""
        return cls(group, torch.stack(list(terms.values())).sum(), terms)


@dataclass(frozen=True)
class Group:
    """Modules that one optimiser trains.

    Attributes:
        modules: whose parameters move.
        lr: learning rate (its highest value).
        betas: of Adam.
        weight_decay: decoupled (AdamW).
        schedule: "constant", or "cosine": from lr to zero over the stage.
    """

    modules: Sequence[nn.Module]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: str = "constant"


@dataclass(frozen=True)
class Stage:
    """One training phase: data, not a class to subclass.

    Attributes:
        name: as on the method's card.
        step: a generator of updates for one batch. It is resumed after each update, so that what it computes next
            sees the weights just changed.
        trains: optimiser group by name; all other modules are frozen and in eval mode.
    """

    name: str
    step: Callable[[Batch, Clock], Iterator[Update]]
    trains: Mapping[str, Group]


class Method(nn.Module, ABC):
    """What is benchmarked. Constructed with (task, backbone, settings); networks are made inside `task.init(part)`."""

    def __init__(self, task: Task, backbone: Backbone, settings: Any) -> None:
        super().__init__()
        self.task = task
        self.settings = settings

    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The stages of the card, in its order."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W) in [-1, 1] -> (B, D): the expression representation that is judged."""

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W) in [-1, 1] -> (B, C)."""


@runtime_checkable
class Identifies(Protocol):
    """A method that has a representation of identity, beside that of expression."""

    def identity_features(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W) in [-1, 1] -> (B, D)."""
        ...


@runtime_checkable
class Synthesizes(Protocol):
    """A method that can put the expression of one image on the identity of another."""

    def synthesize(self, images: Tensor, identity: Batch) -> Tensor:
        """images: (B, 3, H, W), whose expression; identity: B frames of *training* subjects, whose face.

        Gives (B, 3, H, W) in [-1, 1].
        """
        ...
