"""The bundled models."""

from __future__ import annotations

from pathlib import Path


def default_model() -> Path:
    """The folder of the model that runs where no other is asked for."""
    return Path(__file__).parent / "compact-indoor"


def default_layout_prior() -> Path:
    """The folder of the layout prior that writes rooms where no other is asked for."""
    return Path(__file__).parent / "layout-indoor"


def default_parts_prior() -> Path:
    """The folder of the parts prior that makes boxes furniture where no other is asked for."""
    return Path(__file__).parent / "parts-indoor"
