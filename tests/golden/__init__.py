"""Golden values: what every component computed when its version was raised last. CONTRIBUTING.md says how they are used."""
