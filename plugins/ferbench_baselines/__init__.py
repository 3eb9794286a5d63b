"""Baseline methods. One file for each method."""
