"""The packages that results depend on, and their installed versions."""

from __future__ import annotations

from importlib import metadata

PACKAGES = ("ferbench", "torch", "torchvision", "numpy", "scikit-learn", "pillow")
"""Packages whose versions every record states, besides those that the cards in use name."""


def version(package: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
