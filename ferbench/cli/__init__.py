"""The command line: main.py, then one file a subcommand. Nothing heavy is imported before it is needed."""
