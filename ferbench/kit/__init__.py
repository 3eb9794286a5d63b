"""`ferbench new`: packages to start a plugin from."""
