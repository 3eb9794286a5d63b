"""Center loss, as a plugin of ferbench."""
