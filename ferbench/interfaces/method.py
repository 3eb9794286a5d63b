"""The method interface. A method defines networks and losses; the training loop does everything else."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ferbench.errors import FerbenchError, not_a_choice
from ferbench.hashing import digest
from ferbench.interfaces.backbone import Backbone
from ferbench.interfaces.sampling import PK, Balanced, Partner, Transform
from ferbench.randomness import own_random_state


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
        class_counts: number of training frames of each expression, in the order of `expressions`.
        unlabelled: number of training frames without an expression; of an extra dataset, where the method's card says `unlabelled`.
        factors: the columns that the method's card asks for, in the order of the frame table: of those in `levels` the levels in
            the training set, sorted; () for numbers.
        extra: the classes and subjects of the extra dataset that is trained on too; None without one.
        clip: number of frames of a clip, T, of a method whose card says `clip`; 0 for single images.
    """

    expressions: tuple[str, ...]
    subjects: tuple[str, ...]
    image_size: int
    seed: int = 0
    class_counts: tuple[int, ...] = ()
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Number of training frames, over which `Batch.index` runs."""
        return sum(self.class_counts) + self.unlabelled

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(3, H, W), or (T, 3, H, W) of a method of clips: what `features` and `logits` get, without the batch."""
        single = (3, self.image_size, self.image_size)
        return (self.clip, *single) if self.clip else single

    extra: Task | None = None
    clip: int = 0
    unlabelled: int = 0

    @contextlib.contextmanager
    def init(self, part: str) -> Iterator[None]:
        """A context in which random initial weights depend only on the trial's seed and on `part`, so that the variants of a
        method start from equal weights in equal parts. The global random states are restored afterwards.

        Raises:
            FerbenchError: torch was seeded inside, so that every seed would start from the same weights.
        """
        seed = derive_seed("init", self.seed, part)
        with own_random_state(seed):
            yield
            if torch.default_generator.initial_seed() != seed:
                raise FerbenchError(
                    f"torch was seeded inside task.init({part!r}), so that the trials of all seeds would start from the same "
                    "weights. Leave torch.manual_seed out: task.init has set the seed."
                )

    def scope(self, name: str) -> Callable[[str], contextlib.AbstractContextManager[None]]:
        """`init` for the parts of the network `name`, as the networks of `ferbench.blocks` expect it: part P is initialised
        in `init("name.P")`. A network without one of its heads thus starts from the same weights in the others."""
        return lambda part: self.init(f"{name}.{part}")


PARTNERS = ("second", "third")
"""Fields of a batch that are batches, and of a stage that say which."""


@dataclass
class Batch:
    """A batch of B training images with labels.

    Attributes:
        images: (B, 3, H, W), float, in [-1, 1]; of a method of clips (B, T, 3, H, W), whose labels are those of the last frame, and
            whose frames are augmented alike.
        expression: (B,), int64, class index; of an extra batch -1 for a frame without an expression, where the card says
            `unlabelled`.
        subject: (B,), int64, index into `Task.subjects`.
        neutral: (B, 3, H, W), float, in [-1, 1], a neutral face of the same subject; None unless the method's card needs
            "neutral".
        index: (B,), int64, number of the frame in the training set, from 0 to `Task.frames` - 1, the same in every step and stage;
            None for images that no stage is trained on.
        second: a partner of each image, as `Stage.second` says; None without it. Neutral partners have -1 for `index` and, where
            neutral is no class, for `expression`.
        third: the same for `Stage.third`.
        factors: by name of a column that the method's card asks for: (B,), float32, NaN where the value is missing, of numbers;
            (B,), int64, index into `Task.factors[name]`, -1 where it is missing, of levels. Of neutral partners, all are missing.
        views: `Stage.views` versions of the images, each augmented by itself; the first is `images`. Empty where the stage asks for
            one.
        related: of a partner: (B,), bool, false where another frame stands in for the one that was asked for; else None.
        extra: a batch of as many images of the extra dataset, in random order, with the stage's views and transforms, and labels of
            `Task.extra`; None unless the stage's card says data="both" and there is such a dataset.
    """

    images: Tensor
    expression: Tensor
    subject: Tensor
    neutral: Tensor | None = None
    index: Tensor | None = None
    second: Batch | None = None
    third: Batch | None = None
    related: Tensor | None = None
    factors: Mapping[str, Tensor] = field(default_factory=dict)
    views: tuple[Tensor, ...] = ()
    extra: Batch | None = None

    def __len__(self) -> int:
        return len(self.images)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name, those of a partner as "second.images", factors as "factors.valence", and views as
        "views.1" (the first is "images")."""
        found: dict[str, Tensor] = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                found[name] = value
            elif isinstance(value, tuple):
                found |= {f"{name}.{number}": view for number, view in enumerate(value) if number}
            elif value is not None:
                parts = value.tensors() if isinstance(value, Batch) else value
                found |= {f"{name}.{key}": tensor for key, tensor in parts.items()}
        return found

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Batch:
        """The inverse of `tensors`. Other names are passed over."""
        parts: dict[str, Any] = {n: tensors[n] for n in cls.__dataclass_fields__ if n in tensors}
        for name in (*PARTNERS, "extra", "factors"):
            if own := {k.removeprefix(f"{name}."): t for k, t in tensors.items() if k.startswith(f"{name}.")}:
                parts[name] = own if name == "factors" else cls.of(own)
        others = [view for number in range(1, len(tensors)) if (view := tensors.get(f"views.{number}")) is not None]
        return cls(**parts, views=(parts["images"], *others) if others else ())

    def split(self, parts: int) -> list[Batch]:
        """Split the batch into `parts` micro-batches of equal size, in order."""
        pieces = {name: tensor.chunk(parts) for name, tensor in self.tensors().items()}
        return [Batch.of({n: p[i] for n, p in pieces.items()}) for i in range(len(pieces["images"]))]


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
        outputs: what `Stage.after` is to get, by name: tensors (B, ...) with a row for each image of the step's batch.
    """

    group: str
    loss: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def total(cls, group: str, terms: Mapping[str, Tensor], outputs: Mapping[str, Tensor] | None = None) -> Update:
        """An update whose loss is the sum of `terms`, scalar tensors by name, each of which is logged."""
        return cls(group, torch.stack(list(terms.values())).sum(), terms, outputs or {})


OPTIMISERS = ("adamw", "adam", "sgd")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Part:
    """Modules of a `Group` with a learning rate of their own, such as a pretrained backbone.

    Attributes:
        modules: the modules. Where the group's modules contain them, they belong to the part.
        lr: their learning rate, at least 0; None for the group's. The group's schedule multiplies it.
        weight_decay: as of `Group`; None for the group's.

    Raises:
        FerbenchError: a value is none that it can be.
    """

    modules: Sequence[nn.Module]
    lr: float | None = None
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", _modules("Part", self.modules))
        for name in ("lr", "weight_decay"):
            if (value := getattr(self, name)) is not None:
                _need(f"Part.{name}", value)


@dataclass(frozen=True)
class Group:
    """Modules that one optimiser trains.

    Attributes:
        modules: the modules whose parameters are trained.
        lr: learning rate, at least 0. The schedule multiplies it.
        betas: the two decay rates of AdamW and Adam, each in [0, 1).
        weight_decay: at least 0. AdamW's is decoupled from the gradient (Loshchilov and Hutter, ICLR 2019); Adam's and SGD's is
            added to it, as L2 regularisation is.
        schedule: "constant", "cosine" (half a cosine from lr to 0 over the stage), or any function of the fraction of the stage
            that is done, in [0, 1), to a factor of lr: `ferbench.blocks.schedules` has the usual ones.
        optimiser: "adamw", "adam" or "sgd".
        momentum: of SGD, in [0, 1).
        nesterov: whether SGD's momentum is Nesterov's.
        sam: radius of sharpness-aware minimisation, in units of the weights (Foret et al., ICLR 2021, equation 2); 0 turns it off.
            The gradient is that at the weights plus sam * g / |g|, where g is the gradient at the weights. For it the step runs a
            second time, with the same random numbers, up to its first update, which has to be this group's; buffers of the
            stage's modules are then set back. What a step changes elsewhere has to come after that update.
        clip_norm: largest L2 norm of the group's gradient; 0 turns clipping off, None leaves it to `trainer.clip_norm`.
        parts: modules with learning rates of their own.

    Raises:
        FerbenchError: a value is none that it can be.
    """

    modules: Sequence[nn.Module]
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: str | Callable[[float], float] = "constant"
    optimiser: str = "adamw"
    momentum: float = 0.0
    nesterov: bool = False
    sam: float = 0.0
    clip_norm: float | None = None
    parts: Sequence[Part] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", _modules("Group", self.modules))
        for name in ("lr", "weight_decay", "sam"):
            _need(f"Group.{name}", getattr(self, name))
        if self.clip_norm is not None:
            _need("Group.clip_norm", self.clip_norm)
        _need("Group.momentum", self.momentum, below=1)
        if not isinstance(self.betas, Sequence) or len(self.betas) != 2:
            raise FerbenchError(f"Group.betas is {self.betas!r}; it has to be two numbers.")
        for beta in self.betas:
            _need("a value of Group.betas", beta, below=1)
        if self.optimiser not in OPTIMISERS:
            raise FerbenchError(not_a_choice("Group.optimiser", self.optimiser, OPTIMISERS))
        if isinstance(self.parts, Part) or not all(isinstance(part, Part) for part in self.parts):
            raise FerbenchError(
                f"Group.parts is {self.parts!r}; it is a list of parts: [Part([self.backbone], lr=1e-4)]."
            )
        if isinstance(self.schedule, type):
            raise FerbenchError(
                f"Group.schedule is the class {self.schedule.__name__}; write {self.schedule.__name__}(...)."
            )
        if not callable(self.schedule) and self.schedule not in SCHEDULES:
            further = (
                "a function of the stage's progress, such as ferbench.blocks.schedules.Warmup(0.05, then=Cosine())"
            )
            raise FerbenchError(not_a_choice("Group.schedule", str(self.schedule), (*SCHEDULES, further)))
        if self.optimiser != "sgd" and (self.momentum or self.nesterov):
            raise FerbenchError(
                f"Group.momentum and Group.nesterov are SGD's, and the optimiser is {self.optimiser}: write optimiser='sgd', or "
                "betas=(momentum, 0.999)."
            )
        if self.nesterov and not self.momentum:
            raise FerbenchError("Group.nesterov needs a momentum: Group.momentum is 0.")
        if self.optimiser == "sgd" and tuple(self.betas) != (0.9, 0.999):
            raise FerbenchError(f"Group.betas is {self.betas}, and SGD has none: write momentum={self.betas[0]}.")

    @property
    def all_modules(self) -> tuple[nn.Module, ...]:
        """The modules, and those of the parts."""
        return (*self.modules, *(module for part in self.parts for module in part.modules))


def _need(name: str, value: object, below: float = math.inf) -> None:
    if not isinstance(value, Real | Tensor):
        raise FerbenchError(f"{name} is {value!r}; it has to be a number.")
    if not 0 <= float(value) < below:
        what = "at least 0" if below == math.inf else f"at least 0 and below {below:g}"
        raise FerbenchError(f"{name} is {value}; it has to be {what}.")


def _modules(kind: str, modules: object) -> tuple[nn.Module, ...]:
    if not isinstance(modules, Iterable):
        raise FerbenchError(f"{kind}.modules is a {type(modules).__name__}; write a list: {kind}([module]).")
    found = tuple(modules)
    for module in found:
        if isinstance(module, nn.Parameter):
            raise FerbenchError(
                f"{kind}.modules has a parameter of shape {tuple(module.shape)}, and holds modules. Put the parameter into one: "
                f"self.centres = nn.ParameterList([nn.Parameter(...)]), then {kind}([self.centres])."
            )
        if not isinstance(module, nn.Module):
            raise FerbenchError(
                f"{kind}.modules has a {type(module).__name__}; it is a list of modules, such as [self.backbone]."
            )
    return found


@dataclass(frozen=True)
class Average:
    """A moving average of weights, such as a momentum teacher: after the updates of each step,

        into <- decay * into + (1 - decay) * of        for weights,
        into <- of                                     for buffers, such as the statistics of batch norm.

    It starts from the weights that `into` has when the stage begins: make it with `copy.deepcopy(of)`, or say `warmup=True`. `into`
    is in eval mode, is saved with the stage, and is what is judged where `features` and `logits` use it.

    Attributes:
        of: a module, or one that contains it, that the stage trains.
        into: a module of the method with the same weights and buffers by name and shape, none of them trained in the stage.
        decay: in [0, 1], or a function from `Clock.progress`, a scalar tensor, to such a tensor.
        warmup: whether the decay is at most n / (n + 1) in step n from 0, as in Tarvainen and Valpola, Mean teachers, NIPS 2017:
            the average of the first steps is their plain mean, and forgets what `into` was before.
    """

    of: nn.Module
    into: nn.Module
    decay: float | Callable[[Tensor], Tensor] = 0.999
    warmup: bool = False


@dataclass(frozen=True)
class Epoch:
    """The beginning of an epoch, as `Stage.before_epoch` gets it.

    Attributes:
        number: of the epoch in its stage, from 0.
        frames: number of training frames.
        batches: returns an iterator over the training set: each frame once, in the order of the frame table, without augmentation,
            as test frames are seen. The last batch may be smaller. Call it once for each pass.
    """

    number: int
    frames: int
    batches: Callable[[], Iterator[Batch]]


@dataclass(frozen=True)
class Stage:
    """One training stage of a method. It is plain data, not a class to subclass.

    What the stage changes of the method's state dict is stored with it, whether in a group or not.

    Attributes:
        name: name of the stage, as on the method's card.
        step: a generator function that yields the updates for one batch. It continues after the optimiser has made an
            update, so that the following computations use the new weights. With `trainer.accumulate=k` it runs for each of k
            micro-batches, and what it does besides updates happens k times.
        trains: optimiser groups by name. All modules in no group are frozen and in eval mode.
        after: called as after(batch, outputs, clock) once a step, after all updates and averages, without gradients. `batch` is
            the whole one, of all micro-batches and devices, and so are `outputs`, what the updates reported (`Update.outputs`). It
            is the place for queues, running means and other state that changes once a step.
        before_epoch: called as before_epoch(epoch) before the first step of each epoch, without gradients and with all modules in
            eval mode: for prototypes, thresholds or whatever else takes a pass over the training set. On several devices each
            computes it, and the weights and buffers of the first count.
        epoch_steps: number of steps from one `before_epoch` to the next; None for as many as go through the training set once.
        averages: moving averages of weights.
        changes: modules in no group whose weights or batch-norm statistics the step, `after` or `before_epoch` change. Conformance
            checks take any other such change for an error; averages and other buffers need no mention.
        batches: which frames are drawn together; None for those of the run (`trainer.sampling`).
        second, third: whom each image is paired with, in `batch.second` and `batch.third`.
        views: how many versions of each image, augmented with other random numbers, are in `batch.views`.
        transforms: what images go through after the run's augmentation (`augment.*`), in this order; neutral faces with the random
            numbers of their image, partners and views with their own.

    `views` and `transforms` are those of `batch.extra` too; `batches`, `second` and `third` are of the training set alone.

    Raises:
        FerbenchError: a value is none that it can be.
    """

    name: str
    step: Callable[[Batch, Clock], Iterator[Update]]
    trains: Mapping[str, Group]
    _: KW_ONLY
    after: Callable[[Batch, Mapping[str, Tensor], Clock], None] | None = None
    before_epoch: Callable[[Epoch], None] | None = None
    epoch_steps: int | None = None
    averages: Sequence[Average] = ()
    changes: Sequence[nn.Module] = ()
    batches: Balanced | PK | None = None
    second: Partner | None = None
    third: Partner | None = None
    views: int = 1
    transforms: Sequence[Transform] = ()

    def __post_init__(self) -> None:
        if self.batches is not None and not isinstance(self.batches, Balanced | PK):
            raise FerbenchError(self._none("batches", self.batches, "PK(frames=4), Balanced() or None"))
        for name in PARTNERS:
            kind = getattr(self, name)
            if kind is not None and not isinstance(kind, Partner):
                names = ", ".join(f"Partner.{partner.name}" for partner in Partner)
                raise FerbenchError(self._none(name, kind, f"{names} or None"))
        if isinstance(self.transforms, Transform) or not isinstance(self.transforms, Sequence):
            raise FerbenchError(self._none("transforms", self.transforms, "a list of transforms"))
        if type(self.views) is not int or self.views < 1:
            raise FerbenchError(self._none("views", self.views, "a whole number from 1 on"))
        if self.epoch_steps is not None and (type(self.epoch_steps) is not int or self.epoch_steps < 1):
            raise FerbenchError(self._none("epoch_steps", self.epoch_steps, "a whole number from 1 on, or None"))

    def _none(self, name: str, value: object, options: str) -> str:
        return f"Stage '{self.name}' has {name}={value!r}; it can be {options}."


class Method(nn.Module, ABC):
    """A method to be benchmarked. Constructed with (task, backbone, settings).

    A subclass creates its networks inside `with task.init(part):`, so that their initial weights are reproducible. What training
    changes lies in parameters and buffers; anything else is lost when a stage is resumed or taken from the results folder, and a
    stage that changes it fails.

    A method whose card says `clip` gets clips where others get images: (B, T, 3, H, W), with T = `task.clip`; neutral faces stay
    single. `images.flatten(0, 1)` are the frames one by one, as a backbone takes them. It cannot synthesise.

    Attributes:
        scratch: names of attributes, of the method or its modules, that a stage may change although they are not kept: caches of
            what can be computed again. `"mask"` means each attribute of that name, `"encoder.mask"` the one of `self.encoder`.
    """

    scratch: tuple[str, ...] = ()

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
class Estimates(Protocol):
    """A method that also estimates factors of a face (optional), which evaluators compare with the frame table."""

    def estimates(self, images: Tensor) -> Mapping[str, Tensor]:
        """Estimate factors.

        Args:
            images: (B, 3, H, W), float, in [-1, 1].

        Returns:
            By name of a column of the frame table, (B,), float, finite: of an action unit ("au12") the probability that it is
            present, of others ("valence", "arousal", "intensity") the value.
        """
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
