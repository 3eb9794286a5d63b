"""A stage on several devices: a process on each computes its part of every batch, and the processes stay equal.

A step yields updates, and calls the networks inside a method as it likes. So not the networks are wrapped: after the backward pass
of each update, and before clipping and the optimiser's step, the gradients of its group are replaced by their mean over the
processes. A part is a batch of its own, as a micro-batch of `trainer.accumulate` is: N devices compute what N micro-batches do on
one.

- Weights and buffers start as those of the first process; equal gradients keep weights and optimisers equal.
- Running statistics of batch norm become what they are after the parts, one after another, on one device.
- Any other buffer has to stay equal by itself, which is checked wherever losses are logged. `ferbench.whole_batch` does it.
- Random numbers of a step are other ones on each device.
- A stage's `after` runs in each of them on the whole batch, and its `before_epoch` on the whole training set.
- A method may ask for synchronised batch norm (`MethodCard.synchronised`): N devices then compute what one does with the whole
  batch.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ferbench.errors import TrainingError
from ferbench.interfaces.replicas import ALONE, Here, PeerLost, Place, summed

WAIT = timedelta(minutes=30)
"""Longest wait of a process for the others, such as while the first measures the test curve. One that ends is noticed at once."""


def need_devices(kind: str, count: int) -> None:
    """Raise TrainingError if there are not `count` devices of a kind ("cuda" or "cpu", where a device is a process)."""
    if kind not in ("cpu", "cuda") or not dist.is_available():
        raise TrainingError(
            f"trainer.devices={count} works on NVIDIA's GPUs and on the CPU, with a torch that has torch.distributed; here "
            f"trainer.device is {kind}. Leave trainer.devices out."
        )
    if kind == "cuda" and (found := torch.cuda.device_count()) < count:
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise TrainingError(
            f"trainer.devices={count} needs {count} GPUs, and {found} can be used here"
            + (f" (CUDA_VISIBLE_DEVICES={chosen})" if chosen is not None else "")
            + f". Type trainer.devices={found}, or trainer.device=cpu for {count} processes on the CPU."
        )


@contextlib.contextmanager
def joined(place: Place, device: torch.device, meeting: Path) -> Iterator[Replicas]:
    """A context in which this process trains with the others.

    Args:
        device: of this process.
        meeting: a file that does not exist yet, the same for all of them.
    """
    if sys.platform != "win32":  # they are on one machine: nothing listens to the network
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    with _others():
        store = dist.FileStore(str(meeting), place.count)  # type: ignore[attr-defined]
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.count, timeout=WAIT)
    Here.place = place
    try:
        yield Replicas(place)
    finally:
        Here.place = ALONE
    dist.destroy_process_group()  # not after an error: it may wait for processes that are gone


class Replicas:
    """The processes that train a stage together, as one of them sees them. `begin` is called first; then each calls the same
    methods in the same order.

    Attributes:
        rank, count: number of this process, from 0, and of all.
        asked: whether this process is asked to stop. stops: whether one of them was when they last met.
    """

    def __init__(self, place: Place) -> None:
        self.rank, self.count = place.rank, place.count
        self.asked: Callable[[], bool] = lambda: False
        self.stops = False
        self._method = nn.Module()
        self._others: list[str] = []
        self._statistics: _Statistics | None = None
        self._most = 0

    def begin(self, method: nn.Module, modules: Sequence[nn.Module]) -> None:
        """Start from the first process's weights and buffers. `modules`: those that are trained."""
        self._method = method
        self._take_from_first()
        own = [layer for module in modules for layer in module.modules()]
        norms = {id(layer): layer for layer in own if isinstance(layer, _BatchNorm) and layer.training}
        averaged = [n for n in norms.values() if n.track_running_stats and n.forward.__func__ is not _of_whole_batch]  # type: ignore[attr-defined]
        self._statistics = _Statistics(averaged, self.rank, self.count) if averaged else None
        known = {id(buffer) for norm in norms.values() for buffer in norm.buffers()}
        self._others = [name for name, buffer in method.named_buffers() if id(buffer) not in known]
        self._most = sum(1 for module in modules for _ in module.parameters())

    def _take_from_first(self) -> None:
        """Let all processes have the weights and buffers of the first."""
        with _others():
            for tensor in [*self._method.parameters(), *self._method.buffers()]:
                same = tensor.detach().contiguous()
                dist.broadcast(same, 0)
                tensor.detach().copy_(same)

    @contextlib.contextmanager
    def apart(self, follow: bool = False) -> Iterator[None]:
        """A context in which each process does the same, on the same images, as if it were alone.

        Args:
            follow: whether all of them have the weights and buffers of the first one then.
        """
        place, Here.place = Here.place, ALONE
        try:
            yield
        finally:
            Here.place = place
        if follow:
            self._take_from_first()
        if self._statistics is not None:
            self._statistics.begin()

    def meet(self, said: str, parameters: Sequence[nn.Parameter]) -> bool:
        """Give the gradients of `parameters` their mean over all processes, and bring running statistics together.

        Args:
            said: what the step yields, in words.

        Returns:
            False if not all processes say the same; nothing is changed then.
        """
        ours = torch.zeros(2 + self._most, dtype=torch.int64)
        ours[0], ours[1] = zlib.crc32(said.encode()), self.asked()
        ours[2 : 2 + len(parameters)] = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int64)
        every = self._gather(ours)
        self.stops = bool(every[:, 1].any())
        if (every[:, 0] != ours[0]).any():
            return False
        if self._statistics is not None:
            self._statistics.bring_together()
        used = every[:, 2:].any(0).tolist()
        gradients = []
        for parameter, anywhere in zip(parameters, used, strict=False):
            if anywhere:  # a parameter that no process used has no gradient, as on one device
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        if gradients:
            flat = self.mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
            parts = flat.split([gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))
        return True

    def told(self, value: float) -> float:
        """The value that the first process has, in each of them."""
        same = torch.tensor(value, dtype=torch.float64)
        with _others():
            dist.broadcast(same, 0)
        return float(same)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, the same in each of them."""
        with _others():
            dist.all_reduce(values)
        return values.div_(self.count)

    def check(self, stage: str, step: int) -> None:
        """Raise TrainingError if a buffer that nobody brings together differs between the processes."""
        buffers = dict(self._method.named_buffers())
        content = [zlib.crc32(_bytes(buffers[name])) for name in self._others]
        every = self._gather(torch.tensor(content, dtype=torch.int64))
        differing = (every != every[0]).any(0).tolist()
        if names := [name for name, differs in zip(self._others, differing, strict=True) if differs]:
            raise TrainingError(
                f"The step of stage '{stage}' gives its buffer '{names[0]}' another value on each of the {self.count} devices. "
                "Compute it from ferbench.whole_batch(...) of the images or labels, or train with trainer.devices=1.",
                stage,
                step,
            )

    def _gather(self, ours: Tensor) -> Tensor:
        """(count, *ours.shape), a tensor on the CPU of each process."""
        every = [torch.empty_like(ours) for _ in range(self.count)]
        with _others():
            dist.all_gather(every, ours)
        return torch.stack(every)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


class _Statistics:
    """The running statistics of layers of batch norm.

    A layer with momentum m that has seen the parts b_1 .. b_n changes r to (1 - m)^n r + c, where c depends on the parts only. So
    with q = (1 - m)^n, the parts of process 0, then those of process 1 and so on give q^N r + sum_k q^(N - 1 - k) c_k.
    """

    def __init__(self, norms: Sequence[_BatchNorm], rank: int, count: int) -> None:
        pairs = [(norm, buffer) for norm in norms for buffer in (norm.running_mean, norm.running_var)]
        self._buffers = [buffer for _, buffer in pairs if buffer is not None]
        self._seen = [norm.num_batches_tracked for norm in norms if norm.num_batches_tracked is not None]
        device = self._buffers[0].device
        self._sizes = torch.tensor([2 * norm.num_features for norm in norms], device=device)
        self._keeps = torch.tensor([1 - (norm.momentum or 0.0) for norm in norms], device=device, dtype=torch.float64)
        self._cumulative = torch.tensor([norm.momentum is None for norm in norms], device=device)
        self._rank, self._count = rank, count
        self.begin()

    def begin(self) -> None:
        """Take the statistics as they are for those that all processes have."""
        self._before, self._seen_before = self._now(), torch.stack(self._seen)

    def _now(self) -> Tensor:
        return torch.cat([buffer.double() for buffer in self._buffers])

    def bring_together(self) -> None:
        """Set the statistics to those after the parts of all processes since the last call."""
        seen, count = torch.stack(self._seen), self._count
        new = seen - self._seen_before
        all_seen = self._seen_before + count * new
        keeps = self._keeps**new
        # without a momentum, statistics are means of all parts: r seen = r_before seen_before + sum of the new parts
        keeps = torch.where(self._cumulative, self._seen_before / seen.clamp(min=1), keeps)
        after = torch.where(self._cumulative, seen / all_seen.clamp(min=1), keeps ** (count - 1 - self._rank))
        kept = torch.where(self._cumulative, self._seen_before / all_seen.clamp(min=1), keeps**count)
        unseen = new == 0  # nothing changed
        after, kept = after.masked_fill(unseen, 0.0), kept.masked_fill(unseen, 1.0)
        keep, weight, old = (
            x.repeat_interleave(self._sizes, output_size=len(self._before)) for x in (keeps, after, kept)
        )
        total = weight * (self._now() - keep * self._before)
        with _others():
            dist.all_reduce(total)
        total += old * self._before
        for buffer, value in zip(self._buffers, total.split([len(b) for b in self._buffers]), strict=True):
            buffer.data.copy_(value)  # not noticed by autograd: in train mode, a backward pass does not read them
        for tracked, value in zip(self._seen, all_seen, strict=True):
            tracked.copy_(value)
        self._before, self._seen_before = self._now(), all_seen


def synchronise(module: nn.Module) -> None:
    """Let all layers of batch norm take their statistics from the whole batch of all devices.

    torch's SyncBatchNorm computes on GPUs only, cannot be differentiated twice (gradient penalties need that), and would replace
    layers that a method may hold elsewhere; this changes them in place.
    """
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = types.MethodType(_of_whole_batch, layer)  # type: ignore[method-assign]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _of_whole_batch(self: _BatchNorm, images: Tensor) -> Tensor:
    """`forward` of a layer of batch norm whose statistics are of the parts of all devices."""
    if not self.training:
        return type(self).forward(self, images)
    with torch.autocast(images.device.type, enabled=False):
        x = images.float() if images.dtype in (torch.float16, torch.bfloat16) else images
        places = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        number = x.numel() // x.shape[1] * Here.place.count
        mean = summed(x.sum(places)) / number
        centred = x - mean.view(shape)
        var = summed(centred.square().sum(places)) / number
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            with torch.no_grad():
                self.running_mean += share * (mean - self.running_mean)
                self.running_var += share * (var * number / max(number - 1, 1) - self.running_var)
        made = centred * (var + self.eps).rsqrt().view(shape)
        if self.affine:
            made = made * self.weight.view(shape) + self.bias.view(shape)
        return made.to(images.dtype)


@contextlib.contextmanager
def _others() -> Iterator[None]:
    """A context for what all processes do together. Raises PeerLost if one of them is gone."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error
