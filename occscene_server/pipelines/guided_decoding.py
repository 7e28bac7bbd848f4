"""Views from G-buffers and words by the guided decoder, with latents of the diffusion model or, as a draft, without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from occscene.grid import EMPTY, SemanticGrid
from occscene.taxonomy import OUTDOOR, TAXONOMIES
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import LABELS, GridTensors, VolumeTensors
from occscene_server.geometry.kept import Kept, content_key
from occscene_server.geometry.pixel_values import srgb_from_linear
from occscene_server.geometry.tints import TINTS, tint_hints, tint_rows
from occscene_server.metrics.palette import named_colors
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.object_words import LIGHT, ObjectTable, Texts
from occscene_server.models.pixel_features import object_codes, pixel_features
from occscene_server.models.plain_names import general_noun, plain_name
from occscene_server.models.precision import fast_autocast
from occscene_server.models.prompt_phrases import prompt_phrases
from occscene_server.models.text import encode_prompts

_TEXTS_AT_ONCE = 16
_KEPT_TEXTS = 1000
_states: WeakKeyDictionary[PreTrainedModel, Kept[dict[str, Tensor]]] = WeakKeyDictionary()

_MOST_TINTED = 64
"""Names in a scene whose objects have tints, at most: each takes rows of the table."""
MOST_TOLD = 500
"""Most objects of a scene with words, hint and code of their own; the largest, if there are more."""


@dataclass(frozen=True)
class ToldObjects:
    """Words, hints and codes of the objects of B scenes.

    Args:
        table: for one view of each.
        rows: (B, N + 1) int64, the row of the table of each row of the scene's hints; those that share a row
            share the row of what is no object.
        tinted: (B, N + 1) int64, the row of the table where the `TINTS` of each row of the scene's hints begin; 0 where
            surfaces have the colors of their objects.
    """

    table: ObjectTable
    rows: Tensor
    tinted: Tensor


@dataclass(frozen=True)
class SceneWords:
    """The words of a scene: prompt, names and phrases.

    Args:
        prompt: of the whole of it, its light included.
        names: of the objects, in the order of the grid's table; a class's name where the artist gave none.
        phrases: "a mustard velvet sofa"; "" where the prompt decides.
        has_tints: whether surfaces have the colors of `TINTS`.
    """

    prompt: str
    names: Sequence[str]
    phrases: Sequence[str]
    has_tints: bool = False


def scene_words(prompt: str, grid: SemanticGrid) -> SceneWords:
    """The words of a blockout's scene.

    Objects are called by their plain names. Those without words of their own have what the prompt says of them, as in
    training, where each has its phrase: of a "double bed", else of a bed.
    """
    classes, taxonomy = _class_names(grid), TAXONOMIES[grid.taxonomy]
    kinds = [classes.get(item.id, "") for item in grid.objects]
    names = [plain_name(item.name, kind, taxonomy) for item, kind in zip(grid.objects, kinds, strict=True)]
    phrases = [item.prompt for item in grid.objects]
    for called in (names, [general_noun(name, kind) for name, kind in zip(names, kinds, strict=True)]):
        said = prompt_phrases(prompt, ["" if words else name for name, words in zip(called, phrases, strict=True)])
        phrases = [words or phrase for words, phrase in zip(phrases, said, strict=True)]
    return SceneWords(prompt, names, phrases, grid.taxonomy == OUTDOOR.name)


def word_colors(phrases: Sequence[str]) -> Tensor:
    """(R, 8) of each phrase the first two colors that it names, as `ObjectTable` has them."""
    result = torch.zeros(len(phrases), 2, 4)
    for row, phrase in enumerate(phrases):
        for place, color in enumerate(named_colors(phrase)[:2]):
            result[row, place] = torch.tensor([*color, 1.0])
    result[..., :3] = (2 * srgb_from_linear(result[..., :3]) - 1) * result[..., 3:]
    return result.flatten(1)


def _class_names(grid: SemanticGrid) -> dict[int, str]:
    """By id the class that most voxels of an object have, of those that have any."""
    if grid.instances is None:
        return {}
    known = TAXONOMIES[grid.taxonomy].classes
    owned = (grid.instances != 0) & (grid.labels != EMPTY) & (grid.labels < len(known))
    keys = grid.instances[owned].astype(np.int64) * LABELS + grid.labels[owned]
    pairs, counts = np.unique(keys, return_counts=True)
    rising = pairs[np.argsort(counts, kind="stable")].tolist()
    return {pair // LABELS: known[pair % LABELS].name for pair in rising}


@torch.no_grad()
def decode_guided(
    decoder: GuidedDecoder,
    objects: ToldObjects,
    buffer: GBuffer,
    cameras: CameraTensors,
    volume: VolumeTensors,
    seeds: Tensor,
    latents: Tensor | None = None,
) -> Tensor:
    """Draws B scenes as a camera each sees them, at the buffers' size.

    The same arguments give the same bytes; what is drawn on a surface is bound to it and so agrees between views.

    Args:
        decoder: in evaluation mode.
        objects: of the scenes.
        buffer: (B, 1, ...) at any size and aspect.
        cameras: of the same views.
        volume: where the scenes stand.
        seeds: (B,) int64 of what neither words nor latents decide.
        latents: (B, channels, h, w) normalised, of the same views, one for 8 x 8 pixels; None draws a draft from
            buffers and words.

    Returns:
        (B, 3, h, w) sRGB in [-1, 1], float32.
    """
    features = pixel_features(buffer, cameras, volume, seeds)[:, 0]
    given = torch.full((len(seeds),), float(latents is not None), device=seeds.device)
    with fast_autocast(seeds.device, decoder.dtype):
        shown = shown_rows(decoder, objects, buffer)
        drawn = decoder(features, shown, objects.table, latents, torch.zeros_like(given), given, buffer.materials[:, 0])
    return drawn.float().clamp(-1, 1)


def shown_rows(decoder: GuidedDecoder, objects: ToldObjects, buffer: GBuffer) -> Tensor:
    """What each pixel of a camera shows, (B, h, w) int64: row of the objects' table times classes, plus class."""
    scenes = torch.arange(len(buffer.objects), device=buffer.objects.device)[:, None, None]
    tints = _tints(objects, buffer)
    rows = objects.rows[scenes, buffer.objects[:, 0]]
    return torch.where(tints > 0, tints, rows) * decoder.config.classes + buffer.labels[:, 0]


def own_colored(objects: ToldObjects, buffer: GBuffer) -> Tensor:
    """(B, h, w) int64 the row of the object that each pixel of a camera shows, 0 where it shows one of `TINTS`."""
    return buffer.objects[:, 0] * (_tints(objects, buffer) == 0)


def _tints(objects: ToldObjects, buffer: GBuffer) -> Tensor:
    """(B, h, w) the row of the objects' table of the tint that each pixel of a camera shows, 0 for none."""
    seen = buffer.objects[:, 0]
    scenes = torch.arange(len(seen), device=seen.device)[:, None, None]
    first, tint = objects.tinted[scenes, seen], tint_rows(buffer.materials[:, 0], seen)
    return torch.where((first > 0) & (tint > 0), first + tint - 1, 0)


@torch.no_grad()
def object_tables(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    grids: GridTensors,
    words: Sequence[SceneWords],
    seeds: Tensor,
) -> ToldObjects:
    """Tables of words, hints and codes of the objects of B scenes, of which one view each is drawn at a time.

    Args:
        encoder, tokenizer: of the text, as the decoder was trained with.
        grids: whose objects have color hints.
        words: of each scene.
        seeds: (B,) int64, as of `decode_guided`.
    """
    device = grids.hints.device
    scenes = torch.arange(len(words), device=device)[:, None]
    chosen = _described_rows(grids)
    count = chosen.shape[1]
    rows = (scenes * count).expand(-1, grids.hints.shape[1]).clone()
    rows[scenes, chosen] = scenes * count + torch.arange(count, device=device)
    codes = object_codes(seeds, grids.hints.shape[1])[scenes, chosen].flatten(0, 1)
    hints = grids.hints[scenes, chosen].flatten(0, 1)
    colors = torch.cat([(2 * srgb_from_linear(hints[:, :3]) - 1) * hints[:, 3:], hints[:, 3:]], 1)

    texts = dict.fromkeys(scene.prompt for scene in words)
    names, own, text_of = [], [], []
    for scene, its_rows in zip(words, chosen.tolist(), strict=True):
        for row in its_rows:
            described = 0 < row <= len(scene.names)
            names.append(scene.names[row - 1] if described else "")
            own.append(scene.phrases[row - 1] if described else "")
            text_of.append(own[-1] or scene.prompt)
    tinted, described = torch.zeros_like(rows), len(names)
    for index, scene in enumerate(words):
        # tints are drawn as objects of the same name that have them for hints, and no other words
        first: dict[str, int] = {}
        for place, name in enumerate(scene.names if scene.has_tints else (), 1):
            if name not in first and len(first) < _MOST_TINTED:
                first[name] = len(names)
                names += [name] * len(TINTS)
            tinted[index, place] = first.get(name, 0)
    own += [""] * (len(names) - described)
    text_of += names[described:]
    colors = torch.cat([colors, tint_hints(len(names) - described).to(device)])
    codes = F.pad(codes, (0, 0, 0, len(names) - described))
    texts |= dict.fromkeys(text_of)
    number = {text: index for index, text in enumerate(texts)}
    # names stay while the artist changes words
    states = _token_states(encoder, tokenizer, [LIGHT, *names]) | _token_states(encoder, tokenizer, number)
    means = {text: own.mean(0) for text, own in states.items()} | {"": torch.zeros(encoder.config.hidden_size)}
    said = [states[text] for text in number]
    owner = torch.repeat_interleave(torch.arange(len(said)), torch.tensor([len(own) for own in said]))
    table = ObjectTable(
        torch.stack([means[name] for name in names]).to(device),
        torch.tensor([number[text] for text in text_of], device=device),
        colors,
        word_colors(own).to(device),
        codes,
        torch.tensor([number[scene.prompt] for scene in words], device=device),
        means[LIGHT].to(device),
        Texts(torch.cat(said).to(device), owner.to(device)),
    )
    return ToldObjects(table, rows, tinted)


def _described_rows(grids: GridTensors) -> Tensor:
    """The rows (B, R) of hints that get rows of their own: 0 for no object, and the (largest) objects."""
    batch, rows = grids.hints.shape[:2]
    every = torch.arange(rows, device=grids.hints.device).expand(batch, -1)
    if rows <= MOST_TOLD + 1 or grids.instances is None:
        return every[:, : MOST_TOLD + 1]
    sizes = torch.stack([scene.flatten().bincount(minlength=rows) for scene in grids.instances])
    sizes[:, 0] = sizes.max() + 1
    return sizes.argsort(dim=1, descending=True, stable=True)[:, : MOST_TOLD + 1]


def _token_states(
    encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]
) -> dict[str, Tensor]:
    """The states (tokens, width) of each text on the CPU; those of like length are encoded together, and kept."""
    states_of: dict[str, Tensor] = {}
    kept = _states.setdefault(encoder, Kept(_KEPT_TEXTS))
    order = sorted(set(texts), key=lambda text: (len(text), text))
    for first in range(0, len(order), _TEXTS_AT_ONCE):
        some = order[first : first + _TEXTS_AT_ONCE]
        key = content_key(str(encoder.device), str(encoder.dtype), *some)
        states_of |= kept.get(key, partial(_encoded, encoder, tokenizer, some), len(some))
    return states_of


def _encoded(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> dict[str, Tensor]:
    with fast_autocast(encoder.device, encoder.dtype):
        states, mask = encode_prompts(encoder, tokenizer, texts, pad_to_limit=False)
    return {text: own[there].float().cpu() for text, own, there in zip(texts, states, mask, strict=True)}
