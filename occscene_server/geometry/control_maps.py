"""Control maps: what ControlNets of Stable Diffusion are shown of a scene, in the conventions they were trained with.

All are drawn from G-buffers, one sample at the centre of each pixel, and never smoothed.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import torch
from occscene.grid import SemanticGrid
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.geometry.ade20k import ADE20K, SKY, STRUCTURE, ade20k_class
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer, seen_pairs

_GOLDEN_RATIO = 0.6180339887498949
_NEARLY = 1e-6  # 1 / m; an image whose nearness differs by less is of one depth


def depth_map(depth: Tensor) -> Tensor:
    """Inverse depth: near is white, as MiDaS draws it, for depth ControlNets.

    d = 1 / depth goes from its 1st percentile (0) to its 99th (1) among the pixels of a view that see something; those
    that see nothing are 0, and a view of one single depth is 1.

    Args:
        depth: (V, h, w) metres along the camera's z axis, inf where nothing is seen.

    Returns:
        (V, 3, h, w) float32 in [0, 1], three equal channels.
    """
    seen = torch.isfinite(depth)
    maps = torch.zeros_like(depth)
    for view, (meters, mask) in enumerate(zip(depth, seen, strict=True)):
        if not mask.any():
            continue
        near = 1 / meters[mask]
        low, high = torch.quantile(_thinned(near), torch.tensor([0.01, 0.99], device=near.device))
        flat = high - low < _NEARLY
        maps[view][mask] = 1.0 if flat else ((near - low) / (high - low)).clamp(0, 1)
    return maps[:, None].expand(-1, 3, -1, -1).contiguous()


def normal_map(normal: Tensor, camera_from_grid: Tensor) -> Tensor:
    """Normals: what faces the camera is blue, left is red, up is green, for normal ControlNets ("normalbae").

    RGB = (1 - n) / 2 with n along the camera's axes x right, y down, z forward; grey where nothing is seen
    (lllyasviel/ControlNet-v1-1-nightly, README).

    Args:
        normal: (V, 3, h, w) unit normals along the grid's axes, 0 where nothing is seen.
        camera_from_grid: (V, 3, 3) rotations.

    Returns:
        (V, 3, h, w) float32 in [0, 1].
    """
    local = torch.einsum("vij,vjhw->vihw", camera_from_grid.float(), normal)
    return ((1 - local) / 2).clamp(0, 1)


def ade20k_map(buffer: GBuffer, grid: SemanticGrid) -> Tensor:
    """ADE20K's classes in the benchmark's colors, for segmentation ControlNets of Stable Diffusion 1.x.

    Args:
        buffer: of one scene, (1, V, ...).
        grid: whose table of objects the buffer's rows are.

    Returns:
        (V, 3, h, w) float32 in [0, 1]; black where nothing is known, sky where an outdoor ray meets nothing.
    """
    beyond = SKY if grid.taxonomy == OUTDOOR.name else 0

    def color(label: int, row: int) -> tuple[int, int, int]:
        return ADE20K.classes[_class_seen(grid, label, row) if label else beyond].color

    return _painted(buffer, color)


def instance_map(buffer: GBuffer, grid: SemanticGrid) -> Tensor:
    """A color for each object, the same in every view, for the "segment" type of union ControlNets of SDXL.

    That type was trained with masks in arbitrary colors (xinsir6/ControlNetPlus): it reads outlines, not meaning.
    Walls, floors and the like have one dark color for each class.

    Args:
        buffer: of one scene, (1, V, ...).
        grid: whose table of objects the buffer's rows are.

    Returns:
        (V, 3, h, w) float32 in [0, 1]; black where nothing is seen.
    """

    def color(label: int, row: int) -> tuple[int, int, int]:
        return (0, 0, 0) if not label else _instance_color(grid, label, row)

    return _painted(buffer, color)


MAPS = ("depth", "normal", "ade20k", "instances")
"""The kinds of maps."""


def control_maps(
    kinds: tuple[str, ...], buffer: GBuffer, grid: SemanticGrid, cameras: CameraTensors
) -> dict[str, Tensor]:
    """Maps (V, 3, h, w) in [0, 1] of the given `kinds`, of one scene that is seen by V cameras."""
    rotation = cameras.world_from_camera[0, :, :3, :3].transpose(1, 2) @ torch.from_numpy(
        grid.world_from_grid[:3, :3]
    ).to(cameras.device)
    draw: dict[str, Callable[[], Tensor]] = {
        "depth": lambda: depth_map(buffer.depth[0]),
        "normal": lambda: normal_map(buffer.normal[0], rotation),
        "ade20k": lambda: ade20k_map(buffer, grid),
        "instances": lambda: instance_map(buffer, grid),
    }
    return {kind: draw[kind]() for kind in kinds}


def legend(buffer: GBuffer, grid: SemanticGrid) -> dict[str, dict[str, list[int]]]:
    """What the colors of `ade20k` and `instances` mean in one scene: name to sRGB, of what its views show."""
    names: dict[str, dict[str, list[int]]] = {"ade20k": {}, "instances": {}}
    for label, row in seen_pairs(buffer)[0].tolist():
        if label:
            index = _class_seen(grid, label, row)
            seen = ADE20K.classes[index]
            names["ade20k"][seen.name if index else "unknown"] = list(seen.color)
            own = index not in STRUCTURE and row
            name = f"{grid.objects[row - 1].id} {grid.objects[row - 1].name}" if own else seen.name
            names["instances"][name] = list(_instance_color(grid, label, row))
    return names


def _class_seen(grid: SemanticGrid, label: int, row: int) -> int:
    return ade20k_class(grid.taxonomy, label, grid.objects[row - 1].name if row else "")


def _instance_color(grid: SemanticGrid, label: int, row: int) -> tuple[int, int, int]:
    index = _class_seen(grid, label, row)
    if row and index not in STRUCTURE:
        return _hue(grid.objects[row - 1].id, 0.85, 1.0)
    return _hue(index or 1000 + label, 0.6, 0.5)


def _hue(number: int, saturation: float, value: float) -> tuple[int, int, int]:
    """The color of a number: hues a golden section apart, so that consecutive numbers differ most."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN_RATIO % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _painted(buffer: GBuffer, color: Callable[[int, int], tuple[int, int, int]]) -> Tensor:
    pairs, index = seen_pairs(buffer)
    table = torch.tensor([color(*pair) for pair in pairs.tolist()], dtype=torch.float32, device=index.device) / 255
    return table[index].movedim(-1, 1).contiguous()


def _thinned(values: Tensor) -> Tensor:
    """At most a million values, evenly spread: more than `torch.quantile` takes at once changes no percentile."""
    return values[:: -(-len(values) // 1_000_000)]
