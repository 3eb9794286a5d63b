"""Datasets of the field, read from the layouts in which their owners distribute them: one file a dataset."""
