"""Which precision a machine trains fastest in: bf16, fp16 or fp32."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from ferbench.files import cache_folder, replace_text

PAYS = 0.95
"""bf16 is chosen where its steps take less than this share of the time of fp32's."""
PAIRS = 6


TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The type of the forward pass by the precision, where it is not fp32."""

TENSOR_CORES = (7, 0)
"""CUDA's compute capability from which on GPUs multiply matrices faster in fp16."""


def fastest(device: torch.device) -> str:
    """The precision that `trainer.precision=auto` is on this device."""
    if has_bf16(device):
        return "bf16"
    fp16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= TENSOR_CORES
    return "fp16" if fp16 else "fp32"


def has_bf16(device: torch.device) -> bool:
    """Whether training in bf16 is faster on this device: where the hardware computes in it, and on CPUs with AVX512-BF16 but
    without AMX, which have no unit for products of matrices in it, where a measurement says that it pays."""
    if device.type == "cuda":
        result: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return result
    if device.type != "cpu":
        return False
    flags = _cpu("flags")
    return "amx_bf16" in flags or ("avx512_bf16" in flags and pays())


def pays() -> bool:
    """Whether bf16 is faster on this CPU. Measured once, in about a second, and remembered in the cache folder, so that all trials
    of a machine agree, whatever else it does and however many threads they have."""
    path = cache_folder("") / "bf16.json"
    machine = f"{_cpu('model name') or platform.processor()}, torch {torch.__version__}"
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        known = {}
    if machine not in known:
        known[machine] = measure()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, json.dumps(known, indent=1))
        except OSError:
            pass  # measured again next time
    return float(known[machine]) < PAYS


def measure() -> float:
    """Time of a training step in bf16 / in fp32: a small convolutional network, 32 images of 48 px, the fastest of some steps of
    each, taken in turn."""
    with torch.random.fork_rng(devices=[]):
        network = nn.Sequential()
        for before, after in ((3, 32), (32, 64), (64, 128)):
            network.extend([nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()])
        network.to(memory_format=torch.channels_last)
        images = torch.rand(32, 3, 48, 48).contiguous(memory_format=torch.channels_last)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(PAIRS):
            for reduced, taken in seconds.items():
                start = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
                    features = network(images)
                F.mse_loss(features.float(), torch.zeros_like(features, dtype=torch.float32)).backward()
                taken.append(time.perf_counter() - start)
    return min(seconds[True]) / min(seconds[False])


def _cpu(field: str) -> str:
    """A field of the first processor in /proc/cpuinfo; "" where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), "")
