"""Backbones that start from a file of weights: `backbone.weights`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ferbench import Backbone, FerbenchError
from ferbench.records.store import Store
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench.training.weights import make_backbone, read
from ferbench_convnet.backbone import ConvNet
from ferbench_convnet.plugin import ConvNetSettings
from ferbench_iresnet.backbone import BLOCKS, IResNet
from ferbench_iresnet.plugin import IResNetSettings
from ferbench_timm.backbone import Timm
from ferbench_timm.plugin import TimmSettings

Run = Callable[..., Any]


def convnet() -> ConvNet:
    return ConvNet(ConvNetSettings(width=4), 32)


def made(path: Path, **settings: object) -> Backbone:
    return make_backbone(load_registry(), Component("convnet", {"width": 4, "weights": str(path), **settings}), 32)


def equal(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_file_are_those_of_the_backbone(tmp_path: Path, prefix: str, suffix: str) -> None:
    donor, path = convnet(), tmp_path / f"donor{suffix}"
    tensors = {f"{prefix}{name}": value for name, value in donor.state_dict().items()}
    tensors[f"{prefix}head.weight"] = torch.ones(7, 32)
    if suffix == ".pth":
        torch.save({"epoch": 3, "state_dict": tensors}, path)
    else:
        save_file(tensors, path)
    assert equal(made(path), donor)


def test_a_file_without_counters_of_batch_normalisation(tmp_path: Path) -> None:
    donor = convnet()
    tensors = {name: value for name, value in donor.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(tensors, tmp_path / "donor.safetensors")
    assert equal(made(tmp_path / "donor.safetensors"), donor)


def test_a_part_that_is_called_alike_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    """The names of a discriminator may end like those of the backbone, and the file may have it first."""
    donor = convnet()
    tensors = {f"a.{name}": value + 1 for name, value in list(donor.state_dict().items())[:2]}
    tensors |= {f"backbone.{name}": value for name, value in donor.state_dict().items()}
    save_file(tensors, tmp_path / "both.safetensors")
    assert equal(made(tmp_path / "both.safetensors"), donor)


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, path)
    return path


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda p: p, "does not exist; it has to be a file of weights"),
        (lambda p: p.parent, "is a folder; it has to be a file of weights"),
        (lambda p: _write(p, b"nonsense"), "cannot be read: "),
        (lambda p: _write(p.with_suffix(".pth"), b"nonsense"), "pth"),
        (lambda p: _pickled(p.with_suffix(".pth")), "holds more than weights (pickled objects), which could run code"),
        (lambda p: _saved(p.with_suffix(".pth"), {"epoch": 3}), "has no weights by name; it has to be a state_dict."),
        (
            lambda p: saved(p, {"other": torch.ones(2)}),
            "does not fit backbone=convnet: 40 of its 40 weights are not in the file: blocks.0.0.weight,",
        ),
        (
            lambda p: saved(p, ConvNet(ConvNetSettings(width=8), 32).state_dict()),
            "blocks.0.0.weight has the shape (8, 3, 3, 3) in the file, and (4, 3, 3, 3) here.",
        ),
    ],
)  # fmt: skip
def test_what_is_no_file_of_weights(tmp_path: Path, write: Callable[[Path], Path], sentence: str) -> None:
    path = write(tmp_path / "given.safetensors")
    with pytest.raises(FerbenchError) as error:
        made(path)
    assert str(error.value).startswith(f"backbone.weights={path} ")
    assert sentence in str(error.value)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def _pickled(path: Path) -> Path:
    return _saved(path, convnet())


@pytest.mark.parametrize(
    "model",
    [
        "resnet18", "convnext_atto", "efficientnet_b0", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224",
        "mobilenetv3_small_050", "vgg11", "densenet121",
    ],
)  # fmt: skip
def test_what_timm_stores_gives_the_maps_of_timm(tmp_path: Path, model: str) -> None:
    """Against timm's own loading of the file. Batch normalisation has seen something, so that its state counts."""
    fixed: dict[str, Any] = {"img_size": 64} if "patch" in model and "swin" not in model else {}
    size = 64 if "swin" not in model else 224
    donor: Any = timm.create_model(model, num_classes=5, **fixed)
    donor.train()(torch.rand(2, 3, size, size))
    path = saved(tmp_path / "donor.safetensors", {k: v.contiguous() for k, v in donor.state_dict().items()})
    ours = Timm(TimmSettings(model=model), size).eval()
    ours.load_weights({f"module.{name}": value for name, value in read(str(path)).items()})
    theirs: Any = timm.create_model(
        model, features_only=True, pretrained=True, **fixed,
        pretrained_cfg_overlay={"file": str(path), "num_classes": 5},
    )  # fmt: skip
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        expected = theirs.eval()((images - ours.mean) / ours.std)
        for found, wanted in zip(ours(images), expected, strict=True):
            assert torch.equal(found, wanted if found.shape == wanted.shape else wanted.permute(0, 3, 1, 2))


def test_a_model_of_a_folder_as_timm_takes_it(tmp_path: Path) -> None:
    config = {
        "architecture": "resnet18",
        "num_classes": 1000,
        "pretrained_cfg": {"tag": "vggface2", "num_classes": 1000},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    donor: Any = timm.create_model("resnet18")
    save_file(donor.state_dict(), tmp_path / "model.safetensors")
    backbone = Timm(TimmSettings(model=f"local-dir:{tmp_path}", pretrained=True), 64)
    assert torch.equal(backbone.network.conv1.weight, donor.conv1.weight)
    assert backbone.pretraining == "VGGFace2: faces with identities"
    with pytest.raises(FerbenchError, match="cannot be"):
        Timm(TimmSettings(model="local-dir:/nowhere"), 64)


class Donor(nn.Module):
    """A network with the parts, names and shapes of InsightFace's PyTorch models, written from their state dict: what its file has
    that the backbone does not is the head."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.body = IResNet(IResNetSettings(depth=depth), 112)

    def tensors(self) -> dict[str, Tensor]:
        head = {
            "bn2.weight": torch.ones(512),
            "fc.weight": torch.ones(512, 512 * 49),
            "features.weight": torch.ones(512),
        }
        return {**self.body.state_dict(), **head}


def test_the_names_of_a_face_recognition_network(tmp_path: Path) -> None:
    """As released files have them: 3x3 convolutions at full size first, a short cut at the head of each part."""
    names = Donor(50).tensors()
    assert {"conv1.weight", "bn1.running_mean", "prelu.weight", "layer1.0.bn1.weight", "layer1.0.downsample.0.weight",
            "layer1.0.downsample.1.bias", "layer3.13.prelu.weight", "layer4.2.bn3.weight"} <= set(names)  # fmt: skip
    assert "layer1.1.downsample.0.weight" not in names
    assert names["layer4.0.conv2.weight"].shape == (512, 512, 3, 3)
    assert sum(BLOCKS[100]) * 2 + 2 == 100, "two convolutions a block, the first convolution and the last layer"
    backbone = IResNet(IResNetSettings(depth=18), 112).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 112, 112))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    path = tmp_path / "backbone.pth"
    torch.save(Donor(18).tensors(), path)
    given = {"depth": 18, "weights": str(path), "seen": "Glint360K: faces with identities"}
    assert make_backbone(load_registry(), Component("iresnet", given), 112).pretraining == given["seen"]


def test_a_depth_that_there_is_not() -> None:
    with pytest.raises(FerbenchError, match=r"backbone\.depth=51 has to be one of 18, 34, 50, 100, 200\."):
        IResNet(IResNetSettings(depth=51), 112)


def run(ferbench: Run, smoke: tuple[str, ...], results: Path, *words: str) -> Any:
    done = ferbench("run", "method=cross_entropy", *smoke, f"results_dir={results}", "evaluation.judges=0", *words)
    assert done.status == 0, done.err + done.out
    return Store(results).scan()[0]


def test_records_that_start_from_files(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """The content of the file counts for the identity of a trial, and not where it lies or what is said of it."""
    results, size = tmp_path / "results", "backbone.width=8"
    (random,) = run(ferbench, smoke, results, size)
    assert "weights" not in random.trial.identity.backbone.settings
    donor = saved(tmp_path / "one.safetensors", ConvNet(ConvNetSettings(width=8), 48).state_dict())
    records = run(ferbench, smoke, results, size, f"backbone.weights={donor}", "backbone.seen=cats")
    (first,) = (record for record in records if record.trial.id != random.trial.id)
    assert first.provenance["pretraining"] == "cats"
    assert first.stages[0].weights != random.stages[0].weights

    moved = donor.rename(tmp_path / "two.safetensors")
    assert len(run(ferbench, smoke, results, size, f"backbone.weights={moved}", "backbone.seen=dogs")) == 2, "stored"
    saved(moved, {name: value + 0.01 for name, value in load_file(moved).items() if value.is_floating_point()})
    records = run(ferbench, smoke, results, size, f"backbone.weights={moved}")
    assert len(records) == 3
    second = next(record for record in records if record.trial.id not in (random.trial.id, first.trial.id))
    assert "data that backbone.seen does not name (two.safetensors, sha256 " in second.provenance["pretraining"]
    assert second.provenance["initial_weights"] != first.provenance["initial_weights"]

    shown = ferbench("leaderboard", results).out
    digest = str(first.trial.identity.backbone.settings["weights"])[:6]
    assert "have seen: cats" in " ".join(shown.split())
    assert f"convnet width=8 (one {digest})" in shown or f"(one {digest})" in shown
    assert shown.count("pretraining") or shown.count(" · ") >= 2, "a board for random weights, and one for others"


def test_weights_that_were_trained_on_who_is_tested(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    results, size = tmp_path / "results", "backbone.width=8"
    (record,) = run(ferbench, smoke, results, size)
    weights = f"backbone.weights={results / record.trial.id / 'weights.safetensors'}"
    run(ferbench, smoke, results, size, weights)  # the same fold: none of those tested was trained on
    records = run(ferbench, smoke, results, size, weights)
    second = next(other for other in records if other.trial.id != record.trial.id)
    assert second.provenance["pretraining"] == (
        f"synthfaces, its labels of expression and identity (ferbench, cross_entropy, trial {record.trial.id})"
    )
    words = [word for word in smoke if not word.startswith("protocol.folds")]
    done = ferbench(
        "run",
        "method=cross_entropy",
        *words,
        f"results_dir={results}",
        size,
        weights,
        "protocol.folds=1",
        "evaluation.judges=0",
    )
    assert done.status == 2
    assert "was trained on subjects that would be tested: trial" in done.err


def test_two_ways_to_start(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    words = [word for word in smoke if not word.startswith("backbone")]
    given = ("backbone=timm", "backbone.pretrained=true", f"backbone.weights={tmp_path / 'x.pth'}")
    done = ferbench("run", "method=cross_entropy", *words, *given)
    assert done.status == 2
    assert "backbone.pretrained and backbone.weights both say what the backbone starts from" in done.err
