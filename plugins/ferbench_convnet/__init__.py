"""A small convolutional backbone, the default on a CPU."""
