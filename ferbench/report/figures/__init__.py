"""Figures of records and boards, one file a family."""
