"""Drafts of rendered rooms, one file per room with everything that training a denoiser needs of it.

The guided decoder draws each room a few times as it would draw a request: from boxes, their parts, voxels or the true
meshes, with some of the phrases and color hints. A file has the latents of these drafts and of the rendered views, what
each latent pixel sees, and the grids. So no step of training runs the decoder, and no room is held in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.rig import room_rig, street_rig
from occscene.volumes import default_volume
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.data.dataset import (
    RenderedScene,
    list_scenes,
    read_cameras,
    read_info,
    read_scene,
    split_of,
)
from occscene_server.data.prompts import prompt_variants
from occscene_server.data.scene_mesh import read_mesh
from occscene_server.data.scenes import SceneBatch, mirrored
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.gbuffer_maps import nearest_face
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import GBUFFER_CELLS
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import encode_prompts
from occscene_server.pipelines.guided_decoding import decode_guided, object_tables, scene_words
from occscene_server.pipelines.layout_composition import Composition, compose
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.sun import scene_sun
from occscene_server.pipelines.text_to_scene import LayoutDraft
from occscene_server.terminal import track

Source = Literal["parts", "blockout", "voxels", "true"]
SOURCES: tuple[tuple[Source, float], ...] = (("parts", 0.5), ("blockout", 0.2), ("voxels", 0.1), ("true", 0.2))
"""The kinds of geometry that drafts are drawn from, with their probabilities."""
PROMPT_SHARES = (0.6, 0.15, 0.25)
"""Probability of each of `prompt_variants`."""
WITHOUT_HINTS, HINT_DROPOUT = 0.4, 0.3
"""Share of the drafts without any color hint; share of the objects without one in the others."""
WITHOUT_PHRASES, PHRASE_DROPOUT = 0.3, 0.15
FACES = 8
"""Factor of the class in what a pixel sees; the rest is the direction that the surface faces."""
FACTS, RENDERED, SAMPLED = "drafts.json", "room", "layout"
"""Names in the folder of drafts."""

RoomArrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class DrawnRoom:
    """A room as it is drafted once.

    Args:
        source: what it is drawn from.
        prompt: of the scene.
        grid: of what is shown, its objects with the phrases and hints that are given.
        mesh: of the same; None for voxels.
        seed: of what neither words nor hints decide.
        sun: unit vector towards it in the world; None where it is not known.
    """

    source: Source
    prompt: str
    grid: SemanticGrid
    mesh: TriangleMesh | None
    seed: int
    sun: NDArray[np.float64] | None = None


class Drafter:
    """Makes the files of rooms.

    Args:
        decoder, vae: the trained networks.
        priors: write layouts and turn boxes into parts.
        encoder, tokenizer: of the text.
    """

    def __init__(
        self,
        decoder: GuidedDecoder,
        vae: SceneAutoencoder,
        priors: ScenePriors,
        encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.decoder = decoder.eval().to(memory_format=torch.channels_last)
        self.vae = vae.eval().to(memory_format=torch.channels_last)
        self.priors, self.encoder, self.tokenizer = priors, encoder, tokenizer

    def make(self, data: Path, output: Path, drafts: int, layouts: int = 0) -> None:
        """Writes the files of all rooms below `data` that train or validate and have none yet.

        Args:
            data: folder of rendered rooms.
            output: for the files.
            drafts: of each room; every second one is seen in a mirror.
            layouts: of the first N training rooms only the prompt is taken too, for a room that the layout prior draws.

        Raises:
            ValueError: `output` holds drafts of other networks, or in another number.
        """
        output.mkdir(parents=True, exist_ok=True)
        facts = {"drafts": drafts, "decoder": fingerprint(self.decoder), "autoencoder": fingerprint(self.vae)}
        said = output / FACTS
        if said.exists() and (before := json.loads(said.read_text(encoding="utf-8"))) != facts:
            changed = ", ".join(name for name in facts if before.get(name) != facts[name])
            raise ValueError(f"{output} was made with other {changed}; give another folder, or delete it")
        said.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        rooms = [(folder, int(folder.name.removeprefix("scene_"))) for folder in list_scenes(data)]
        known = [(folder, room_file(output, seed), False) for folder, seed in rooms if split_of(seed) != "test"]
        training = [(folder, seed) for folder, seed in rooms if split_of(seed) == "train"]
        known += [(folder, room_file(output, seed, SAMPLED), True) for folder, seed in training[:layouts]]
        for folder, path, is_sampled in track([room for room in known if not room[1].exists()], "drafting rooms"):
            partial = path.with_suffix(".partial.npz")
            made = self.sampled_arrays(folder, drafts) if is_sampled else self.arrays(folder, drafts)
            np.savez_compressed(partial, allow_pickle=False, **made)
            partial.rename(path)

    @torch.no_grad()
    def arrays(self, folder: Path, drafts: int) -> RoomArrays:
        """The contents of a room's file, as `DraftedRooms` reads it.

        `latents` (2, V, C, h, w) of the rendered views and of their mirror images; of each draft k: `drafts[k]` of the
        same shape, `seen[k]`, `objects[k]` and `depth[k]` (V, 4 h, 4 w), `labels[k]` (3, X, Y, Z) of what is drawn, of
        the blockout and of what was rendered, `intrinsics[k]`, `poses[k]` and `text_k` (tokens, width) as bfloat16.
        """
        scene = read_scene(folder)
        plain = SceneBatch(
            torch.from_numpy(scene.views)[None],
            GridTensors.from_grids([scene.occupancy.without_instances()]),
            GridTensors.from_grids([scene.blockout]),
            CameraTensors.from_cameras([scene.cameras]),
        )
        views = [images_from_bytes(side.views[0]) for side in (plain, mirrored(plain))]
        drawn = [
            self.drawn_room(scene, folder, np.random.default_rng((scene.info.seed, number))) for number in range(drafts)
        ]
        return {"latents": np.stack([self._encode(side) for side in views]), **self._drafted(plain, drawn)}

    @torch.no_grad()
    def sampled_arrays(self, folder: Path, drafts: int) -> RoomArrays:
        """The same without `latents` of a room that the layout prior draws for the prompt of a rendered one.

        Its cameras stand as the default rig's, and what is drawn, its parts included, is what is true.
        """
        info, like = read_info(folder), read_cameras(folder)
        volume = default_volume(info.domain)
        placed, _ = compose(self.priors, Composition(info.prompt, info.seed, volume, with_parts=True))
        layout = LayoutDraft(placed, volume)
        boxes, grid, mesh = layout.boxes, layout.grid, layout.mesh
        size = like[0].width, like[0].height
        indoors = placed.layout.room is not None
        cameras = room_rig(placed, len(like), *size) if indoors else street_rig(volume, *size)[: len(like)]
        plain = SceneBatch(
            torch.zeros(1, len(cameras), 1, 1, 3, dtype=torch.uint8),
            GridTensors.from_grids([grid.without_instances()]),
            GridTensors.from_grids([boxes]),
            CameraTensors.from_cameras([cameras]),
        )
        shown = replace(grid, objects=boxes.objects)
        seeds = range(info.seed, info.seed + drafts)
        suns = [None if mesh is None else scene_sun(info.prompt, seed, mesh, info.domain) for seed in seeds]
        return self._drafted(
            plain,
            [DrawnRoom("parts", info.prompt, shown, mesh, seed, sun) for seed, sun in zip(seeds, suns, strict=True)],
        )

    def _drafted(self, plain: SceneBatch, rooms: Sequence[DrawnRoom]) -> RoomArrays:
        """The contents of a file, without the latents of rendered views."""
        cameras, sides = plain.cameras, (plain, mirrored(plain))
        columns: dict[str, list[NDArray[Any]]] = {}
        texts = {}
        for number, drawn in enumerate(rooms):
            grids = GridTensors.from_grids([drawn.grid])
            shapes = [None if drawn.mesh is None else RayScene(drawn.mesh, drawn.grid, drawn.sun)]
            views = self._views(drawn, grids, shapes, cameras)
            step = self.vae.spatial_compression_ratio // GBUFFER_CELLS
            maps = scene_gbuffer(grids, shapes, cameras, (cameras.height // step, cameras.width // step))
            is_mirrored, side = number % 2 == 1, sides[number % 2]
            made = seen_maps(maps, is_mirrored)
            made["drafts"] = self._encode(views.flip(3) if is_mirrored else views)
            shown = drawn.grid.labels[::-1] if is_mirrored else drawn.grid.labels
            made["labels"] = np.stack([shown, side.blockout.labels[0].numpy(), side.occupancy.labels[0].numpy()])
            made["intrinsics"] = side.cameras.intrinsics[0].numpy()
            made["poses"] = side.cameras.world_from_camera[0].numpy()
            for name, values in made.items():
                columns.setdefault(name, []).append(values)
            states, _ = encode_prompts(self.encoder, self.tokenizer, [drawn.prompt], pad_to_limit=False)
            texts[f"text_{number}"] = states[0].to(torch.bfloat16).view(torch.int16).numpy()
        place = {
            "voxel_size": plain.blockout.voxel_size[0].numpy(),
            "world_from_grid": plain.blockout.world_from_grid[0].numpy(),
            "size": np.array([cameras.height, cameras.width]),
        }
        return {name: np.stack(values) for name, values in columns.items()} | texts | place

    def drawn_room(self, scene: RenderedScene, folder: Path, rng: np.random.Generator) -> DrawnRoom:
        """Draws how a room is drafted: from which geometry, with which words and hints."""
        names, shares = zip(*SOURCES, strict=True)
        source = names[rng.choice(len(names), p=shares)]
        prompt = prompt_variants(scene.info)[rng.choice(len(PROMPT_SHARES), p=PROMPT_SHARES)]
        seed = int(rng.integers(1 << 31))
        phrases = {int(item["id"]): str(item["phrase"]) for item in scene.info.items}
        count = len(scene.blockout.objects)
        described = (rng.random(count) >= PHRASE_DROPOUT) & (rng.random() >= WITHOUT_PHRASES)
        hinted = (rng.random(count) >= HINT_DROPOUT) & (rng.random() >= WITHOUT_HINTS)
        objects = tuple(
            GridObject(obj.id, obj.name, obj.hint if has_hint else None, phrases.get(obj.id, "") if has_phrase else "")
            for obj, has_phrase, has_hint in zip(scene.blockout.objects, described, hinted, strict=True)
        )
        grid = replace(scene.occupancy if source == "true" else scene.blockout, objects=objects)
        if source == "voxels":
            return DrawnRoom(source, prompt, grid, None, seed)
        mesh = read_mesh(folder, "true" if source == "true" else "blockout")
        if source == "parts":
            refined, made = self.priors.refined(grid, prompt, mesh.object_vertices())
            mesh, grid = mesh_with_parts(mesh, grid, made), refined
        sun = None if scene.info.sun is None else np.array(scene.info.sun)
        return DrawnRoom(source, prompt, grid, mesh, seed, sun)

    def _views(
        self, drawn: DrawnRoom, grids: GridTensors, shapes: list[RayScene | None], cameras: CameraTensors
    ) -> Tensor:
        """(V, 3, height, width) in [-1, 1]."""
        seeds = torch.tensor([drawn.seed])
        words = [scene_words(drawn.prompt, drawn.grid)]
        objects = object_tables(self.encoder, self.tokenizer, grids, words, seeds)
        views = []
        for view in range(cameras.views):
            one = cameras.selected(torch.tensor([[view]]))
            buffer = scene_gbuffer(grids, shapes, one, (cameras.height, cameras.width))
            views.append(decode_guided(self.decoder, objects, buffer, one, grids.volume, seeds))
        return torch.cat(views)

    def _encode(self, views: Tensor) -> NDArray[np.float16]:
        """Views (V, 3, height, width) in [-1, 1] to normalised latents (V, C, h, w)."""
        with fast_autocast("cpu"):
            mode = self.vae.encode(views.contiguous(memory_format=torch.channels_last)).latent_dist.mode()
        latents: NDArray[np.float16] = self.vae.normalize(mode.float()).numpy().astype(np.float16)
        return latents


def seen_maps(buffer: GBuffer, is_mirrored: bool) -> RoomArrays:
    """The maps of one scene's G-buffer that are stored: "seen", "objects" and "depth", (V, height, width) each."""
    face = nearest_face(buffer.normal, torch.isfinite(buffer.depth))[0]
    if is_mirrored:  # across x
        face = torch.where(face < 2, 1 - face, face)
    seen = buffer.labels[0] * FACES + face
    maps = {"seen": (seen, np.uint8), "objects": (buffer.objects[0], np.uint16), "depth": (buffer.depth[0], np.float16)}
    return {
        name: (values.flip(-1) if is_mirrored else values).numpy().astype(kind) for name, (values, kind) in maps.items()
    }


def room_file(folder: Path, seed: int, kind: str = RENDERED) -> Path:
    """The path of a room's file."""
    return folder / f"{kind}_{seed:06d}.npz"


def room_files(folder: Path, split: str, kind: str = RENDERED) -> list[Path]:
    """The files of the rooms of a split."""
    paths = sorted(folder.glob(f"{kind}_??????.npz"))
    return [path for path in paths if split_of(int(path.stem.removeprefix(f"{kind}_"))) == split]


def fingerprint(network: torch.nn.Module) -> str:
    """A digest of a network's weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
