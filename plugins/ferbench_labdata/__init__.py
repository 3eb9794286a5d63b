"""Datasets of the field, read from the files as their owners distribute them. One file for each dataset."""
