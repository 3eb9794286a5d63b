"""A small convolutional backbone. It is the default and is fast enough for a CPU."""
