"""The inputs of a call of the pipeline, checked and as tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.limits import MAX_STEPS, MAX_VIEWS
from occscene.mesh import TriangleMesh
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.pipelines.sun import Floats, SunAngles, scene_sun
from occscene_server.pipelines.text_to_scene import LayoutDraft

MAX_NOISE_SCALE = 2.0
OUTPUT_TYPES = ("uint8", "pil", "np", "pt", "latent")


@dataclass(frozen=True)
class PlacedScenes:
    """Cameras, blockouts and triangles of a call.

    Args:
        cameras: of every scene.
        placed: the blockouts, or empty grids.
        has_blockout: which of the two.
        finer: the blockouts with parts in place of boxes, which the views are to show; None where they are the same.
            Perception gets the boxes, as in training, and may predict other shapes in them.
        shapes: what the views are to show as triangles, one a scene, None where voxels are all that is known; empty
            where voxels are shown of every scene.
        tables: the grids whose tables of objects the rows of `placed.hints` are.
        suns: unit vectors (3,) towards the sun of each scene, None where it is not known; empty for no scene.
    """

    cameras: CameraTensors
    placed: GridTensors
    has_blockout: bool
    finer: GridTensors | None = None
    shapes: Sequence[RayScene | None] = ()
    tables: Sequence[SemanticGrid] = ()
    suns: Sequence[Floats | None] = ()

    @property
    def shown(self) -> GridTensors:
        """The grids that the views are to show."""
        return self.placed if self.finer is None else self.finer

    def with_picture(self, picture: tuple[int, int]) -> PlacedScenes:
        """The same scenes, seen in the top left (height, width) pixels of the images only."""
        return replace(self, cameras=replace(self.cameras, picture=picture))

    @property
    def is_exact(self) -> bool:
        """Whether the triangles of every scene are shown."""
        return bool(self.shapes) and None not in self.shapes

    @property
    def has_sun(self) -> bool:
        """Whether it is known of any scene where its sun is, and what is in its way."""
        return bool(self.shapes) and any(sun is not None for sun in self.suns)

    def with_blockout(self, labels: Tensor) -> PlacedScenes:
        """The same places with labels (B, X, Y, Z) uint8 for blockouts."""
        return PlacedScenes(self.cameras, self.placed.with_labels(labels), True, tables=self.tables)

    def with_layouts(self, drafts: Sequence[LayoutDraft]) -> PlacedScenes:
        """The same places with layouts as they are now."""
        boxes, device = [draft.boxes for draft in drafts], self.placed.labels.device
        shapes: Sequence[RayScene] = ()
        if self.shapes:
            scenes = zip(drafts, boxes, self.suns, strict=True)
            shapes = [RayScene(draft.mesh, grid, sun) for draft, grid, sun in scenes]
        return PlacedScenes(
            self.cameras,
            GridTensors.from_grids(boxes, device=device),
            True,
            GridTensors.from_grids([draft.grid for draft in drafts], device=device),
            shapes,
            boxes,
            self.suns,
        )


@dataclass(frozen=True)
class SceneInputs:
    """The scenes of one call, B of them.

    Args:
        cameras: B lists of V cameras.
        grids: B blockouts, or B empty grids of the volume to predict.
        has_blockout: which of the two.
        finer: B blockouts with parts in place of boxes; None for none.
        meshes: the triangles of what B scenes are to show, None where voxels are all that is known.
        suns: B unit vectors (3,) towards the sun in the world, None where it is not known.

    Raises:
        ValueError: the message names the argument, the value and the limit.
    """

    cameras: list[list[PinholeCamera]]
    grids: list[SemanticGrid]
    has_blockout: bool
    finer: list[SemanticGrid] | None
    meshes: list[TriangleMesh | None]
    suns: list[Floats | None]

    @classmethod
    def gather(
        cls,
        scenes: int,
        cameras: Sequence[PinholeCamera] | Sequence[Sequence[PinholeCamera]],
        grid: SemanticGrid | Sequence[SemanticGrid] | None,
        volume: GridVolume | None,
        taxonomy: str,
        known_taxonomy: str,
        finer: SemanticGrid | Sequence[SemanticGrid] | None = None,
        meshes: TriangleMesh | Sequence[TriangleMesh | None] | None = None,
    ) -> SceneInputs:
        """Gives every scene its cameras and its grid; those that are given once are shared by all scenes."""
        camera_sets = _cameras_of_scenes(cameras, scenes)
        if grid is None:
            if volume is None:
                raise ValueError("neither grid nor volume is given; without a blockout the volume to predict is needed")
            labels = np.zeros(volume.shape, np.uint8)
            grids = [SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy)] * scenes
        else:
            grids = [grid] * scenes if isinstance(grid, SemanticGrid) else list(grid)
            if len(grids) != scenes:
                raise ValueError(f"grid has {len(grids)} grids for {scenes} prompts; give one, or one a prompt")
            if len({item.shape for item in grids}) > 1:
                raise ValueError(f"grid has the shapes {sorted({item.shape for item in grids})}; they must be equal")
        for item in grids:
            if item.taxonomy != known_taxonomy:
                raise ValueError(f"taxonomy is {item.taxonomy!r}; this model knows {known_taxonomy!r}")
        if finer is not None:
            finer = [finer] * scenes if isinstance(finer, SemanticGrid) else list(finer)
            if [item.shape for item in finer] != [item.shape for item in grids]:
                raise ValueError("finer must have the same number of grids as grid, of the same shapes")
        given = [meshes] * scenes if meshes is None or isinstance(meshes, TriangleMesh) else list(meshes)
        if len(given) != scenes:
            raise ValueError(f"meshes has {len(given)} entries for {scenes} prompts; give one, or one a prompt")
        if grid is None and any(given):
            raise ValueError("meshes is given without a grid; give the grid that it belongs to")
        return cls(camera_sets, grids, grid is not None, finer, given, [None] * scenes)

    def lit(self, prompts: Sequence[str], seed: int, angles: SunAngles) -> SceneInputs:
        """The same with the sun as asked for, else as each scene's words have it.

        Args:
            prompts: one a scene.
            seed: of the first scene; each other has the next.
            angles: of all scenes.
        """
        scenes = zip(prompts, self.meshes, self.grids, strict=True)
        suns = [
            None if mesh is None else scene_sun(prompt, seed + index, mesh, grid.taxonomy, angles)
            for index, (prompt, mesh, grid) in enumerate(scenes)
        ]
        return replace(self, suns=suns)

    @property
    def views(self) -> int:
        """Views in each scene."""
        return len(self.cameras[0])

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of every view in pixels."""
        return self.cameras[0][0].height, self.cameras[0][0].width

    def photographed(
        self, images: NDArray[np.uint8], multiple: int, device: torch.device
    ) -> tuple[Tensor, PlacedScenes]:
        """One scene's images (V, height, width, 3) on a sensor whose sides are rounded up to a multiple.

        Returns:
            Images (1, V, 3, height, width) in [-1, 1], their last row and column repeated to the sensor's edge, and the
            scene; its cameras are known to see nothing there.
        """
        height, width = self.image_size
        sensor = -(-height // multiple) * multiple, -(-width // multiple) * multiple
        pictures = images_from_bytes(torch.from_numpy(images).to(device))
        scene = self.placed(device, sensor)
        return padded(pictures, sensor)[None], scene.with_picture(self.image_size)

    def placed(
        self,
        device: torch.device,
        sensor: tuple[int, int] | None = None,
        scale: float = 1.0,
        exact: bool = False,
    ) -> PlacedScenes:
        """The scenes as tensors.

        Args:
            device: of the tensors.
            sensor: (height, width) of an image of which those of the cameras are the top left part; None for theirs.
            scale: pixels of the sensor in a pixel of theirs.
            exact: whether triangles are shown where they are known; else voxels are.
        """
        tensors = CameraTensors.from_cameras(self.cameras, device=device)
        if sensor is not None:
            tensors = tensors.enlarged(scale, sensor)
        placed = GridTensors.from_grids(self.grids, device=device)
        finer = None if self.finer is None else GridTensors.from_grids(self.finer, device=device)
        scenes = zip(self.meshes, self.grids, self.suns, strict=True) if exact else ()
        shapes = [None if mesh is None else RayScene(mesh, grid, sun) for mesh, grid, sun in scenes]
        return PlacedScenes(tensors, placed, self.has_blockout, finer, shapes, self.grids, self.suns)

    def predicted(self, labels: Tensor) -> list[SemanticGrid]:
        """Labels (B, X, Y, Z) uint8 as grids in the place of the given ones."""
        arrays = labels.cpu().numpy()
        return [
            SemanticGrid(array, grid.voxel_size, grid.world_from_grid, grid.taxonomy)
            for array, grid in zip(arrays, self.grids, strict=True)
        ]


def padded(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (V, channels, height, width), their last row and column repeated up to a larger `size`."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, size[1] - width, 0, size[0] - height), mode="replicate")


def _cameras_of_scenes(
    cameras: Sequence[PinholeCamera] | Sequence[Sequence[PinholeCamera]], scenes: int
) -> list[list[PinholeCamera]]:
    if not cameras:
        raise ValueError("cameras is empty; at least one camera is needed")
    shared = [camera for camera in cameras if isinstance(camera, PinholeCamera)]
    sets = [shared] * scenes if shared else [list(each) for each in cameras if not isinstance(each, PinholeCamera)]
    if len(sets) != scenes:
        raise ValueError(f"cameras has {len(sets)} lists for {scenes} prompts; give one list, or one a prompt")
    counts = {len(each) for each in sets}
    if len(counts) > 1:
        raise ValueError(f"cameras has lists of {sorted(counts)} cameras; all scenes of a call need the same number")
    if not 1 <= len(sets[0]) <= MAX_VIEWS:
        raise ValueError(f"cameras has {len(sets[0])} views; a scene has 1 to {MAX_VIEWS}")
    sizes = {(camera.width, camera.height) for each in sets for camera in each}
    if len(sizes) > 1:
        raise ValueError(f"cameras have the image sizes {sorted(sizes)}; all views of a scene must have one size")
    return sets


def check_prompts(prompt: str | list[str], negative_prompt: str | list[str]) -> None:
    """Raises a ValueError if prompts are of another kind, or their number is not that of the negative prompts."""
    for name, value in (("prompt", prompt), ("negative_prompt", negative_prompt)):
        if not isinstance(value, str | list) or not all(isinstance(text, str) for text in value):
            raise ValueError(f"{name} is {value!r}; it must be a string or a list of strings")
    if prompt == []:
        raise ValueError("prompt is an empty list; at least one prompt is needed")
    count = 1 if isinstance(prompt, str) else len(prompt)
    if isinstance(negative_prompt, list) and len(negative_prompt) != count:
        raise ValueError(
            f"negative_prompt has {len(negative_prompt)} texts for {count} prompts; give one, or one a prompt"
        )


def check_sampling(
    num_inference_steps: int,
    scales: dict[str, float],
    noise_scale: float,
    scenes: int,
    generator: object,
    output_type: str,
) -> None:
    """Raises a ValueError if a sampling option is outside its limits."""
    if not 1 <= num_inference_steps <= MAX_STEPS:
        raise ValueError(f"num_inference_steps is {num_inference_steps}; it must be 1 to {MAX_STEPS}")
    for name, scale in scales.items():
        if not (math.isfinite(scale) and scale >= 0):
            raise ValueError(f"{name} is {scale}; it must be finite and at least 0 (1 is no guidance)")
    if not 0 <= noise_scale <= MAX_NOISE_SCALE:
        raise ValueError(f"noise_scale is {noise_scale}; it must be 0 to {MAX_NOISE_SCALE:g} (1 is training's noise)")
    if isinstance(generator, list) and len(generator) != scenes:
        raise ValueError(f"generator has {len(generator)} generators for {scenes} prompts; give one, or one a prompt")
    if output_type not in OUTPUT_TYPES:
        raise ValueError(f"output_type is {output_type!r}; it must be one of {', '.join(OUTPUT_TYPES)}")
