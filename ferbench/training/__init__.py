"""Training of one stage, its checkpoints, and the cache of trained stages."""
