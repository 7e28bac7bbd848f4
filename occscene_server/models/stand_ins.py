"""What a prior draws for an object that it does not know: the kind that is nearest in size and place.

An object's name is compared with names of objects whose kind is known, as the text encoder sees them: "harpsichord" is
near "piano", for which a sideboard stands.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.prompt_reading import OTHER_NAMES
from occscene_server.models.text import phrase_states

_EXAMPLES = {
    "sideboard": (
        "piano, harpsichord, organ, church organ, kitchen counter, kitchen island, console, cupboard, cabinet, "
        "credenza, bar counter, fireplace, aquarium, terrarium, display counter, kitchenette"
    ),
    "wardrobe": (
        "fridge, freezer, armoire, locker, grandfather clock, phone booth, shower, vending machine, jukebox, server"
    ),
    "chest of drawers": (
        "oven, stove, dishwasher, washing machine, tumble dryer, filing cabinet, safe, washbasin, radiator, heater"
    ),
    "desk": (
        "vanity, workbench, sewing machine, synthesizer, changing table, drawing board, lectern, treadmill, "
        "exercise bike, rowing machine"
    ),
    "bed": "daybed, crib, cot, cradle, bunk bed, mattress, hammock, bathtub, tent",
    "armchair": "recliner, rocking chair, massage chair, throne, wheelchair, swing",
    "sofa": "futon, chaise longue, settee",
    "bench": "pew, weight bench, window seat, sled",
    "pouf": "beanbag, footstool, basket, dog basket, barrel, exercise ball",
    "floor cushion": "pillow, meditation pillow, sleeping bag",
    "stool": "step stool, toilet, stepladder",
    "picture": "mirror, poster, clock, tapestry, whiteboard, blackboard, photograph, map, dartboard, flag, sign",
    "television": "projector screen, arcade machine",
    "computer monitor": "laptop, computer, typewriter, printer, microwave, radio, record player, loudspeaker, kettle",
    "vase": "statue, sculpture, globe, candle, trophy, urn, bottle, teapot, figurine",
    "books": "magazines, newspapers, notebooks, board game, letters, telephone, gloves",
    "fruit bowl": "bowl, tray, plate, cake, bread basket",
    "plant": "cactus, bonsai, christmas tree, palm tree, flowers, fern, bush",
    "floor lamp": (
        "coat rack, hat stand, lantern, telescope, easel, tripod, fan, microphone stand, mannequin, umbrella stand, "
        "ladder, punching bag"
    ),
    "table lamp": "lava lamp, night light, desk light",
    "ceiling lamp": "ceiling fan, disco ball, pendant light",
    "rug": "mat, yoga mat, doormat, animal skin",
    "curtain": "blinds, drapes, shutters",
    "bookshelf": "rack, shoe rack, wine rack, shelving, display case, room divider",
    "toy box": "trunk, crate, suitcase, dollhouse, rocking horse, laundry basket, drum, cage, litter box, teddy bear",
    "side table": "pedestal, plant stand, trolley",
    "": (
        "person, people, child, dog, cat, horse, bird, car, motorcycle, bicycle, boat, swimming pool, river, "
        "forest, mountain, staircase, column, arch, balcony, garden, feeling, idea, story, party, smell, music"
    ),
}
"""By kind, objects that are about as large and stand in such places; by "", what no kind can stand for."""

_NEAR = 0.46
"""Cosine of two names, as they differ from the mean name, from which on one stands for the other."""


class StandIns:
    """Finds the kind that is nearest to an object.

    Args:
        kinds: that are known.
        encoder, tokenizer: of `load_minilm`.
    """

    def __init__(self, kinds: Sequence[str], encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._encoder, self._tokenizer = encoder, tokenizer
        named = [(kind, kind) for kind in kinds] + [(name, kind) for name, kind in OTHER_NAMES.items() if kind in kinds]
        known = {name for name, _ in named}
        named += [
            (name, kind)
            for kind, names in _EXAMPLES.items()
            if kind in ("", *kinds)
            for name in names.split(", ")
            if kind or name not in known
        ]
        self._kinds = [kind for _, kind in named]
        states = phrase_states(encoder, tokenizer, [name for name, _ in named])
        self._center = states.mean(0)
        self._names = F.normalize(states - self._center, dim=-1)

    def nearest(self, name: str) -> str:
        """The kind for "grand piano", or for what it ends with; "" if none is near."""
        words = name.split()
        tails = [" ".join(words[first:]) for first in range(len(words))]
        tails += [tail.removesuffix("s") for tail in tails if tail.endswith("s")]
        states = phrase_states(self._encoder, self._tokenizer, tails)
        alike = (F.normalize(states - self._center, dim=-1) @ self._names.T).amax(0)
        best = int(alike.argmax())
        return self._kinds[best] if float(alike[best]) >= _NEAR else ""
