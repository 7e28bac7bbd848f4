"""Synthetic streets: what they consist of, as functions of their seed, and how they are lit and rendered."""
