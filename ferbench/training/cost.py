"""The cost of a method: floating point operations, parameters and memory."""

from __future__ import annotations

import resource
import sys

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferbench.interfaces.method import Method


def parameters(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(p.numel() for p in module.parameters())


def forward_flops(method: Method, device: torch.device) -> int:
    """Floating point operations to classify one image, or one clip, as torch's FlopCounterMode counts them: those of convolutions
    and matrix products, where a multiplication and an addition count as two."""
    task = method.task
    image = torch.zeros((1, *task.image_shape), device=device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        method.logits(image)
    return int(counter.get_total_flops())


def forget_peak(device: torch.device) -> None:
    """Reset the peak memory of a GPU; for other devices it does nothing."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: on a GPU that of torch since `forget_peak`, else the largest resident size of the process so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
