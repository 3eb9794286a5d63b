"""Protocols: which frames count, and which subjects are trained on and tested on. One file a protocol."""
