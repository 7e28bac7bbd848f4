"""The priors that stand beside a pipeline: what rooms hold, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from occscene.layout import Layout

from occscene_server.pipelines.text_to_layout import TextToLayout
from occscene_server.weights import default_layout_prior


@dataclass(frozen=True, eq=False)
class ScenePriors:
    """What is known of scenes.

    Args:
        layout: writes rooms as boxes.
    """

    layout: TextToLayout

    @staticmethod
    def bundled(taxonomy: str) -> ScenePriors | None:
        """The bundled priors, on the CPU; None for a taxonomy that has none.

        They take 8 MB for their weights and share the text encoder of a compact pipeline's prompts (46 MB).
        """
        if taxonomy != "indoor":
            return None
        return ScenePriors(TextToLayout.from_pretrained(default_layout_prior()))

    def proposals(self, prompt: str) -> Callable[[Layout, int, int], Layout]:
        """What draws one object of a layout anew for a prompt: (layout, its place, seed) to the layout with it."""
        return lambda layout, index, seed: self.layout.draw_anew(layout, index, prompt, seed)
