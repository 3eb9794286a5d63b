"""Self-Cure Network, as a plugin of ferbench."""
