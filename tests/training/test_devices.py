"""What one process can show of training on several devices (test_replicas.py has two)."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import Tensor

from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.errors import TrainingError, UnknownName
from ferbench.execution.replicas import _portable
from ferbench.interfaces.replicas import Place, whole_batch
from ferbench.training.loop import Device
from ferbench.training.replicas import need_devices, synchronise
from tests.training.together import Unportable, double


def test_synchronised_batch_norm_on_one_device_is_batch_norm() -> None:
    with double():
        ours, theirs = (torch.nn.BatchNorm2d(3) for _ in range(2))
        synchronise(ours)
        images = torch.rand(4, 3, 5, 5) + 100
        for layer in (ours, theirs):
            layer(images).square().sum().backward()
        for name, value in ours.state_dict().items():
            assert torch.allclose(value, theirs.state_dict()[name]), name
        assert torch.allclose(ours(images), theirs(images))
        assert torch.allclose(ours.eval()(images), theirs.eval()(images))
        assert ours.weight.grad is not None
        assert theirs.weight.grad is not None
        assert torch.allclose(ours.weight.grad, theirs.weight.grad)


def test_parts_make_up_the_batch_with_its_augmentation() -> None:
    """12 of 24 images, in 1 and in 3 parts."""
    array = torch.randint(0, 256, (24, 32, 32, 3), dtype=torch.uint8).numpy()
    rows = torch.arange(24)
    labels = Labels(rows, rows % 6, rows % 4, rows % 4)

    def batch(place: Place) -> tuple[Tensor, Tensor | None, Tensor]:
        made = Batches(Images(array, torch.device("cpu")), labels, Augment(), 12, (0,), place=place)(5)
        return made.images, made.neutral, made.expression

    whole = batch(Place())
    parts = [batch(Place(rank, 3)) for rank in range(3)]
    for ours, theirs in zip(whole, zip(*parts, strict=True), strict=True):
        assert ours is not None
        assert torch.equal(ours, torch.cat(theirs))


def test_the_whole_batch_of_one_device_is_its_own() -> None:
    tensor = torch.rand(3)
    assert whole_batch(tensor) is tensor


def test_more_devices_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    with pytest.raises(
        TrainingError, match=r"devices=4 needs 4 GPUs, and 2 can be used here \(CUDA_VISIBLE_DEVICES=1,3\)"
    ):
        need_devices("cuda", 4)
    need_devices("cuda", 2)


def test_devices_of_another_kind() -> None:
    with pytest.raises(TrainingError, match="here trainer.device is meta. Leave trainer.devices out"):
        Device.choose("meta", "fp32", 2)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (UnknownName("method", "dagan", ["degan"]), TrainingError, "There is no method 'dagan'. Did you mean 'degan'?"),
        (TrainingError("The loss is nan.", "synthesis", 7), TrainingError, "The loss is nan."),
        (torch.OutOfMemoryError("Tried to allocate 2 TiB"), torch.OutOfMemoryError, "Tried to allocate 2 TiB"),
        (OSError(28, "No space left on device", "/results"), OSError, "No space left on device"),
        (Unportable(1, 2), RuntimeError, "Unportable: 1 and 2"),
    ],
)  # fmt: skip
def test_an_error_of_a_process_arrives_in_another(error: Exception, kind: type[Exception], words: str) -> None:
    arrived = pickle.loads(pickle.dumps(_portable(error, Place(1, 2))))
    assert type(arrived) is kind
    assert words in str(arrived)
    for attribute in ("stage", "step", "errno", "filename"):
        if hasattr(error, attribute):
            assert getattr(arrived, attribute) == getattr(error, attribute)
