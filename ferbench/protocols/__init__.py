"""Protocols: the frames that are used, and the training and test set of each fold. One file for each protocol."""
