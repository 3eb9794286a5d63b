"""The method interface. A method defines networks and losses; the training loop does everything else."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ferbench.hashing import digest
from ferbench.interfaces.backbone import Backbone


def derive_seed(*parts: object) -> int:
    """A random seed of 63 bits that is a function of `parts` (as text) alone."""
    return int(digest([str(part) for part in parts], 16), 16) >> 1


@dataclass(frozen=True)
class Task:
    """The learning task: classes, training subjects and image size.

    Attributes:
        expressions: names of the C classes.
        subjects: the N training subjects. The subjects of the test set are not among them.
        image_size: width and height of the images, in pixels.
        seed: the trial's random seed.
    """

    expressions: tuple[str, ...]
    subjects: tuple[str, ...]
    image_size: int
    seed: int = 0

    @contextlib.contextmanager
    def init(self, part: str) -> Iterator[None]:
        """A context in which random initial weights depend only on the trial's seed and on `part`, so that the variants of a
        method start from equal weights in equal parts. The global random state is restored afterwards."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed("init", self.seed, part))
            yield

    def scope(self, name: str) -> Callable[[str], contextlib.AbstractContextManager[None]]:
        """`init` for the parts of the network `name`, as the networks of `ferbench.blocks` expect it: part P is initialised
        in `init("name.P")`. A network without one of its heads thus starts from the same weights in the others."""
        return lambda part: self.init(f"{name}.{part}")


@dataclass
class Batch:
    """A batch of B training images with labels.

    Attributes:
        images: (B, 3, H, W), float, in [-1, 1].
        expression: (B,), int64, class index.
        subject: (B,), int64, index into `Task.subjects`.
        neutral: (B, 3, H, W), float, in [-1, 1], a neutral face of the same subject; None unless the method's card needs
            "neutral".
    """

    images: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def split(self, parts: int) -> list[Batch]:
        """Split the batch into `parts` micro-batches of equal size, in order."""
        pieces = [self.images.chunk(parts), self.expression.chunk(parts), self.subject.chunk(parts)]
        if self.neutral is not None:
            pieces.append(self.neutral.chunk(parts))
        return [Batch(*piece) for piece in zip(*pieces, strict=True)]


class Clock:
    """The position in a stage. A step that asks `progress` and `every` only can be captured as one CUDA graph.

    Args:
        step: number of the step, from 0 to `steps` - 1.
        steps: number of steps of the stage.
        progress: as the attribute; by default it is computed.

    Attributes:
        steps: number of steps of the stage.
        progress: (), float64, the fraction of the stage that is done, in [0, 1). Compute with it as with any tensor.
        asked: the intervals that `every` was asked for, and the answers.
        read: whether `step` was read.
    """

    def __init__(self, step: int, steps: int, progress: Tensor | None = None) -> None:
        self._step = step
        self.steps = steps
        self.progress = torch.tensor(fraction(step, steps), dtype=torch.float64) if progress is None else progress
        self.asked: dict[int, bool] = {}
        self.read = False

    @property
    def step(self) -> int:
        """The number of the step, from 0. A step that reads it is never captured: write `every` or `progress` where they do."""
        self.read = True
        return self._step

    def every(self, interval: int) -> bool:
        """Whether this is the first step or one of each `interval` steps after it."""
        self.asked[interval] = self._step % interval == 0
        return self.asked[interval]


def fraction(step: int, steps: int) -> float:
    """The fraction of a stage that is done before a step."""
    return step / max(steps, 1)


@dataclass
class Update:
    """A request for one optimiser step, yielded by a stage's step function.

    Attributes:
        group: name of the optimiser group to update, a key of `Stage.trains`.
        loss: scalar tensor. Its gradient is computed for the parameters of that group only.
        parts: terms of the loss, scalar tensors by name. They are logged and not used otherwise.
    """

    group: str
    loss: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def total(cls, group: str, terms: Mapping[str, Tensor]) -> Update:
        """An update whose loss is the sum of `terms`, scalar tensors by name, each of which is logged."""
        return cls(group, torch.stack(list(terms.values())).sum(), terms)


@dataclass(frozen=True)
class Group:
    """Modules that one AdamW optimiser trains.

    Attributes:
        modules: the modules whose parameters are trained.
        lr: learning rate; with a schedule, its initial and highest value.
        betas: AdamW's two decay rates, each in [0, 1).
        weight_decay: AdamW's decoupled weight decay.
        schedule: "constant", or "cosine" (half a cosine from lr to 0 over the stage).
    """

    modules: Sequence[nn.Module]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: str = "constant"


@dataclass(frozen=True)
class Stage:
    """One training stage of a method. It is plain data, not a class to subclass.

    Attributes:
        name: name of the stage, as on the method's card.
        step: a generator function that yields the updates for one batch. It continues after the optimiser has made an
            update, so that the following computations use the new weights.
        trains: optimiser groups by name. All modules in no group are frozen and in eval mode.
    """

    name: str
    step: Callable[[Batch, Clock], Iterator[Update]]
    trains: Mapping[str, Group]


class Method(nn.Module, ABC):
    """A method to be benchmarked. Constructed with (task, backbone, settings).

    A subclass creates its networks inside `with task.init(part):`, so that their initial weights are reproducible. State that
    training changes and no optimiser updates, such as class centres or a queue, is in buffers of a module that a group of the stage
    has, never in a plain attribute: it is then saved with the stage, and there again where a training is resumed or a stage shared.
    """

    def __init__(self, task: Task, backbone: Backbone, settings: Any) -> None:
        super().__init__()
        self.task = task
        self.settings = settings

    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """The training stages, with the names and in the order of the card."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W), float, in [-1, 1] -> (B, D): the expression representation that is evaluated."""

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W), float, in [-1, 1] -> (B, C): logits of the expressions."""


@runtime_checkable
class Identifies(Protocol):
    """A method that also has an identity representation (optional)."""

    def identity_features(self, images: Tensor) -> Tensor:
        """images (B, 3, H, W), float, in [-1, 1] -> (B, D): the identity representation."""
        ...


@runtime_checkable
class Synthesizes(Protocol):
    """A method that can transfer the expression of one image to the face of another subject (optional)."""

    def synthesize(self, images: Tensor, identity: Batch) -> Tensor:
        """Synthesise faces.

        Args:
            images: (B, 3, H, W), float, in [-1, 1], images whose expression the faces show.
            identity: B images of *training* subjects, whose identity the faces show.

        Returns:
            (B, 3, H, W), float, in [-1, 1].
        """
        ...
