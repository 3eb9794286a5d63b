"""Island loss, as a plugin of ferbench."""
