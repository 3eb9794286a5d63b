"""The base classes and data types that plugins use: datasets and evaluators (numpy, pandas), backbones and methods (torch)."""
