"""The backbone interface. It follows timm's `features_only` convention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from ferbench.errors import FerbenchError, enumerate_first


class Backbone(nn.Module, ABC):
    """A network that maps images to feature maps, ordered from fine to coarse. Constructed with (settings, image_size).

    Attributes:
        channels: number of channels of each map.
        reductions: width of the image divided by the width of each map; increasing.
        pretraining: the data on which the initial weights were trained, in words, with a mention of identity and emotion
            labels among them. Empty for random weights. The leaderboard shows it.
        scratch: names of attributes, of the backbone or its modules, that training may change although they are not kept: caches
            of what can be computed again. See `Method.scratch`.
    """

    channels: tuple[int, ...]
    reductions: tuple[int, ...]
    pretraining: str = ""
    scratch: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), float, in [-1, 1].

        Returns:
            L maps, of which map l is (B, channels[l], H / reductions[l], W / reductions[l]), float.
        """

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the weights of a file (`backbone.weights=FILE`). Override it where names in files differ from those here.

        Names here may stand behind a common prefix in the file, such as "module." or "backbone.". What the file has beside, such
        as the weights of a classifier, is not used.

        Args:
            tensors: by their names in the file, on the CPU.

        Raises:
            FerbenchError: one of the backbone's weights is missing, or has another shape.
        """
        own = {name: value for name, value in self.state_dict().items() if not name.endswith("num_batches_tracked")}
        prefix = next((p for p in _prefixes(tensors, own) if all(p + name in tensors for name in own)), None)
        if prefix is None:
            missing = [name for name in own if name not in tensors]
            raise FerbenchError(
                f"{len(missing)} of its {len(own)} weights are not in the file: {enumerate_first(missing)}. The file has "
                f"{enumerate_first(list(tensors))}."
            )
        chosen = {name: tensors[prefix + name] for name in own}
        for name, value in chosen.items():
            if value.shape != own[name].shape:
                raise FerbenchError(
                    f"{name} has the shape {tuple(value.shape)} in the file, and {tuple(own[name].shape)} here."
                )
        self.load_state_dict(
            chosen, strict=False
        )  # without the counters of batch normalisation, which change nothing here


def _prefixes(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """What stands before the backbone's names in a file, perhaps; nothing first, then the shortest."""
    first = next(iter(own), "")
    ends = {name.removesuffix(first) for name in tensors if name.endswith(f".{first}")}
    return ["", *sorted(ends, key=lambda prefix: (len(prefix), prefix))]
