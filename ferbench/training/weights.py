"""The start of a backbone from a file of weights (`backbone.weights`)."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ferbench.cards import SEEN, WEIGHTS, BackboneCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.backbone import Backbone
from ferbench.records import weights as stored
from ferbench.registry.component import Component
from ferbench.registry.loader import Registry
from ferbench.training.state import content

NESTED = ("state_dict", "model_state_dict", "model", "net", "ema_state_dict")
"""Under which a checkpoint of others has its weights, beside the state of its training."""


def make_backbone(registry: Registry, config: Component, image_size: int, expected: str = "") -> Backbone:
    """A backbone with its initial weights: random ones, its own, or those of the file that the setting `weights` names.

    Args:
        expected: digest of the file when the trial was planned; "" if it was not.

    Raises:
        FerbenchError: the backbone cannot be made; the file is not there, is another one than expected, or lacks weights.
    """
    backbone: Backbone = config.make(registry, BackboneCard, image_size)
    card = registry.get(BackboneCard, config.name)
    path = str(config.settings.get(WEIGHTS) or "")
    if not card.takes_weights or not path:
        return backbone
    if expected and stored.digest_of(path) != expected:
        raise FerbenchError(
            f"backbone.weights={path} has changed since the trial was planned, or is another file on this machine."
        )
    tensors = read(path)
    try:
        with registry.blaming(card):
            backbone.load_weights(tensors)
    except FerbenchError as error:
        raise FerbenchError(f"backbone.weights={path} does not fit backbone={config.name}: {error}") from error
    backbone.pretraining = stored.seen_by(path, str(config.settings.get(SEEN) or ""))
    return backbone


def read(path: str) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU. It is safetensors, or a checkpoint of torch with tensors and plain data only.

    Raises:
        FerbenchError: it cannot be read.
    """
    file = stored.found(path)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise FerbenchError(f"backbone.weights={path} cannot be read: {_line(error)}.") from error
    except pickle.UnpicklingError as error:
        raise FerbenchError(
            f"backbone.weights={path} holds more than weights (pickled objects), which could run code, and is not loaded. Save its "
            "state_dict with safetensors where you trust it."
        ) from error
    return _tensors(content, file)


def digest_of(network: nn.Module) -> str:
    """A digest of the network's state, 16 hexadecimal digits."""
    state = hashlib.sha256()
    for name, value in network.state_dict().items():
        state.update(name.encode() + content(value))
    return state.hexdigest()[:16]


def _tensors(content: Any, file: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        found = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if found:
            return found
        for name in NESTED:
            if isinstance(content.get(name), Mapping):
                return _tensors(content[name], file)
    raise FerbenchError(f"backbone.weights={file} has no weights by name; it has to be a state_dict.")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
