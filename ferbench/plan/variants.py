"""Variants of a method (ablations): from names to settings, and from settings to a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferbench.cards import MethodCard
from ferbench.config.schema import RunConfig
from ferbench.errors import UnknownName
from ferbench.settings import plain

FULL, ALL = "none", "all"
"""Values of the setting `ablation`: the full method only, and the full method with all ablations on its card."""


def variants(card: MethodCard, config: RunConfig) -> list[dict[str, Any]]:
    """The method's settings for each variant that the setting `ablation` names.

    Raises:
        UnknownName: the method has no such ablation.
    """
    names = [FULL, *card.ablations] if config.ablation == ALL else [config.ablation]
    all_settings = []
    for name in names:
        settings = dict(config.method.settings)
        for part in name.split("+") if name != FULL else []:
            if part not in card.ablations:
                raise UnknownName(f"ablation of method '{card.name}'", part, [*card.ablations, ALL, FULL])
            settings |= plain(card.ablations[part])
        all_settings.append(settings)
    return all_settings


def variant_name(card: MethodCard, settings: Mapping[str, Any]) -> str:
    """The name of a variant: "full", or its ablations and any other settings that differ from the defaults, joined by '+'."""
    defaults = card.defaults()
    changed = {k: v for k, v in settings.items() if defaults.get(k) != plain(v)}
    names = []
    for name, overrides in sorted(
        card.ablations.items(), key=lambda item: -len(item[1])
    ):  # ablations with most settings first
        if overrides and all(changed.get(k, defaults.get(k)) == plain(v) for k, v in overrides.items()):
            names.append(name)
            changed = {k: v for k, v in changed.items() if k not in overrides}
    return "+".join(names + [f"{k}={v}" for k, v in sorted(changed.items())]) or "full"
