"""What a checkpoint is to paint: the shapes that are shown, and the occupancy that goes with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from torch import Tensor

from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.pipelines.text_to_scene import LayoutDraft


@dataclass(frozen=True, eq=False)
class SceneDraft:
    """What the bundled model makes of a scene.

    Args:
        images: (V, height, width, 3) uint8 sRGB.
        grid: the occupancy that it predicts.
    """

    images: NDArray[np.uint8]
    grid: SemanticGrid

    def enlarged(self, size: tuple[int, int], device: torch.device) -> Tensor:
        """The images (V, 3, height, width) in [-1, 1] at a size."""
        images = images_from_bytes(torch.from_numpy(self.images).to(device))
        return resized(images, size)


@dataclass(frozen=True, eq=False)
class ShownScene:
    """The shapes of a scene.

    Args:
        grid: voxels and the table of objects.
        mesh: triangles with the objects of `grid`; None where voxels are all that is known.
        occupancy: that is returned with the views.
        source: of the occupancy, as in `OccSceneOutput`.
    """

    grid: SemanticGrid
    mesh: TriangleMesh | None
    occupancy: SemanticGrid
    source: str

    @classmethod
    def of(
        cls,
        grid: SemanticGrid | None,
        finer: SemanticGrid | None,
        mesh: TriangleMesh | None,
        layout: LayoutDraft | None,
        draft: SceneDraft | None,
    ) -> ShownScene:
        """Chooses what is shown.

        Triangles where there are any; else voxels, those of a blockout carved to what the draft shows.

        Args:
            grid, finer, mesh: the blockout, with parts in place of boxes, and its triangles.
            layout: what text to scene begins from, as it is after the draft.
            draft: of the bundled model.

        Raises:
            ValueError: there is nothing to show.
        """
        source = "blockout" if grid is not None else "layout"
        if layout is not None:
            grid, finer, mesh = layout.boxes, layout.grid, layout.mesh
        if grid is None:
            if draft is None:
                raise ValueError(
                    "grid is absent, and this checkpoint paints what stands there already; send a blockout or a "
                    "layout, or serve it with --draft compact"
                )
            return cls(draft.grid, None, draft.grid, "compact")
        shown = grid if finer is None else finer
        if draft is None:
            return cls(shown, mesh, shown, source)
        if mesh is None:
            emptied = draft.grid.labels == 0
            instances = None if shown.instances is None else np.where(emptied, 0, shown.instances).astype(np.uint16)
            shown = replace(shown, labels=np.where(emptied, 0, shown.labels).astype(np.uint8), instances=instances)
        return cls(shown, mesh, draft.grid, "compact")

    def placed(self, device: torch.device) -> tuple[GridTensors, Sequence[RayScene | None]]:
        """The shapes as G-buffers are drawn from them."""
        shapes = () if self.mesh is None else [RayScene(self.mesh, self.grid)]
        return GridTensors.from_grids([self.grid], device), shapes


def working_size(camera: PinholeCamera, side: int, multiple: int) -> tuple[int, int]:
    """(height, width) of a camera's shape and about the area of a square of `side`, sides multiples of `multiple`."""
    scale = side / math.sqrt(camera.width * camera.height)
    height, width = (max(1, round(pixels * scale / multiple)) * multiple for pixels in (camera.height, camera.width))
    return height, width


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (V, 3, height, width) at another size, smoothly."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
