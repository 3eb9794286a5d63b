"""From a trained method to Outputs, and from Outputs to metrics: one file a family of evaluators."""
