"""Identity-aware triplets, as a plugin of ferbench."""
