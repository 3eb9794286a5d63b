"""What a method costs: operations, parameters, memory. So that budgets can be compared, not only steps."""

from __future__ import annotations

import resource
import sys

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferbench.interfaces.method import Method


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def forward_flops(method: Method, device: torch.device) -> int:
    """Floating point operations to recognise one image, by torch's counter: those of convolutions and matrix products,
    a multiplication and an addition counted as two."""
    image = torch.zeros((1, 3, method.task.image_size, method.task.image_size), device=device)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        method.logits(image)
    return int(counter.get_total_flops())


def forget_peak(device: torch.device) -> None:
    """Start to look for the highest use of memory anew, where that is possible (on a GPU)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """In bytes: on a GPU what torch had allocated since `forget_peak`, else the process' largest resident size so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
