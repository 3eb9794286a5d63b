"""From records to boards: aggregation, intervals, tests. Sees records only; imports no torch."""
