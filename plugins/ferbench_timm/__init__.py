"""Backbones from the library timm."""
