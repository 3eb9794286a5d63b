"""Cross-entropy by the recipe of POSTER's released code, as a plugin of ferbench."""
