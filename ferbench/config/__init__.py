"""The configuration of a study: typed settings that Hydra composes from files and the command line."""
