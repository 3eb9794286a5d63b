"""Identity-aware tuplets, as a plugin of ferbench."""
