"""Crops of rendered scenes with their G-buffers and words, as the guided decoder gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.data.dataset import read_scene
from occscene_server.data.prompts import prompt_variants
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors, VolumeTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import with_classes_of
from occscene_server.geometry.pixel_values import bytes_from_images, images_from_bytes, srgb_from_linear
from occscene_server.geometry.tints import TINTS, tint_hints, tint_rows
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from occscene_server.models.object_words import LIGHT, ObjectTable, Texts, base_name
from occscene_server.models.pixel_features import object_codes, pixel_features
from occscene_server.pipelines.guided_decoding import word_colors
from occscene_server.pipelines.sun_shading import sun_factors, without_sun
from occscene_server.training.phrasebook import Phrasebook
from occscene_server.training.room_parts import RoomParts
from occscene_server.training.surface_kinds import SurfaceKinds
from occscene_server.training.swatches import SwatchBatch

Source = Literal["true", "parts", "boxes", "voxels"]
SOURCES: tuple[tuple[Source, float], ...] = (("true", 0.45), ("parts", 0.35), ("boxes", 0.1), ("voxels", 0.1))
"""The kinds of geometry that buffers are drawn from, with their probabilities."""
WITHOUT_LATENTS, CLEAN_LATENTS, NOISE_LEVELS = 0.45, 0.4, (0.15, 0.5)
"""Share of the crops without latents; share of the others with those of the rendered view. The rest has latents that
the denoiser made of a noisy view, or that are noisy where there are none of them."""
WITHOUT_HINTS, HINT_DROPOUT = 0.25, 0.3
"""Share of the crops without any color hint; share of the objects without one in the others."""
WITHOUT_PHRASES, PHRASE_DROPOUT = 0.1, 0.15
_OPEN = ("building", "road")
"""Classes of streets that have details by rule, where only chance would put them in their true place."""
WITHOUT_SUN = 0.15
"""Share of the crops for which it is not known where the sun is."""
_TINTS = 1 + len(TINTS)


@dataclass(frozen=True)
class Crop:
    """A crop of a room and what is known of it.

    Args:
        view: number of the view.
        source: what the buffers are drawn from.
        top, left, side: the square, in pixels.
        prompt: which of the room's prompts is read.
        described, hinted: (N + 1,) bool, the objects that have their phrase and their color hint.
        seed: of noise and codes.
        level: noise in the latents; None for no latents.
        denoised: takes latents that the denoiser made.
        sunlit: knows where the sun is.
    """

    view: int
    source: Source
    top: int
    left: int
    side: int
    prompt: int
    described: Tensor
    hinted: Tensor
    seed: int
    level: float | None
    denoised: bool = False
    sunlit: bool = True


@dataclass(frozen=True)
class DecoderBatch:
    """Inputs and targets of the decoder for N crops.

    Args:
        features, rows, table, latents, level, given, materials: as of `GuidedDecoder.forward`.
        light: (N, 3, h, w) of `sun_factors`, laid on what the decoder draws.
        views: (N, 3, h, w) sRGB in [-1, 1], as rendered.
        kinds: (N, h / 2, w / 2) int64 of `SurfaceKinds`, of what was rendered.
        swatches: of patterns, if any are known.
    """

    features: Tensor
    rows: Tensor
    table: ObjectTable
    latents: Tensor
    level: Tensor
    given: Tensor
    materials: Tensor
    light: Tensor
    views: Tensor
    kinds: Tensor
    swatches: SwatchBatch | None = None


class DecoderRoom:
    """One room with its cameras, words and geometry.

    Args:
        folder: of the scene.
        kinds: that its surfaces belong to.
        encode: its views (V, height, width, 3) uint8 to normalised latents (V, channels, h, w).
        denoised: latents of the same views, noised and denoised by the denoiser; None where there are none.
        parts: of its blockout's boxes; None where there is no prior of parts.
    """

    def __init__(
        self,
        folder: Path,
        kinds: SurfaceKinds,
        encode: Callable[[Tensor], Tensor],
        denoised: Tensor | None,
        parts: RoomParts | None,
    ) -> None:
        scene = read_scene(folder)
        self.views, self.denoised = torch.from_numpy(scene.views), denoised
        self.cameras = CameraTensors.from_cameras([scene.cameras])
        self.grids = GridTensors.from_grids([scene.blockout])
        self.hints = self.grids.hints[0].clone()
        self.hints[:, :3] = (2 * srgb_from_linear(self.hints[:, :3]) - 1) * self.hints[:, 3:]
        self.names = ["", *(base_name(obj.name) for obj in scene.blockout.objects)]
        said = {int(item["id"]): str(item["phrase"]) for item in scene.info.items}
        self.phrases = ["", *(said.get(obj.id, "") for obj in scene.blockout.objects)]
        self.prompts = prompt_variants(scene.info)
        kind_of = np.zeros(1 << 16, np.int64)
        for item in scene.info.items:
            kind_of[int(item["id"])] = kinds.row(item)
        assert scene.items is not None
        self.kinds = torch.from_numpy(kind_of[scene.items])
        self.shown = [kind for kind in self.kinds.unique().tolist() if kind]
        boxes = read_mesh(folder, "blockout")
        meshes = {"true": read_mesh(folder, "true"), "boxes": boxes}
        if parts is not None:
            mesh = parts.mesh(folder.name, scene.blockout, boxes, scene.info.prompt)
            if scene.info.domain == OUTDOOR.name:
                # drawn windows and markings are not where the view has them, which would teach to blur all of them
                mesh = with_classes_of(mesh, meshes["true"], [OUTDOOR.index_of(name) for name in _OPEN])
            meshes["parts"] = mesh
        self.domain, self.sun = scene.info.domain, None if scene.info.sun is None else np.array(scene.info.sun)
        self._scenes = {name: RayScene(mesh, scene.blockout, self.sun) for name, mesh in meshes.items()}
        self.latents = encode(self._views_without_sun())

    @property
    def sources(self) -> tuple[tuple[Source, float], ...]:
        """Those of `SOURCES` that it can be drawn from; boxes have the share of parts where there are none."""
        shares = dict(SOURCES)
        if "parts" not in self._scenes:
            shares["boxes"] += shares.pop("parts")
        return tuple(shares.items())

    def crop_cameras(self, crop: Crop) -> CameraTensors:
        """The camera whose image is the crop."""
        chosen = slice(crop.view, crop.view + 1)
        intrinsics = self.cameras.intrinsics[:, chosen].clone()
        intrinsics[..., 0, 2] -= crop.left
        intrinsics[..., 1, 2] -= crop.top
        return CameraTensors(intrinsics, self.cameras.world_from_camera[:, chosen], crop.side, crop.side)

    def buffer(self, crop: Crop) -> GBuffer:
        """The crop's G-buffer."""
        cameras, size = self.crop_cameras(crop), (crop.side, crop.side)
        if crop.source == "voxels":
            return voxel_gbuffer(self.grids, cameras, size)
        buffer = mesh_gbuffer([self._scenes[crop.source]], cameras, size)
        if not crop.sunlit:
            return replace(buffer, sunlight=torch.zeros_like(buffer.sunlight))
        if self.sun is None or crop.source == "true":
            return buffer
        # shadows that are not where the view has them would teach to blur them
        return replace(buffer, sunlight=mesh_gbuffer([self._scenes["true"]], cameras, size).sunlight)

    def _views_without_sun(self) -> Tensor:
        """(V, height, width, 3) uint8: latents are of these, since sunlight is laid on what is drawn from them."""
        if self.sun is None:
            return self.views
        seen = mesh_gbuffer([self._scenes["true"]], self.cameras, (self.cameras.height, self.cameras.width))
        light = sun_factors(seen, [self.sun], self.domain)[0]
        return bytes_from_images(without_sun(images_from_bytes(self.views), light))


def random_crop(room: DecoderRoom, side: int, rng: np.random.Generator, kind: int | None = None) -> Crop:
    """A crop that begins at a latent's pixel, as training sees it, with a pixel of a kind near its middle, if asked."""
    views, height, width, _ = room.views.shape
    step = height // room.latents.shape[2]
    if kind is None:
        view, top, left = (int(rng.integers(count)) for count in (views, height - side + step, width - side + step))
    else:
        places = torch.nonzero((room.kinds == kind).flatten())[:, 0]
        view, middle = divmod(int(places[rng.integers(len(places))]), height * width)
        top, left = (int(place - rng.integers(side // 4, side - side // 4)) for place in divmod(middle, width))
    names, shares = zip(*room.sources, strict=True)
    clean, denoised = rng.random() < CLEAN_LATENTS, room.denoised is not None
    level = 0.0 if clean or denoised else float(rng.uniform(*NOISE_LEVELS))
    objects = len(room.names)
    return Crop(
        view=view,
        source=names[rng.choice(len(names), p=np.divide(shares, sum(shares)))],
        top=min(max(top, 0), height - side) // step * step,
        left=min(max(left, 0), width - side) // step * step,
        side=side,
        prompt=int(rng.integers(len(room.prompts))),
        described=torch.from_numpy((rng.random(objects) >= PHRASE_DROPOUT) & (rng.random() >= WITHOUT_PHRASES)),
        hinted=torch.from_numpy((rng.random(objects) >= HINT_DROPOUT) & (rng.random() >= WITHOUT_HINTS)),
        seed=int(rng.integers(1 << 31)),
        level=None if rng.random() < WITHOUT_LATENTS else level,
        denoised=denoised and not clean,
        sunlit=bool(rng.random() >= WITHOUT_SUN),
    )


def whole_view(room: DecoderRoom, view: int, source: Source, level: float | None = None, hinted: bool = True) -> Crop:
    """A whole square view with all that is known of it."""
    every = torch.ones(len(room.names), dtype=torch.bool)
    return Crop(view, source, 0, 0, room.views.shape[1], 0, every, every & hinted, 0, level)


def gather(
    rooms: Sequence[DecoderRoom], crops: Sequence[Crop], book: Phrasebook, classes: int, rng: np.random.Generator
) -> DecoderBatch:
    """The batch of one crop of each room; the generator draws the noise on the latents."""
    buffers = [room.buffer(crop) for room, crop in zip(rooms, crops, strict=True)]
    buffer = GBuffer(*(torch.cat([getattr(one, name) for one in buffers]) for name in GBuffer.__dataclass_fields__))
    cameras = [room.crop_cameras(crop) for room, crop in zip(rooms, crops, strict=True)]
    side = crops[0].side
    together = CameraTensors(
        torch.cat([one.intrinsics for one in cameras]),
        torch.cat([one.world_from_camera for one in cameras]),
        side,
        side,
    )
    volumes = [room.grids.volume for room in rooms]
    volume = VolumeTensors(
        volumes[0].shape,
        torch.cat([v.voxel_size for v in volumes]),
        torch.cat([v.world_from_grid for v in volumes]),
    )
    seeds = torch.tensor([crop.seed for crop in crops])
    features = pixel_features(buffer, together, volume, seeds)
    rows, table = _table(rooms, crops, buffer, book, seeds)
    suns = [room.sun if crop.sunlit else None for room, crop in zip(rooms, crops, strict=True)]
    latents = [_latents(room, crop, rng) for room, crop in zip(rooms, crops, strict=True)]
    squares = [(crop.view, slice(crop.top, crop.top + side), slice(crop.left, crop.left + side)) for crop in crops]
    views = torch.stack([room.views[square] for room, square in zip(rooms, squares, strict=True)])
    kinds = torch.stack([room.kinds[square] for room, square in zip(rooms, squares, strict=True)])
    return DecoderBatch(
        features[:, 0],
        rows * classes + buffer.labels[:, 0],
        table,
        torch.stack(latents),
        torch.tensor([crop.level or 0.0 for crop in crops]),
        torch.tensor([float(crop.level is not None) for crop in crops]),
        buffer.materials[:, 0],
        sun_factors(buffer, suns, rooms[0].domain)[:, 0],
        images_from_bytes(views),
        kinds[:, 1::2, 1::2].contiguous(),
    )


def _latents(room: DecoderRoom, crop: Crop, rng: np.random.Generator) -> Tensor:
    """The latents (channels, h, w) of a crop."""
    step = room.views.shape[1] // room.latents.shape[2]
    top, left, side = crop.top // step, crop.left // step, crop.side // step
    latents = room.denoised if crop.denoised and room.denoised is not None else room.latents
    own = latents[crop.view, :, top : top + side, left : left + side]
    if not crop.level:
        return own
    noise = torch.from_numpy(rng.standard_normal(own.shape, np.float32))
    return torch.lerp(own, noise, crop.level)


def _table(
    rooms: Sequence[DecoderRoom], crops: Sequence[Crop], buffer: GBuffer, book: Phrasebook, seeds: Tensor
) -> tuple[Tensor, ObjectTable]:
    """The row of what each pixel shows (N, h, w) in the table of all objects and tints that are seen, and the table."""
    objects = buffer.objects[:, 0]
    tints = tint_rows(buffer.materials[:, 0], objects) * (objects > 0)
    number_of: dict[str, int] = {}

    def number(text: str) -> int:
        return number_of.setdefault(text, len(number_of))

    rows = torch.empty_like(objects)
    names: list[Tensor] = []
    phrases: list[str] = []
    hints: list[Tensor] = []
    codes: list[Tensor] = []
    text_of: list[int] = []
    prompt_of: list[int] = []
    for index, (room, crop) in enumerate(zip(rooms, crops, strict=True)):
        keys = objects[index] * _TINTS + (tints[index] if room.domain == OUTDOOR.name else 0)
        pairs, place = keys.unique(return_inverse=True)
        rows[index] = place + len(names)
        prompt_of.append(number(room.prompts[crop.prompt]))
        seen, tint = pairs // _TINTS, (pairs % _TINTS)[:, None]
        for row, is_tint in zip(seen.tolist(), (tint[:, 0] > 0).tolist(), strict=True):
            names.append(book.mean(room.names[row]) if row else torch.zeros(book.width))
            own = room.phrases[row] if crop.described[row] and not is_tint else ""
            phrases.append(own)
            text_of.append(number(room.names[row]) if is_tint else number(own) if own else prompt_of[-1])
        own_hints = room.hints[seen] * crop.hinted[seen, None]
        hints.append(torch.where(tint > 0, tint_hints(len(TINTS))[tint[:, 0] - 1], own_hints))
        codes.append(object_codes(seeds[index : index + 1], len(room.names))[0, seen] * (tint == 0))
    states = [book.tokens(text) for text in number_of]
    owner = torch.repeat_interleave(torch.arange(len(states)), torch.tensor([len(own) for own in states]))
    return rows, ObjectTable(
        torch.stack(names),
        torch.tensor(text_of),
        torch.cat(hints),
        word_colors(phrases),
        torch.cat(codes),
        torch.tensor(prompt_of),
        book.mean(LIGHT),
        Texts(torch.cat(states), owner),
    )
