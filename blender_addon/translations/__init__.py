"""The interface in other languages; a new one is a module like `german`, listed here."""

from __future__ import annotations

import bpy

from .german import GERMAN

LANGUAGES = {"de_DE": GERMAN}


def register() -> None:
    """Gives Blender the texts; it shows them to those who chose the language in its preferences."""
    bpy.app.translations.register(
        __package__,
        {
            language: {
                (context, text): translated for text, translated in texts.items() for context in ("*", "Operator")
            }
            for language, texts in LANGUAGES.items()
        },
    )


def unregister() -> None:
    """Takes the texts away."""
    bpy.app.translations.unregister(__package__)
