"""What a plugin implements: datasets and evaluators (numpy, pandas), backbones and methods (torch)."""
