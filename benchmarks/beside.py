"""A training step of a public repository beside ferbench's: `python benchmarks/beside.py STEP.py [METHOD] [SIZE] [BATCH]`.

STEP.py is written by whoever has a checkout of the repository. Its function make(size, batch, classes, subjects, device) makes
networks and optimisers as the repository's training script does, and returns step(images, expression, subject): one training
step on images (batch, 3, size, size) in [-1, 1] and labels (batch,), all on the device. For the same network on both sides it may
have backbone(size), which returns the repository's network as a ferbench.Backbone; without it, ours is convnet.

Precision is fp32 on both sides, since repositories rarely have another. METHOD (default: degan) trains its first stage. Prints
images a second of both, and the median of the ratios of pairs taken in turn.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from types import ModuleType

import torch

from ferbench.cards import BackboneCard, MethodCard
from ferbench.interfaces.method import Batch, Task
from ferbench.registry.loader import load_registry
from ferbench.training.graph import recorder
from ferbench.training.loop import Device, Training, train

CLASSES, SUBJECTS, PAIRS = 6, 30, 7


def loaded(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("theirs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["theirs"] = module
    spec.loader.exec_module(module)
    return module


def main(path: str, name: str = "degan", size: str = "96", batch: str = "32") -> None:
    pixels, count = int(size), int(batch)
    device = Device.choose("auto", "fp32")
    module, registry = loaded(path), load_registry()
    task = Task(tuple(f"class {i}" for i in range(CLASSES)), tuple(f"subject {i}" for i in range(SUBJECTS)), pixels)
    card = registry.get(MethodCard, name)
    with task.init("backbone"):
        if hasattr(module, "backbone"):
            backbone = module.backbone(pixels)
        else:
            shipped = registry.get(BackboneCard, "convnet")
            backbone = shipped.load()(shipped.settings(), pixels)
    method = card.load()(task, backbone, card.settings()).to(device.device, memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand((count, 3, pixels, pixels), generator=generator) * 2 - 1).to(device.device)
    expression = torch.randint(0, CLASSES, (count,), generator=generator).to(device.device)
    subject = torch.randint(0, SUBJECTS, (count,), generator=generator).to(device.device)
    ready = Batch(images.contiguous(memory_format=torch.channels_last), expression, subject, images.clone())
    training = Training(lambda step: ready, device, graph=recorder(device.device))
    step = module.make(pixels, count, CLASSES, SUBJECTS, device.device)

    def ours(steps: int) -> None:
        train(method, method.stages()[0], steps, training)

    def theirs(steps: int) -> None:
        for _ in range(steps):
            step(images, expression, subject)

    def rate(run: Callable[[int], None], steps: int) -> float:
        start = time.perf_counter()
        run(steps)
        if device.device.type == "cuda":
            torch.cuda.synchronize()
        return steps * count / (time.perf_counter() - start)

    steps = 200 if device.device.type == "cuda" else 6
    rate(ours, 10), rate(theirs, 3)
    found = [(rate(ours, steps), rate(theirs, steps)) for _ in range(PAIRS)]
    first, second = (statistics.median(values) for values in zip(*found, strict=True))
    ratios = sorted(a / b for a, b in found)
    print(f"{name} of ferbench {first:,.0f} images/s, {path} {second:,.0f} images/s; ratio {statistics.median(ratios):.2f} "
          f"({PAIRS} pairs: {ratios[0]:.2f} to {ratios[-1]:.2f}), {pixels} px, batches of {count}, {device.device}")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
