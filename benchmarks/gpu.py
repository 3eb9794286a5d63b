"""Training on a GPU: each step as Python runs it, and as a graph. `python benchmarks/gpu.py`; benchmarks/gpu.sh runs all checks.

Images a second of the last 25 of the steps, on random images that lie on the device, with augmentation.
"""

from __future__ import annotations

import dataclasses
import platform
import sys
import time

import torch

from ferbench.cards import BackboneCard, MethodCard
from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.interfaces.method import Method, Task
from ferbench.registry.loader import load_registry
from ferbench.training.graph import recorder
from ferbench.training.loop import Device, Training, train

CASES = (
    ("cross_entropy", 48, 32, "bf16"),
    ("degan", 48, 32, "bf16"),
    ("degan", 96, 64, "bf16"),
    ("degan", 96, 64, "fp32"),
    ("tdgan", 96, 64, "bf16"),
)
"""(method, size of the images in pixels, batch, precision)."""

SUBJECTS, FRAMES = 40, 1440


def prepared(name: str, size: int, batch: int, precision: str) -> tuple[Method, Training]:
    """A method and random images on the device."""
    registry = load_registry()
    device = Device.choose("cuda", precision)
    expressions = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    task = Task(expressions, tuple(f"P{i:02}" for i in range(SUBJECTS)), size)
    card = registry.get(MethodCard, name)
    with task.init("backbone"):
        backbone_card = registry.get(BackboneCard, "convnet")
        backbone = backbone_card.load()(backbone_card.settings(), size)
    method = card.load()(task, backbone, card.settings())
    method.to(device.device, memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(0)
    array = torch.randint(0, 256, (FRAMES, size, size, 3), generator=generator, dtype=torch.uint8).numpy()
    rows = torch.arange(FRAMES)
    labels = Labels(rows, rows % len(expressions), rows % SUBJECTS, rows % SUBJECTS)
    return method, Training(Batches(Images(array, device.device), labels, Augment(), batch, (0,)), device)


def measured(name: str, size: int, batch: int, precision: str, steps: int, graph: bool) -> tuple[list[float], str]:
    """Images a second in each stage, and obstacles."""
    method, training = prepared(name, size, batch, precision)
    rates, obstacles = [], ""
    for stage in method.stages():
        found: list[float] = []
        listening = dataclasses.replace(
            training,
            on_losses=lambda step, losses, rate, found=found: found.append(rate),  # type: ignore[misc]
            graph=recorder(training.device.device) if graph else None,
        )
        obstacles += train(method, stage, steps, listening).obstacle
        rates.append(found[-1])
    return rates, obstacles


def main(steps: int = 250) -> None:
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {platform.machine()}")
    print("| method | px / batch | precision | stage | by Python, images/s | graph, images/s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, size, batch, precision in CASES:
        start = time.perf_counter()
        plain, _ = measured(name, size, batch, precision, max(steps // 4, 50), graph=False)
        graphs, obstacle = measured(name, size, batch, precision, steps, graph=True)
        for number, (one, other) in enumerate(zip(plain, graphs, strict=True), 1):
            cells = (
                f"{name} | {size} / {batch} | {precision} | {number} | {one:,.0f} | {other:,.0f} | {other / one:.1f}"
            )
            print(f"| {cells} | {obstacle}  ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
