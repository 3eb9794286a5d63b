"""Studies on real engines, started for the tests and ended with them."""
