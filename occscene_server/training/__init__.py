"""Stages of training, their losses and their data."""
