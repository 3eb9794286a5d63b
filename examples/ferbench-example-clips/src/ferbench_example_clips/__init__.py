"""Frame attention over clips, as a plugin of ferbench."""
