"""Planning: from configurations to the trials of a study. It does not import torch."""
