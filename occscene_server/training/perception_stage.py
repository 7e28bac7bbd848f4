"""Stage 1, perception: rendered views, with and without the blockout, to the true grid; and its command."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from occscene.grid import UNKNOWN
from PIL import Image, ImageFilter
from torch import Tensor

from occscene_server.data.scenes import SceneBatch, SceneSet
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.metrics.occupancy import OccupancyScores
from occscene_server.models.perception import PIXEL_INPUTS, ImageFeatures, OccupancyPerception, classify_voxels
from occscene_server.models.precision import fast_autocast
from occscene_server.models.transfer import take_over
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.training import arguments as arg
from occscene_server.training.generated_views import generate_views
from occscene_server.training.kitti_scenes import KittiScenes
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.losses import class_weights, occupancy_loss
from occscene_server.training.stage import Loss, blend_parameters, check_keep, report
from occscene_server.training.volume_blocks import blocks, random_corners

BLOCKOUT_DROPOUT = 0.4
IMAGES_ONLY_WEIGHT = 0.4
"""Of a scene without its blockout, whose loss is far larger than another's; the value is a guess, not measured."""
_COUNTED = 200
"""Scenes at most in which voxels are counted for the classes' weights."""
CLEAN_VIEWS = 0.4
"""Share of views that perception sees as they were rendered; the others look as if a generator had made them."""


def initial_perception(initial: Path | None, classes: int, half_size: bool) -> OccupancyPerception:
    """The perception of a folder, or a new one; it takes what it can from a folder's that has other classes."""
    if initial is None:
        return OccupancyPerception(classes, detail_channels=0) if half_size else OccupancyPerception(classes)
    trained = OccupancyPerception.from_pretrained(initial)
    if trained.classes == classes:
        return trained
    changed = {"classes": classes} | ({"detail_channels": 0} if half_size else {})
    model: OccupancyPerception = OccupancyPerception.from_config(dict(trained.config) | changed)
    take_over(model, trained, {"image_encoder.quarter.0.weight": PIXEL_INPUTS})
    return model


def perception_step(
    model: OccupancyPerception,
    batch: SceneBatch,
    rng: np.random.Generator,
    classes: Tensor | None = None,
    side: int | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The loss on a batch with degraded views and some blockouts withheld.

    Args:
        model: in training.
        batch: on the model's device, with the views to look at.
        rng: decides all that is random.
        classes: (C,) weights in the cross-entropy, see `scene_class_weights`.
        side: voxels along x and y of the block of each scene that is predicted; None for whole scenes.

    Returns:
        The loss, its parts, and the share of occupied voxels whose class is predicted.
    """
    images = degrade(batch.views, rng)
    withheld = torch.from_numpy(rng.random(len(images)) < BLOCKOUT_DROPOUT).to(images.device)
    blockout = batch.blockout.labels.masked_fill(withheld[:, None, None, None], UNKNOWN)
    seen = model.encode_images(images, batch.cameras, batch.occupancy.volume, blockout)
    truth, placed = batch.occupancy, batch.blockout.with_labels(blockout)
    if side is not None:
        corners = random_corners(truth, side, rng)
        truth, placed = blocks(truth, corners, side), blocks(placed, corners, side)
    target = truth.labels
    logits = model.decode_volume(seen, batch.cameras, truth.volume, placed.labels)
    weight = torch.where(withheld, IMAGES_ONLY_WEIGHT, 1.0)
    loss, metrics = occupancy_loss(logits, target, weight, classes)
    pixels, pixel_metrics = pixel_loss(seen, batch)
    occupied = (target != 0) & (target != UNKNOWN)
    right = (logits.detach().argmax(1) == target)[occupied]
    return loss + pixels, metrics | pixel_metrics | {"recall": float(right.float().mean())}


def pixel_step(
    model: OccupancyPerception, batch: SceneBatch, rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Only `pixel_loss`, on degraded views: trains the image encoder, some five times faster per view."""
    return pixel_loss(model.encode_images(degrade(batch.views, rng), batch.cameras, batch.occupancy.volume), batch)


def pixel_loss(seen: ImageFeatures, batch: SceneBatch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the class that each pixel sees, plus the error of the logarithm of its depth.

    The truth is drawn from the true grid. Without this loss the image encoder learns nothing within hours: its features
    reach the loss only through the whole volume, where the blockout is the easier cue.

    Returns:
        The loss, and its parts.
    """
    size = (seen.log_depth.shape[-2], seen.log_depth.shape[-1])
    with torch.no_grad():
        truth = render_gbuffer_maps(batch.occupancy, batch.cameras, size, seen.class_logits.shape[2])
    classes = F.cross_entropy(seen.class_logits.flatten(0, 1), truth.labels.flatten(0, 1))
    known = truth.depth.isfinite()
    error = (seen.log_depth - truth.log_depth)[known].abs()
    depth = error.mean() if len(error) else error.sum()
    return classes + 2.0 * depth, {"pixel_classes": float(classes.detach()), "pixel_depth": float(depth.detach())}


class Scenes(Protocol):
    """Scenes that perception is trained on: rendered ones, or a data set's frames.

    Args:
        classes: of the taxonomy, empty included.
        shape: voxels of the grids along x, y and z.
    """

    @property
    def classes(self) -> int:
        """Of the taxonomy."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the grids."""
        ...

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int], symmetry: tuple[bool, int] = (False, 0)) -> SceneBatch:
        """The scenes at `indices`, mirrored and turned."""
        ...


def random_batch(scenes: Scenes, size: int, rng: np.random.Generator) -> SceneBatch:
    """Some scenes, mirrored and turned at random, seen in one view to all of them (other ones in each scene)."""
    indices = rng.integers(len(scenes), size=size).tolist()
    x, y, _ = scenes.shape
    turns = int(rng.integers(4)) if x == y else 2 * int(rng.integers(2))
    batch = scenes.batch(indices, (bool(rng.integers(2)), turns))
    views = batch.cameras.views
    count = int(rng.integers(1, views + 1))
    picked = torch.from_numpy(np.stack([rng.permutation(views)[:count] for _ in indices]))
    seen = batch.views[torch.arange(size)[:, None], picked]
    return replace(batch, views=seen, cameras=batch.cameras.selected(picked))


def degrade(views: Tensor, rng: np.random.Generator) -> Tensor:
    """Views (B, V, height, width, 3) uint8 degraded as by a generator, as (B, V, 3, height, width) in [-1, 1]."""
    flat = views.flatten(0, 1).cpu().numpy()
    degraded = np.stack([view if rng.random() < CLEAN_VIEWS else _degraded(view, rng) for view in flat])
    return images_from_bytes(torch.from_numpy(degraded).unflatten(0, views.shape[:2]).to(views.device))


def _degraded(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One view (height, width, 3) with blur, lost detail, block artefacts, wrong colours and noise, each at random."""
    image = Image.fromarray(view)
    size = image.size
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.0)))
    if rng.random() < 0.3:  # detail below the size of a latent's pixel, which an autoencoder loses
        share = rng.uniform(0.25, 0.7)
        small = image.resize((round(size[0] * share), round(size[1] * share)), Image.Resampling.BOX)
        image = small.resize(size, Image.Resampling.BICUBIC)
    if rng.random() < 0.3:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=int(rng.integers(15, 70)))
        image = Image.open(file)
    pixels = np.asarray(image, np.float32)
    if rng.random() < 0.5:
        gain, shift = rng.normal(1.0, 0.1, 3), rng.normal(0.0, 8.0, 3) + rng.normal(0.0, 12.0)
        pixels = pixels * gain.astype(np.float32) + shift.astype(np.float32)
    if rng.random() < 0.3:
        pixels = pixels + rng.uniform(1.0, 12.0) * rng.standard_normal(pixels.shape, np.float32)
    return pixels.clip(0, 255).astype(np.uint8)


def scene_class_weights(scenes: Scenes, classes: int) -> Tensor:
    """The classes' weights in the cross-entropy, from how often they occur in the true grids of some scenes, (C,)."""
    counts = torch.zeros(classes, dtype=torch.int64)
    for index in range(0, len(scenes), -(-len(scenes) // _COUNTED)):
        labels = scenes.batch([index]).occupancy.labels
        counts += torch.bincount(labels[labels != UNKNOWN].long(), minlength=classes)
    return class_weights(counts)


@torch.no_grad()
def evaluate_perception(
    model: OccupancyPerception, scenes: Scenes, indices: Sequence[int] | None = None, device: str = "cpu"
) -> dict[str, float]:
    """Scores against the true grids, all views seen.

    Args:
        model: on `device`.
        scenes: held out.
        indices: of the scenes to look at; None for all.
        device: "cpu" or "cuda".

    Returns:
        mIoU and IoU with the blockout given ("miou", "iou"), with images only ("miou_images", "iou_images"), and of
        the blockout itself ("miou_blockout", "iou_blockout"); see `OccupancyScores`.
    """
    scores = {name: OccupancyScores(model.classes) for name in ("", "_images", "_blockout")}
    for index in range(len(scenes)) if indices is None else indices:
        batch = scenes.batch([index]).to(device)
        images, target, blockout = images_from_bytes(batch.views), batch.occupancy.labels, batch.blockout.labels
        volume = batch.occupancy.volume
        with fast_autocast(device):
            scores[""].add(classify_voxels(model(images, batch.cameras, volume, blockout)), target)
            scores["_images"].add(classify_voxels(model(images, batch.cameras, volume)), target)
        scores["_blockout"].add(blockout, target)
    metrics = {name: score.metrics() for name, score in scores.items()}
    return {f"{kind}{name}": getattr(metric, kind) for name, metric in metrics.items() for kind in ("miou", "iou")}


def perception(
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("perception",))],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that `occscene-server studio render` filled."),
        arg.MadeBy("studio render"),
    ] = None,
    kitti: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder of SemanticKITTI, which holds `sequences`, in place of --data."
        ),
    ] = None,
    steps: arg.Steps = 6000,
    pixel_steps: Annotated[int, typer.Option(min=0, help="Use only the pixel loss for the first N steps.")] = 2000,
    batch: arg.SceneBatch = 2,
    learning_rate: arg.LearningRate = 1e-3,
    initial: Annotated[Path | None, arg.INITIAL, arg.Weights("perception")] = None,
    generator: Annotated[
        Path | None,
        typer.Option(help="A finished pipeline; half of the batches show views that it generates."),
        arg.Weights("pipeline"),
    ] = None,
    rooms: Annotated[int, typer.Option(min=1, help="Rooms to generate first, into OUTPUT.")] = 500,
    half_size: Annotated[
        bool,
        typer.Option(help="No layers at the voxels' own size, which streets have too many of; for a new network only."),
    ] = False,
    block: Annotated[
        int | None, typer.Option(min=16, help="Voxels along x and y of what a step predicts; all if omitted.")
    ] = None,
    validation_scenes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Held-out scenes to score; if omitted, 24 at each checkpoint and, if rendered, all at the end."
        ),
    ] = None,
    keep: arg.Keep = 0.0,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train perception: posed images, with or without a blockout, to occupancy."""
    check_keep(keep, initial)
    scenes: Scenes
    held_out: Scenes
    if (data is None) == (kitti is None):
        raise typer.BadParameter("give --data, rendered scenes, or --kitti, SemanticKITTI's folder: one of them")
    if kitti is not None:
        try:
            scenes, held_out = (KittiScenes(kitti, split, output / "blockouts") for split in ("train", "valid"))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--kitti") from None
    else:
        assert data is not None
        scenes, held_out = SceneSet(data, "train"), SceneSet(data, "validation")
    shown = [scenes]
    if generator is not None:
        if not isinstance(scenes, SceneSet):
            raise typer.BadParameter("views are generated of rendered scenes; omit it", param_hint="--generator")
        assert data is not None
        pipeline = OccScenePipeline.from_pretrained(str(generator)).to(device)
        shown.append(scenes.with_views(generate_views(pipeline, data, scenes, rooms, output / "generated")))
    torch.manual_seed(seed)
    model = initial_perception(initial, scenes.classes, half_size).to(device)
    if keep and model.classes != OccupancyPerception.from_pretrained(initial).classes:
        raise typer.BadParameter(f"{initial} has other classes; omit it", param_hint="--keep")
    weights = scene_class_weights(scenes, scenes.classes).to(device)

    def loss_of_step(step: int) -> Loss:
        rng = np.random.default_rng((seed, step))
        drawn = random_batch(shown[step % len(shown)], batch, rng).to(device)
        if step < pixel_steps:
            return pixel_step(model, drawn, rng)
        return perception_step(model, drawn, rng, weights, block)

    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    first = range(min(validation_scenes or 24, len(held_out)))
    finished = train(model, loss_of_step, options, lambda: evaluate_perception(model, held_out, first, device))
    if initial is not None and keep:
        blend_parameters(model, OccupancyPerception.from_pretrained(initial), keep)
    model.save_pretrained(output / "perception")
    looked_at = None if kitti is None and validation_scenes is None else first
    report(finished, output / "perception", evaluate_perception(model, held_out, looked_at, device))
