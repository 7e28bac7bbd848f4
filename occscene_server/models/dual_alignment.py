"""MDA, the Mamba-based dual alignment of OccScene: what an occupancy means for every latent pixel of every view.

After arXiv 2412.11183, figure 3: cross-view camera encoding, then sequential feature encoding. The paper prints no
formulas; the sizes, the taps that stand for the deformable convolution, and the way back to pixels are our choices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from occscene.grid import UNKNOWN
from torch import Tensor, nn

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.frustum import (
    depth_planes,
    frustum_points,
    frustum_taps,
    pad_outside,
    tap_positions,
)
from occscene_server.geometry.grids import VolumeTensors
from occscene_server.models.mamba2 import BidirectionalMamba2

_RAY_FREQUENCIES = 4
_POINT_FREQUENCIES = 6
_SHARPNESS = 1 / (2 * 0.35**2)  # taps about a third of a cell from the offset still count


class MambaDualAlignment(ModelMixin, ConfigMixin):
    """Turns an occupancy into feature maps aligned with the latents of all views.

    Args:
        num_classes: classes of the taxonomy, empty included.
        out_channels: channels of the feature maps.
        frustum_channels: channels of a frustum cell.
        model_channels: channels of the sequence.
        state_size: Mamba-2's state.
        num_layers: bidirectional Mamba-2 layers.
        num_planes: depth planes, a multiple of `patch_size[0]`.
        near, far: meters, the reach of the planes.
        patch_size: planes, rows and columns of a patch of the sequence.
        zero_init: the output is zero until trained, for a trunk that is already trained; else it is normalised.
    """

    @register_to_config
    def __init__(
        self,
        num_classes: int = 12,
        out_channels: int = 32,
        frustum_channels: int = 16,
        model_channels: int = 96,
        state_size: int = 32,
        num_layers: int = 1,
        num_planes: int = 24,
        near: float = 0.3,
        far: float = 8.0,
        patch_size: Sequence[int] = (6, 4, 4),
        zero_init: bool = False,
    ) -> None:
        """Raises a ValueError if the planes cannot be divided into patches."""
        super().__init__()
        depth_patch, row_patch, column_patch = patch_size
        self.patch_size = (depth_patch, row_patch, column_patch)
        self.num_classes, self.num_planes, self.near, self.far = num_classes, num_planes, near, far
        if num_planes % depth_patch:
            raise ValueError(f"num_planes is {num_planes}; it must be a multiple of patch_size[0], {depth_patch}")
        # Rows: the classes, unknown, the null of dropped scenes; then zeros for outside the volume.
        self.class_embedding = nn.Parameter(torch.randn(num_classes + 2, frustum_channels))
        self.ray_encoder = nn.Sequential(nn.Linear(6 * (1 + 2 * _RAY_FREQUENCIES), 64), nn.SiLU())
        self.ray_gain = nn.Linear(64, frustum_channels)
        self.tap_offsets = nn.Linear(64, 3 * num_planes)
        nn.init.zeros_(self.tap_offsets.weight)
        nn.init.zeros_(self.tap_offsets.bias)
        nn.init.ones_(self.ray_gain.bias)

        self.patch_embedding = nn.Linear(math.prod(patch_size) * frustum_channels, model_channels)
        self.position_embedding = nn.Linear(3 * (1 + 2 * _POINT_FREQUENCIES), model_channels)
        self.norms = nn.ModuleList(nn.LayerNorm(model_channels) for _ in range(num_layers))
        self.layers = nn.ModuleList(
            BidirectionalMamba2(model_channels, d_state=state_size, headdim=32) for _ in range(num_layers)
        )
        depth_tokens = num_planes // depth_patch
        self.unpatch = nn.Linear(depth_tokens * model_channels, row_patch * column_patch * out_channels)
        self.skip = nn.Linear(num_planes * frustum_channels, out_channels)
        self.out_proj = nn.Conv2d(out_channels, out_channels, 1)
        self.out_norm = nn.Identity() if zero_init else nn.GroupNorm(math.gcd(8, out_channels), out_channels)
        if zero_init:
            for parameter in self.out_proj.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self,
        occupancy: Tensor,
        cameras: CameraTensors,
        volume: VolumeTensors,
        size: tuple[int, int],
        dropped: Tensor | None = None,
        view_positions: Tensor | None = None,
    ) -> Tensor:
        """Encodes the occupancy for every view.

        Args:
            occupancy: (B, X, Y, Z) uint8 labels, or (B, num_classes, X, Y, Z) probabilities, through which gradients
                pass; labels and their one-hot probabilities give the same result.
            cameras: B scenes of V views.
            volume: where the occupancy lies.
            size: (h, w), rows and columns of the latents.
            dropped: *optional*, (B,) bool: scenes whose occupancy is replaced by a learned null.
            view_positions: *optional*, (B, V): the views' order in the sequence, defaults to the order given.
                Permuting views and positions together permutes the output.

        Returns:
            (B, V, out_channels, h, w).
        """
        rows, columns = (-(-side // patch) for side, patch in zip(size, self.patch_size[1:], strict=True))
        features = self.camera_features(occupancy, cameras, volume, size, dropped)  # (B, V, h, w, D, E)
        tokens = self._patch_tokens(features) + self._patch_positions(cameras, volume, size)  # (B, V, D', h', w', M)
        mixed = self._mix(tokens, view_positions)  # (B, V, D', h', w', M)

        batch, views = mixed.shape[:2]
        _, row_patch, column_patch = self.patch_size
        pixels = self.unpatch(mixed.permute(0, 1, 3, 4, 2, 5).flatten(4))  # (B, V, h', w', rp * cp * out)
        pixels = pixels.view(batch * views, rows, columns, row_patch, column_patch, -1).transpose(2, 3)
        pixels = pixels.reshape(batch * views, rows * row_patch, columns * column_patch, -1)
        skipped = self.skip(features.flatten(4)).flatten(0, 1)  # what the depths hold
        maps = (pixels[:, : size[0], : size[1]] + skipped).permute(0, 3, 1, 2)
        return self.out_norm(self.out_proj(maps)).unflatten(0, (batch, views))

    def camera_features(
        self,
        occupancy: Tensor,
        cameras: CameraTensors,
        volume: VolumeTensors,
        size: tuple[int, int],
        dropped: Tensor | None = None,
    ) -> Tensor:
        """Cross-view camera encoding: features of the frustum cells of every view, (B, V, h, w, D, E).

        A cell's taps are weighted by their distance to a learned offset, bounded by half a cell and predicted from
        the ray: a deformable convolution that can be learned though labels are discrete, and affects its own cell only.
        """
        batch, views = cameras.intrinsics.shape[:2]
        rays = self.ray_encoder(self._ray_features(cameras, volume, size))  # (B, V, h*w, 64)
        offsets = (torch.tanh(self.tap_offsets(rays)) / 2).view(-1, 3)  # (B*V*h*w*D, 3)
        taps = tap_positions(offsets.device).to(offsets.dtype)
        # -|tap - offset|^2 less the part that all taps share; taps come first, where a softmax is fast
        closeness = (2 * _SHARPNESS * taps) @ offsets.T - _SHARPNESS * taps.square().sum(-1, keepdim=True)
        weights = closeness.softmax(0).to(offsets.dtype).T  # (B*V*h*w*D, TAPS)
        voxels = frustum_taps(cameras, volume, size, self.near, self.far, self.num_planes)
        cells = self._weighted_embeddings(occupancy, voxels, weights, dropped)
        cells = cells.view(batch, views, *size, self.num_planes, -1)
        return cells * self.ray_gain(rays).view(batch, views, *size, 1, -1).to(cells.dtype)

    def _weighted_embeddings(
        self, occupancy: Tensor, voxels: Tensor, weights: Tensor, dropped: Tensor | None
    ) -> Tensor:
        """Sums over the taps of a cell (cells, E), of the embeddings at `voxels` (..., TAPS) by weights (cells, TAPS).

        Labels share one small table, so that a cell is the weight of each class times that table, and its gradient a
        product of matrices; with probabilities every voxel has an embedding of its own.
        """
        embedding = self.class_embedding
        unknown, null, outside = (self.num_classes + i for i in range(3))
        if occupancy.dtype == torch.uint8:
            labels = occupancy.masked_fill(occupancy == UNKNOWN, unknown)
            if dropped is not None:
                labels = labels.masked_fill(dropped[:, None, None, None], null)
            rows = pad_outside(labels, outside).flatten()[voxels].transpose(2, 3).reshape(weights.shape).long()
            shares = weights.new_zeros(len(rows), outside + 1).scatter_add_(1, rows, weights)
            return shares @ F.pad(embedding, (0, 0, 0, 1)).to(shares.dtype)
        table = torch.einsum("bcxyz,ce->exyzb", occupancy.to(embedding.dtype), embedding[:unknown])
        if dropped is not None:
            table = torch.where(dropped, embedding[null][:, None, None, None, None], table)
        table = pad_outside(table.permute(0, 4, 1, 2, 3), 0).permute(1, 2, 3, 4, 0).flatten(0, 3)  # (voxels, E)
        rows = voxels.transpose(2, 3).reshape(weights.shape)
        return F.embedding_bag(rows, table, per_sample_weights=weights.to(table.dtype), mode="sum")

    def _ray_features(self, cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int]) -> Tensor:
        """Origins and directions of the rays in the grid's frame as Fourier features, (B, V, h*w, 6 * 9)."""
        origins, directions = pixel_rays(cameras, volume, size)
        sides = torch.tensor(volume.shape, device=origins.device)
        origins = (2 * origins - sides) / sides.max()
        directions = F.normalize(directions, dim=-1)
        rays = torch.cat([origins[:, :, None, None].expand_as(directions), directions], -1).flatten(2, 3)
        return octave_features(rays, _RAY_FREQUENCIES).to(self.dtype)

    def _patch_tokens(self, features: Tensor) -> Tensor:
        """The 3D patch embedding: (B, V, h, w, D, E) to (B, V, D', h', w', M)."""
        depth, rows, columns = self.patch_size
        weight = self.patch_embedding.weight.unflatten(1, (depth, rows * columns, -1)).transpose(1, 2).flatten(1)
        features = F.pad(features, (0, 0, 0, 0, 0, -features.shape[3] % columns, 0, -features.shape[2] % rows))
        patches = features.unflatten(4, (-1, depth)).unflatten(3, (-1, columns)).unflatten(2, (-1, rows))
        patches = patches.permute(0, 1, 6, 2, 4, 3, 5, 7, 8).flatten(5)  # whole runs of depths are copied
        return F.linear(patches, weight, self.patch_embedding.bias)

    def _patch_positions(self, cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int]) -> Tensor:
        """An embedding of the patches' centers in the grid's frame, (B, V, D', h', w', M)."""
        depth_patch, row_patch, column_patch = self.patch_size
        padded = (size[0] + -size[0] % row_patch, size[1] + -size[1] % column_patch)
        depths = depth_planes(self.near, self.far, self.num_planes // depth_patch, volume.voxel_size.device)
        # Padding extends the image on its right and bottom: the same rays, seen by a larger sensor.
        extended = CameraTensors(
            cameras.scaled_intrinsics(size), cameras.world_from_camera, height=padded[0], width=padded[1]
        )
        patches = (padded[0] // row_patch, padded[1] // column_patch)
        points = frustum_points(extended, volume, patches, depths)  # voxels
        sides = torch.tensor(volume.shape, device=points.device)
        return self.position_embedding(
            octave_features((2 * points - sides) / sides.max(), _POINT_FREQUENCIES).to(self.dtype)
        )

    def _mix(self, tokens: Tensor, view_positions: Tensor | None) -> Tensor:
        """Sequential feature encoding: one sequence of all views (view, depth, row, column), mixed both ways."""
        if view_positions is not None:
            order = view_positions.argsort(dim=1, stable=True)
            scenes = torch.arange(len(order), device=order.device)[:, None]
            tokens = tokens[scenes, order]
        sequence = tokens.flatten(1, 4)  # (B, V*D'*h'*w', M)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            sequence = sequence + layer(norm(sequence))
        mixed = sequence.view_as(tokens)
        return mixed if view_positions is None else mixed[scenes, order.argsort(dim=1)]


def octave_features(values: Tensor, frequencies: int) -> Tensor:
    """Values (..., n) with their sines and cosines at octaves from half a turn, (..., n * (1 + 2 * frequencies))."""
    angles = math.pi * values[..., None] * 2.0 ** torch.arange(frequencies, device=values.device)
    return torch.cat([values, angles.sin().flatten(-2), angles.cos().flatten(-2)], dim=-1)
