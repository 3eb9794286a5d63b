"""A component in a configuration (name and settings), and the creation of its object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferbench.cards import Card
from ferbench.randomness import own_random_state
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Component:
    """The name of a card, and values for the settings on that card."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """One dict with the name and the settings, as configurations and records have it."""
        return {"name": self.name, **self.settings}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Component:
        """The inverse of `to_dict`."""
        return cls(str(values["name"]), {k: v for k, v in values.items() if k != "name"})

    def make(self, registry: Registry, kind: type[Card], *more: Any) -> Any:
        """Create the object: call the card's target with its settings and with `more`.

        Raises:
            UnknownName: there is no such card.
            FerbenchError: the component cannot be imported, or does not accept its settings.
        """
        card = registry.get(kind, self.name)
        with registry.blaming(card), own_random_state():
            return card.load()(card.own(self.settings), *more)
