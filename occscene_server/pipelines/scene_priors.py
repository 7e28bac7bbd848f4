"""The priors that go with a pipeline: layouts and parts of the scenes of its domain."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject
from occscene.mesh import TriangleMesh

from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.solids import Floats
from occscene_server.models.layout_prior import LayoutPrior
from occscene_server.models.parts_prior import PartsPrior
from occscene_server.models.prompt_reading import read_prompt
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.blockout_parts import FLAT_KINDS, BlockoutParts
from occscene_server.pipelines.text_to_layout import TextToLayout
from occscene_server.weights import bundled_layout_prior, bundled_parts_prior

KEPT_SCENES = 4
"""Scenes whose parts are kept; a grid of 2^25 voxels takes 100 MB."""

Refined = tuple[SemanticGrid, dict[int, LayoutObject]]
"""As `BlockoutParts.refine` returns it."""


@dataclass(frozen=True, eq=False)
class ScenePriors:
    """The priors of layouts and parts, of which a domain may lack either.

    Args:
        layout: writes scenes as boxes.
        parts: turns boxes into parts.
    """

    layout: TextToLayout | None
    parts: BlockoutParts | None
    _refined: dict[bytes, Refined] = field(default_factory=dict, repr=False)

    @staticmethod
    def bundled(taxonomy: str) -> ScenePriors | None:
        """The bundled priors, on the CPU; None for a taxonomy that has none.

        Their weights are 7 MB. The text encoder is that of a compact pipeline on the CPU, else it takes another 77 MB.
        """
        layout, parts = bundled_layout_prior(taxonomy), bundled_parts_prior(taxonomy)
        if layout is None and parts is None:
            return None
        encoder, tokenizer = load_minilm()
        if encoder.device.type != "cpu":  # a pipeline has taken it to its own device
            encoder = copy.deepcopy(encoder).to("cpu")
        return ScenePriors(
            None if layout is None else TextToLayout(LayoutPrior.from_pretrained(layout), encoder, tokenizer),
            None if parts is None else BlockoutParts(PartsPrior.from_pretrained(parts), encoder, tokenizer),
        )

    def refined(self, grid: SemanticGrid, prompt: str, corners: Mapping[int, Floats] | None) -> Refined:
        """`parts.refine` with the likeliest parts; those of the last few scenes are kept.

        A scene is asked for again and again from other cameras. Without a prior of parts it stays as it is.
        """
        if self.parts is None:
            return grid, {}
        key = _fingerprint(grid, prompt, corners or {})
        if key not in self._refined:
            while len(self._refined) >= KEPT_SCENES:
                del self._refined[next(iter(self._refined))]
            self._refined[key] = self.parts.refine(grid, prompt, corners=corners)
        return self._refined[key]

    def with_own_parts(
        self, grid: SemanticGrid, prompt: str, mesh: TriangleMesh | None
    ) -> tuple[SemanticGrid, TriangleMesh | None]:
        """A blockout, and its triangles where there are any, with parts in place of plain boxes."""
        finer, objects = self.refined(grid, prompt, None if mesh is None else mesh.object_vertices())
        return finer, None if mesh is None else mesh_with_parts(mesh, grid, objects)

    def proposals(self, prompt: str, sights: Sequence[LayoutObject] = ()) -> Callable[[Layout, int, int], Layout]:
        """What draws one object of a layout anew for a prompt: (layout, its place, seed) to the layout with it.

        The boxes `sights`, those in front of cameras, stay free.
        """
        assert self.layout is not None
        return self.layout.redrawing(prompt, sights)

    def with_parts(self, objects: Sequence[LayoutObject], seed: int, prompt: str) -> list[LayoutObject]:
        """Objects with parts, where they have none and a known kind.

        They depend on the object's colour and name, on whether the prompt calls it round, on its place and the seed.
        """
        if self.parts is None:
            return list(objects)
        round_kinds = read_prompt(prompt, self.parts.prior.vocabulary.kinds, (), prompt).round_kinds
        plain = [index for index, obj in enumerate(objects) if not obj.parts and obj.name not in FLAT_KINDS]
        phrases = [_phrase(objects[index], round_kinds) for index in plain]
        seeds = [int(np.random.SeedSequence((seed, index)).generate_state(1)[0]) for index in plain]
        made = self.parts.with_parts([objects[index] for index in plain], phrases, seeds)
        result = list(objects)
        for index, obj in zip(plain, made, strict=True):
            result[index] = obj
        return result


def _fingerprint(grid: SemanticGrid, prompt: str, corners: Mapping[int, Floats]) -> bytes:
    """Of all that parts depend on."""
    digest = hashlib.blake2b(repr((grid.shape, grid.voxel_size, grid.taxonomy, grid.objects, prompt)).encode())
    for values in (grid.world_from_grid, grid.labels, grid.instances):
        digest.update(b"" if values is None else values.tobytes())
    for number, points in corners.items():
        digest.update(repr((number, points.shape)).encode())
        digest.update(points.tobytes())
    return digest.digest()


def _phrase(obj: LayoutObject, round_kinds: frozenset[str]) -> str:
    """An object as the rooms that the prior learned from name theirs."""
    shape = "round" if obj.name in round_kinds else ""
    return " ".join(f"a {shape} {obj.color_word} {obj.name}".split())
