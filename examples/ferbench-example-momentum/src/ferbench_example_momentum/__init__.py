"""Supervised momentum contrast, as a plugin of ferbench."""
