"""Checks of what others made: splits, copies of datasets, submissions."""
