"""The bundled models, by name: what they are for, and the domain whose classes they know."""

from __future__ import annotations

from pathlib import Path

from occscene.taxonomy import TAXONOMIES

_FOLDER = Path(__file__).parent


def default_model() -> Path:
    """The folder of the model that runs where no other is asked for."""
    return _FOLDER / "compact-indoor"


def default_layout_prior() -> Path:
    """The folder of the layout prior that writes rooms where no other is asked for."""
    return _FOLDER / "layout-indoor"


def default_parts_prior() -> Path:
    """The folder of the parts prior that makes boxes furniture where no other is asked for."""
    return _FOLDER / "parts-indoor"


def bundled_models() -> dict[str, Path]:
    """The folders of the models that are there, by the taxonomy that they know."""
    return {name: path for name in TAXONOMIES if (path := _bundled("compact", name, "model_index.json")) is not None}


def bundled_layout_prior(taxonomy: str) -> Path | None:
    """The folder of the layout prior of a taxonomy; None if there is none."""
    return _bundled("layout", taxonomy)


def bundled_parts_prior(taxonomy: str) -> Path | None:
    """The folder of the parts prior of a taxonomy; None if there is none."""
    return _bundled("parts", taxonomy)


def _bundled(kind: str, taxonomy: str, file: str = "config.json") -> Path | None:
    """The folder `kind-taxonomy` if it holds a file."""
    folder = _FOLDER / f"{kind}-{taxonomy}"
    return folder if (folder / file).is_file() else None
