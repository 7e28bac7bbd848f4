"""Scores of views and occupancies: pure functions of what is compared."""
