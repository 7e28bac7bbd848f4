"""Rooms that the guided decoder is trained on.

A window of rooms is held in memory, ready to be looked at by ray casting; now and then one leaves it and one enters.
What a step sees depends only on the seed and the step's number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from occscene.taxonomy import INDOOR, OUTDOOR, TAXONOMIES
from torch import Tensor

from occscene_server.data.dataset import read_info, scenes_of_split
from occscene_server.data.prompts import prompt_variants
from occscene_server.data.scene_mesh import check_meshes
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.object_words import LIGHT, base_name
from occscene_server.models.parts_prior import PartsPrior
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.blockout_parts import BlockoutParts
from occscene_server.training.decoder_crops import DecoderBatch, DecoderRoom, gather, random_crop
from occscene_server.training.latent_store import LatentStore, stored_latents
from occscene_server.training.phrasebook import Phrasebook
from occscene_server.training.room_parts import RoomParts
from occscene_server.training.surface_kinds import SurfaceKinds
from occscene_server.training.swatches import Swatches
from occscene_server.weights import bundled_parts_prior

BALANCED = 0.7
"""Share of the crops that are of a kind of surface which is drawn first, rare ones more often than they are seen: else
a pattern is seen far too seldom to be learned. The others lie anywhere."""
_WINDOW = {INDOOR.name: 64, OUTDOOR.name: 16}
"""Scenes in memory, by domain: a street takes some 70 MB."""
_STEPS_A_ROOM = 4
"""After how many steps the next one enters."""


class DecoderRooms:
    """Rooms of one split, some of them in memory.

    Args:
        folders: of the rooms, in any order.
        kinds: that surfaces belong to.
        latents: of their views, in the order of the folders.
        denoised: file of the latents that the denoiser made of the same views; None for none.
        book: of all that is said of them.
        weights: (kinds + 1,) of the kinds, higher for rare ones.
        swatches: of the patterns that are named.
        parts: of their blockouts; None for boxes as they are.
        domain: of the scenes.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        kinds: SurfaceKinds,
        latents: LatentStore,
        denoised: Path | None,
        book: Phrasebook,
        weights: Tensor,
        swatches: Swatches,
        parts: RoomParts | None,
        domain: str,
    ) -> None:
        self.folders, self.kinds, self.latents, self.denoised = folders, kinds, latents, denoised
        self.book, self.weights, self.swatches, self.parts = book, weights, swatches, parts
        self.classes, self.window = len(TAXONOMIES[domain]), _WINDOW[domain]
        self._held: dict[int, DecoderRoom] = {}

    def __len__(self) -> int:
        return len(self.folders)

    def room(self, index: int) -> DecoderRoom:
        """One room, read anew."""
        denoised = None if self.denoised is None else stored_latents(self.denoised, index)
        return DecoderRoom(self.folders[index], self.kinds, partial(self.latents.of, index), denoised, self.parts)

    def batch(self, step: int, count: int, side: int, seed: int) -> DecoderBatch:
        """Crops of a training step, of rooms that are in the window."""
        rng = np.random.default_rng((seed, step))
        window = [self._entering(step // _STEPS_A_ROOM + ahead, seed) for ahead in range(min(self.window, len(self)))]
        self._held = {index: self._held.get(index) or self.room(index) for index in window}
        pairs = [(room, kind) for room in self._held.values() for kind in room.shown]
        shares = self.weights[[kind for _, kind in pairs]].numpy().astype(np.float64)
        chosen = rng.choice(len(pairs), count, p=shares / shares.sum())
        balanced = rng.random(count) < BALANCED
        others = rng.integers(len(window), size=count)
        drawn = [
            pairs[pair] if of_kind else (self._held[window[other]], None)
            for pair, of_kind, other in zip(chosen, balanced, others, strict=True)
        ]
        rooms = [room for room, _ in drawn]
        crops = [random_crop(room, side, rng, kind) for room, kind in drawn]
        made = gather(rooms, crops, self.book, self.classes, rng)
        return replace(made, swatches=self.swatches.draw(made.features, rng))

    def _entering(self, place: int, seed: int) -> int:
        """The room of a place in the order in which they enter: all of them in turn, each time in another order."""
        turn, place = divmod(place, len(self))
        return int(np.random.default_rng((seed, turn, 1)).permutation(len(self))[place])


def read_rooms(
    data: Path,
    split: str,
    vae: Path,
    parts: Path | None,
    output: Path,
    kinds: SurfaceKinds | None,
    denoised: Path | None = None,
) -> DecoderRooms:
    """The rooms of a split, with what is said of them, their latents and their parts, which are kept in `output`.

    Args:
        data: folder of rendered rooms.
        split: of them.
        vae: the autoencoder's folder.
        parts: the parts prior's folder; None for the domain's, if there is one, else boxes stay as they are.
        output: for token states, latents and parts.
        kinds: of surfaces; None takes those of these rooms.
        denoised: file of latents that the denoiser made of their views; None for none.

    Raises:
        ValueError: there is no finished scene of that split, or one without triangles.
    """
    folders = scenes_of_split(data, split)
    check_meshes(folders)
    infos = [read_info(folder) for folder in folders]
    kinds = kinds or SurfaceKinds.of_scenes(infos)
    said = [LIGHT, *(text for info in infos for text in prompt_variants(info))]
    for info in infos:
        said += [str(item["phrase"]) for item in info.items]
    said += [base_name(name) for folder in folders for name in _object_names(folder)]
    encoder = load_minilm()
    book = Phrasebook(output / f"{split}_text", said, *encoder)
    latents = LatentStore(output / f"{split}_latents.npy", len(folders), SceneAutoencoder.from_pretrained(vae))
    kept = None
    if parts := parts or bundled_parts_prior(infos[0].domain):
        kept = RoomParts(output / "parts", BlockoutParts(PartsPrior.from_pretrained(parts), *encoder))
    swatches = Swatches([item for info in infos for item in info.items if info.domain == INDOOR.name], book)
    weights = kinds.weights(infos)
    return DecoderRooms(folders, kinds, latents, denoised, book, weights, swatches, kept, infos[0].domain)


def _object_names(folder: Path) -> list[str]:
    with np.load(folder / "scene.npz", allow_pickle=False) as members:
        return [str(name) for name in members["object_names"]]
