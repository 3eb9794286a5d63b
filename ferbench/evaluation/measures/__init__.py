"""Measures: pure functions of arrays, one file a measure."""
