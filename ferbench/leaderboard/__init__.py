"""Records, aggregated with statistics. Sees records only; imports no torch."""
