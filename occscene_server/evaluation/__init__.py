"""Metrics, the judge of views, and reports."""
