"""Prompts as people type them: whole ones, short ones, and ones that name only some of what is there."""

from __future__ import annotations

import numpy as np

from occscene_server.data.dataset import SceneInfo

VARIANTS = 3


def prompt_variants(info: SceneInfo) -> tuple[str, ...]:
    """`VARIANTS` prompts of one scene: the composed one, style and surfaces only, and a handful of its items.

    The same scene gives the same prompts.
    """
    rng = np.random.default_rng(info.seed)
    phrases = {str(item["phrase"]): str(item["class"]) for item in info.items}
    surfaces = [phrase for phrase, kind in phrases.items() if kind in ("wall", "floor") and "door" not in phrase]
    items = [phrase for phrase, kind in phrases.items() if kind not in ("wall", "floor", "ceiling")]
    some = [items[i] for i in rng.permutation(len(items))[: int(rng.integers(1, 5))]]
    scene = f"{info.style} {info.kind}"
    return (
        info.prompt,
        ", ".join([f"a {scene}", *surfaces, info.light]),
        ", ".join(
            [scene, *some, *(surfaces if rng.random() < 0.5 else []), *([info.light] if rng.random() < 0.5 else [])]
        ),
    )
