"""The evaluator that scores views, experiments, and reports."""
