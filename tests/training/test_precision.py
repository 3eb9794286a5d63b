"""Which precision `trainer.precision=auto` is, and training in fp16."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, Stage, Update
from ferbench.errors import TrainingError
from ferbench.execution.trial import left_out
from ferbench.records.files import losses_table
from ferbench.testing import make_batch, make_task, training
from ferbench.training import checkpoint, precision
from ferbench.training.graph import Rehearsal
from ferbench.training.loop import Device, train
from tests.training.killed import Killed


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CPU with AVX512-BF16 and no AMX, and an empty cache folder."""
    monkeypatch.setenv("FERBENCH_CACHE", str(tmp_path / "cache"))
    fields = {"flags": "fpu avx512_bf16 avx512f", "model name": "A CPU"}
    monkeypatch.setattr(precision, "_cpu", lambda field: fields[field])
    return tmp_path / "cache" / "bf16.json"


@pytest.mark.parametrize(("ratio", "expected"), [(0.6, "bf16"), (0.99, "fp32"), (1.8, "fp32")])
def test_a_cpu_that_only_converts_is_measured_once(
    machine: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, expected: str
) -> None:
    measured = []

    def measure() -> float:
        measured.append(ratio)
        return ratio

    monkeypatch.setattr(precision, "measure", measure)
    assert [Device.choose("cpu", "auto").precision for _ in range(3)] == [expected] * 3
    assert len(measured) == 1
    assert json.loads(machine.read_text()) == {f"A CPU, torch {torch.__version__}": ratio}
    machine.write_text("{")  # a damaged file is written anew
    assert Device.choose("cpu", "auto").precision == expected
    assert len(measured) == 2


def test_what_is_asked_for_and_what_needs_no_measurement(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "measure", lambda: pytest.fail("nothing is to be measured"))
    assert Device.choose("cpu", "fp32").precision == "fp32"
    assert Device.choose("cpu", "bf16").precision == "bf16"
    for flags, expected in (("avx512_bf16 amx_bf16 amx_tile", "bf16"), ("avx2", "fp32"), ("", "fp32")):
        monkeypatch.setattr(precision, "_cpu", lambda field, flags=flags: flags)
        assert Device.choose("cpu", "auto").precision == expected
    assert not machine.exists()


def test_the_measurement_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.rand(2)
    torch.manual_seed(3)
    assert precision.measure() > 0
    assert torch.rand(2).equal(before)


@pytest.mark.parametrize(
    ("bf16", "capability", "expected"), [(True, (8, 0), "bf16"), (False, (7, 0), "fp16"), (False, (6, 1), "fp32")]
)
def test_what_a_gpu_trains_in(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, capability: tuple[int, int], expected: str
) -> None:
    """An A100, a V100 and a GTX 1080."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.fastest(torch.device("cuda")) == expected


def test_fp16_is_refused_on_a_cpu() -> None:
    with pytest.raises(
        TrainingError, match="trainer.precision=fp16 is for NVIDIA's GPUs, and trainer.device is cpu here"
    ):
        Device.choose("cpu", "fp16")


class Half(Method):
    """A network and two groups; `large` is a step in which the gradient of the first becomes infinite."""

    scratch = ("moved",)

    def __init__(self, large: int = -1, sam: float = 0.0) -> None:
        super().__init__(make_task(), None, None)  # type: ignore[arg-type]
        with self.task.init("half"):
            self.a = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.ReLU())
            self.b = nn.Linear(8, 6)
        self.large, self.sam = large, sam
        self.moved: list[bool] = []

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        before = self.a[1].weight.detach().clone()  # type: ignore[operator]
        factor = 1e35 if clock.step == self.large else 1.0
        yield Update("a", F.cross_entropy(self.logits(batch.images), batch.expression) * factor)
        self.moved.append(not torch.equal(before, self.a[1].weight))  # type: ignore[arg-type]
        yield Update("b", F.cross_entropy(self.logits(batch.images), batch.expression))

    def stages(self) -> Sequence[Stage]:
        groups = {"a": Group([self.a], sam=self.sam), "b": Group([self.b], optimiser="sgd", lr=0.1, momentum=0.9)}
        return [Stage("half", self.step, groups)]

    def features(self, images: Tensor) -> Tensor:
        return self.a(images)

    def logits(self, images: Tensor) -> Tensor:
        return self.b(self.a(images))


FP16 = Device(torch.device("cpu"), "fp16")


def run(method: Method, steps: int = 6, **more: Any) -> list[tuple[int, str, float]]:
    return train(method, method.stages()[0], steps, training(**{"device": FP16, **more})).losses


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_fp16_is_torchs_scaling_of_each_loss(clip: float) -> None:
    """Bit for bit, with an update that is left out: the loop against one written by hand."""
    ours, theirs = Half(large=2), Half(large=2)
    run(ours, clip_norm=clip)
    theirs.train()
    groups = {"a": list(theirs.a.parameters()), "b": list(theirs.b.parameters())}
    optimisers = {
        "a": torch.optim.AdamW(groups["a"], weight_decay=0, fused=True),
        "b": torch.optim.SGD(groups["b"], lr=0.1, momentum=0.9, fused=True),
    }
    scalers = {name: torch.amp.GradScaler("cpu") for name in groups}
    for step in range(6):
        batch = make_batch(make_task(), seed=step)
        for name in ("a", "b"):
            with torch.autocast("cpu", torch.float16):
                loss = F.cross_entropy(theirs.logits(batch.images), batch.expression)
            loss = loss * (1e35 if name == "a" and step == 2 else 1.0)
            theirs.zero_grad()
            scalers[name].scale(loss).backward()
            scalers[name].unscale_(optimisers[name])
            if clip:
                nn.utils.clip_grad_norm_(groups[name], clip)
            scalers[name].step(optimisers[name])
            scalers[name].update()
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("sam", [0.0, 0.1])
def test_an_update_with_an_infinite_gradient_is_left_out_and_counted(sam: float) -> None:
    """The weights stay for that update, and finite ever after; the other group goes on."""
    method = Half(large=2, sam=sam)
    losses = run(method)
    assert method.moved == [True, True, False, True, True, True]
    skipped = [(step, name) for step, name, value in losses if name.endswith("/skipped") and value]
    assert skipped == [(2, "a/skipped")]
    assert sum(name.endswith("/skipped") for _, name, _ in losses) == 12
    assert all(value.isfinite().all() for value in method.state_dict().values())
    tables = [losses_table(losses, "half"), losses_table(losses, "half")]
    assert left_out(tables) == ["2 of 24 updates were left out: a gradient was infinite in fp16 (stage half)."]
    assert left_out([losses_table(run(Half(), 2), "half")]) == []


def test_a_checkpoint_holds_the_scales(tmp_path: Path) -> None:
    """Left out in step 2, so that the scale is another one afterwards."""
    whole, cut, resumed = Half(large=2), Half(large=2), Half(large=2)
    losses = run(whole)

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        run(cut, batches=Killed(make_task(), stop=5), checkpoint=path, checkpoint_every=2)
    saved = checkpoint.load(path)
    assert saved is not None
    assert {name: value.tolist() for name, value in saved.tensors.items() if name.startswith("scaler/")} == {
        "scaler/a": [32768.0, 1.0],
        "scaler/b": [65536.0, 4.0],
    }
    assert run(resumed, checkpoint=path) == losses
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_steps_in_fp16_are_not_recorded() -> None:
    method = Half()
    found = train(method, method.stages()[0], 4, training(device=FP16, graph=Rehearsal()))
    assert found.obstacle == "The steps of stage 'half' are not recorded as a graph: their losses are scaled (fp16)."
