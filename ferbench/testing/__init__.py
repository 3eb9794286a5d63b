"""The conformance suite that plugin authors run: `ferbench check NAME`, or one pytest case a check (see checks.py)."""
