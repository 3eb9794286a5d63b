"""Checks of cards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from ferbench.cards import Card, MethodCard
from ferbench.plan.variants import variant_name
from ferbench.registry.loader import Registry


def card_without_torch(registry: Registry, card: Card) -> None:
    """The module with the cards can be imported without torch.

    Import torch, and modules that import it, in the module of the component and not in the one with the card; `target` names
    the class as a text.
    """
    plugin = registry.owner(card)
    if plugin.distribution == "file":
        return  # a file given by --plugin may hold cards and code together
    code = (
        f"import sys\nfor name in ('torch', 'torchvision', 'timm'): sys.modules[name] = None\nimport {plugin.module}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"{plugin.module} cannot be imported without torch:\n{done.stderr}"


def can_be_made(card: Card, make: Callable[[], object]) -> None:
    """The component can be made with its settings.

    See what its constructor needs. Settings are given as `ferbench check NAME key=value`.
    """
    make()


def ablation_name(card: MethodCard, variant: str, overrides: dict[str, object]) -> None:
    """The name of an ablation follows from its settings.

    Let the ablations of the card differ from one another in their settings.
    """
    found = variant_name(card, {**card.defaults(), **overrides})
    assert found == variant, f"the settings of '{variant}' have the name '{found}'"
