"""Whole inferences, each in one readable file."""
