"""Drafted rooms as a denoiser learns from them: read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.data.scenes import quarter_turns, turned_cameras
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.gbuffer_maps import GBufferMaps, gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import NO_FACE
from occscene_server.geometry.view_noise import surface_fixed_noise
from occscene_server.models.denoiser import GBUFFER_CELLS, Condition, OccSceneDenoiser
from occscene_server.models.text import encode_prompts
from occscene_server.training.denoiser_stage import (
    OCCUPANCY_DROPOUT,
    TEXT_DROPOUT,
    CorruptedBatch,
    noise_levels,
)
from occscene_server.training.drafts import FACES, RENDERED, RoomArrays, room_files

REFINED_OCCUPANCY = 0.3
"""Share of rooms whose dual alignment sees what is drafted filled up with true detail, as after feedback."""
SURFACE_NOISE = 0.5
"""Share of rooms whose noise lies on surfaces, as when the denoiser is used; the others' is new for each view."""


@dataclass(frozen=True)
class DraftedBatch:
    """B rooms, each in one of its drafts.

    Args:
        latents, drafts: (B, V, C, h, w).
        text, text_mask: (B, T, D) and (B, T).
        gbuffer: of what is drafted.
        cameras: of the views.
        shown, blockout, occupancy: grids of what is drafted, of the artist's boxes and of what was rendered.
    """

    latents: Tensor
    drafts: Tensor
    text: Tensor
    text_mask: Tensor
    gbuffer: GBufferMaps
    cameras: CameraTensors
    shown: GridTensors
    blockout: GridTensors
    occupancy: GridTensors


class DraftedRooms:
    """The drafted rooms of a split.

    Args:
        folder: that a `Drafter` filled.
        split: "train" or "validation".
        classes: of the taxonomy.
        channel_weights: (C,) how much an error in each latent channel counts.
        encoder, tokenizer: of the text.
        levels: noise levels of each room in a batch, which share one condition.
        device: where batches go.
        kind: of the rooms; those that were sampled have drafts in the place of latents.

    Raises:
        ValueError: there is no drafted room of that split.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        classes: int,
        channel_weights: Tensor,
        encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        levels: int = 1,
        device: str = "cpu",
        kind: str = RENDERED,
    ) -> None:
        self.paths = room_files(folder, split, kind)
        if not self.paths:
            raise ValueError(f"{folder} has no {split} {kind}; make some with `occscene-server train drafts`")
        self.classes, self.channel_weights, self.levels, self.device = classes, channel_weights, levels, device
        states, _ = encode_prompts(encoder, tokenizer, [""], pad_to_limit=False)
        self._no_text = states[0].cpu().float()

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> RoomArrays:
        """The contents of a room's file."""
        with np.load(self.paths[index], allow_pickle=False) as members:
            return {name: members[name] for name in members.files}

    def batch(self, indices: Sequence[int], rng: np.random.Generator) -> DraftedBatch:
        """Some rooms, each in one of its drafts, turned together, some without their prompt."""
        rooms = [self.read(index) for index in indices]
        drafts = [int(rng.integers(len(room["drafts"]))) for room in rooms]
        return self.gathered(rooms, drafts, int(rng.integers(4)), rng.random(len(rooms)) >= TEXT_DROPOUT)

    def gathered(
        self, rooms: Sequence[RoomArrays], drafts: Sequence[int], turns: int, prompted: Iterable[bool]
    ) -> DraftedBatch:
        """Rooms in drafts of given numbers.

        Args:
            rooms: of `read`.
            drafts: number of each room's.
            turns: quarter turns about the vertical.
            prompted: whether each has its prompt.
        """

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([room[name][draft] for room, draft in zip(rooms, drafts, strict=True)]))

        latents = np.stack(
            [
                room["latents"][draft % 2] if "latents" in room else room["drafts"][draft]
                for room, draft in zip(rooms, drafts, strict=True)
            ]
        )
        words = [
            torch.from_numpy(room[f"text_{draft}"]).view(torch.bfloat16).float() if has_prompt else self._no_text
            for room, draft, has_prompt in zip(rooms, drafts, prompted, strict=True)
        ]
        lengths = torch.tensor([len(own) for own in words])
        text = pad_sequence(words, batch_first=True)
        mask = torch.arange(text.shape[1]) < lengths[:, None]

        labels = stacked("labels").rot90(turns, (2, 3))
        size = torch.from_numpy(np.stack([room["voxel_size"] for room in rooms]))
        pose = torch.from_numpy(np.stack([room["world_from_grid"] for room in rooms]))
        objects = stacked("objects").long()
        hints = torch.zeros(len(rooms), int(objects.max()) + 1, 4)  # drafts are drawn in them
        shown, blockout, occupancy = (
            GridTensors(labels[:, which].contiguous(), None, hints, size, pose) for which in range(3)
        )
        height, width = rooms[0]["size"].tolist()
        cameras = CameraTensors(stacked("intrinsics"), stacked("poses"), height, width)
        cameras = turned_cameras(cameras, shown.volume, turns)
        buffer = _buffer(stacked("seen").long(), objects, stacked("depth").float(), turns)
        shown, cameras = shown.to(self.device), cameras.to(self.device)
        return DraftedBatch(
            torch.from_numpy(latents).float().to(self.device),
            stacked("drafts").float().to(self.device),
            text.to(self.device),
            mask.to(self.device),
            gbuffer_maps(buffer.to(self.device), shown, cameras, self.classes),
            cameras,
            shown,
            blockout.to(self.device),
            occupancy.to(self.device),
        )

    def corrupted(self, model: OccSceneDenoiser, indices: Sequence[int], rng: np.random.Generator) -> CorruptedBatch:
        """Draws rooms, noise and condition; each room is there `levels` times, one after the other."""
        batch = self.batch(indices, rng)
        count = len(indices)
        dropped = torch.from_numpy(rng.random(count) < OCCUPANCY_DROPOUT).to(self.device)
        refined = torch.from_numpy(rng.random(count) < REFINED_OCCUPANCY).to(self.device)
        drawn = model.encode_gbuffer(batch.gbuffer)

        def condition(occupancy: Tensor) -> Condition:
            size = (batch.latents.shape[-2], batch.latents.shape[-1])
            whole = model.encode_condition(batch.shown, batch.cameras, size, occupancy, dropped, drawn)
            return whole.repeated(self.levels)

        def filled(labels: Tensor, where: Tensor) -> Tensor:
            free = (batch.shown.labels == 0) & where[:, None, None, None]
            return torch.where(free, labels, batch.shown.labels)

        def perceived(labels: Tensor) -> Condition:
            first = labels[:: self.levels].to(torch.uint8)
            return condition(filled(first, torch.ones_like(dropped)))

        def each(values: Tensor) -> Tensor:
            return values.repeat_interleave(self.levels, 0)

        prior = batch.drafts.masked_fill(dropped[:, None, None, None, None], 0.0)
        noise = torch.cat([self._noise(batch, rng, dropped) for _ in range(self.levels)], 1).view_as(each(prior))
        level = noise_levels(count * self.levels, rng).to(self.device)
        blend, latents = level[:, None, None, None, None], each(batch.latents)
        rows = each(torch.arange(count, device=self.device))
        return CorruptedBatch(
            (1 - blend) * latents + blend * noise,
            noise - latents,
            level,
            each(batch.text),
            each(batch.text_mask),
            condition(filled(batch.occupancy.labels, refined)),
            each(prior),
            batch.cameras.of_scenes(rows),
            batch.blockout.of_scenes(rows),
            batch.occupancy.of_scenes(rows),
            perceived,
        )

    def _noise(self, batch: DraftedBatch, rng: np.random.Generator, dropped: Tensor) -> Tensor:
        """Standard normal noise like the latents, of some rooms on surfaces."""
        shape = batch.latents.shape
        noise = torch.from_numpy(rng.standard_normal(shape, np.float32)).to(self.device)
        seeds = torch.from_numpy(rng.integers(1 << 31, size=shape[0])).to(self.device)
        bound = torch.from_numpy(rng.random(shape[0]) < SURFACE_NOISE).to(self.device) & ~dropped
        rows = bound.nonzero()[:, 0]
        if len(rows):
            seen, cameras = batch.gbuffer.of_scenes(rows), batch.cameras.of_scenes(rows)
            noise[rows] = surface_fixed_noise(seen, cameras, seeds[rows], shape[2], GBUFFER_CELLS)
        return noise


def _buffer(seen: Tensor, objects: Tensor, depth: Tensor, turns: int) -> GBuffer:
    """The G-buffer of rooms, turned, as far as its maps read it: surfaces lie along the axes."""
    normals = torch.zeros(FACES, 3)
    normals[range(NO_FACE), [0, 0, 1, 1, 2, 2]] = torch.tensor([-1.0, 1.0] * 3)
    normal = (normals @ quarter_turns(turns).float().T)[seen % FACES].movedim(-1, 2)
    read = {"labels": seen // FACES, "objects": objects, "depth": depth, "normal": normal}
    return GBuffer(**(dict.fromkeys(GBuffer.__dataclass_fields__, torch.zeros_like(depth)) | read))


def fit_drafts(rooms: DraftedRooms, count: int = 64) -> tuple[Tensor, Tensor]:
    """Per latent channel the least-squares factor from drafts to latents, and the residual variance.

    gain = E[d z] / E[d^2] and variance = E[(z - gain d)^2], over the drafts d and latents z of the first `count` rooms.
    """
    both = [rooms.read(index) for index in range(min(count, len(rooms)))]
    drafts = np.concatenate([room["drafts"] for room in both]).astype(np.float32)
    latents = np.concatenate([room["latents"][np.arange(len(room["drafts"])) % 2] for room in both]).astype(np.float32)
    axes = (0, 1, 3, 4)
    gains = (drafts * latents).mean(axes) / np.square(drafts).mean(axes)
    left = np.square(latents - gains[:, None, None] * drafts).mean(axes)
    return torch.from_numpy(gains), torch.from_numpy(left)
