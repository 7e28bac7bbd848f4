"""The evaluator that judges views, experiments, and reports."""
