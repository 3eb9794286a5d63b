"""The conformance checks for plugins: run `ferbench check NAME`, or each check as a pytest case (see checks.py)."""
