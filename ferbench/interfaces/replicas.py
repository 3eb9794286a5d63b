"""What a step may ask where several devices train together, each on its part of a batch (`trainer.devices`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class PeerLost(Exception):
    """Another of the processes that train together has ended, or did not answer."""


@dataclass(frozen=True)
class Place:
    """The place of this process among those that train together: its `rank`, from 0, of `count`."""

    rank: int = 0
    count: int = 1


ALONE = Place()


class Here:
    """The place of this process, which `ferbench.training.replicas` sets."""

    place = ALONE


def whole_batch(part: Tensor) -> Tensor:
    """The tensors of all devices that train together, one after another; where one device trains, `part` itself.

    A method needs it where a step computes something of the whole batch that is no mean over images: a memory in a buffer, which
    has to be equal on all devices, or a loss of all pairs of images. Every device has to call it. Gradients flow through it.

    Args:
        part: (B, ...), of equal shape on all devices, such as `batch.images` or features of them.

    Returns:
        (B * devices, ...).

    >>> whole_batch(torch.tensor([1, 2])).tolist()  # on one device
    [1, 2]
    """
    place = Here.place
    if place.count == 1:
        return part
    if part.dtype == torch.bool:
        return whole_batch(part.byte()).bool()
    return summed(torch.cat([part if rank == place.rank else torch.zeros_like(part) for rank in range(place.count)]))


def summed(tensor: Tensor) -> Tensor:
    """The sum over the devices that train together, the same on all of them. It can be differentiated any number of times."""
    result: Tensor = tensor if Here.place.count == 1 else _Sum.apply(tensor)
    return result


class _Sum(torch.autograd.Function):
    """Everybody's loss depends on everybody's summand, so that gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        try:
            dist.all_reduce(total)
        except RuntimeError as error:
            raise PeerLost(str(error)) from error
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return summed(gradient)
