"""Records of trials: their schema, their files, the results folder that holds them."""

from ferbench.records.identity import IDENTITY
from ferbench.records.schema import SCHEMA

__all__ = ["IDENTITY", "SCHEMA"]
