"""Stages of training and their losses."""
