"""One stage of training, its checkpoints, and the cache of trained stages."""
