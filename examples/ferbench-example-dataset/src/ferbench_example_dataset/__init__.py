"""Portraits in folders, as a plugin of ferbench."""
