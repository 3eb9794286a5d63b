"""Figures of records. Sees records only; imports no torch."""
