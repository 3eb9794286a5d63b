"""Baselines that every comparison needs: one file a method."""
