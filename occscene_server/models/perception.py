"""Perception: posed images, and an artist's blockout if there is one, to a class for every voxel.

Image features are lifted along the lines of sight (FLoSP) and refined by a 3D UNet, as in MonoScene (Cao and
de Charette, CVPR 2022, arXiv 2112.00726, sections 3.1 and 3.2). OccScene's own additions: the deviation of a feature
across views in addition to its mean (what lies on a surface looks the same from everywhere, what lies before it does
not); the class and depth that the image encoder gives every pixel, which say where along its line of sight a feature
belongs; and the blockout, which is both an input and the point from which the prediction departs, for each voxel and
for each pixel that sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from occscene.grid import UNKNOWN
from torch import Tensor, nn

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors, VolumeTensors
from occscene_server.geometry.lifting import lift, lift_surfaces

PIXEL_INPUTS = 3 * 4**2
"""Channels of the image encoder's first inputs, the colors of 4 x 4 pixels; what is drawn of the blockout follows."""
_CUES = 2
"""Channels of `_cues`."""
_SURFACE_CUES = 4
"""Channels of `lift_surfaces`."""
_TYPICAL_LOG_DEPTH = 1.0
"""Log depth that an untrained network predicts: 2.7 m."""
_SOFTENING = 0.1
"""Keeps the gradient of a standard deviation finite where it is zero, as for voxels that one view sees."""
_NEIGHBORS = ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2))
"""Of voxel (1, 1, 1)."""
_NEIGHBOR_SHARE = 0.45
"""Weight of the mean of its six neighbors in a voxel's class probabilities; below a half, so that a certain one stays.
On 40 validation rooms that leaves 69 % of the voxels that touch two others at most, and raises mIoU by .0006."""


@dataclass(frozen=True)
class ImageFeatures:
    """Features and per-pixel predictions of the image encoder for B scenes of V images.

    Args:
        fine, coarse: features, (B, V, fine, h/4, w/4) and (B, V, coarse, h/8, w/8).
        class_logits: (B, V, classes, h/4, w/4) of what each pixel sees first.
        log_depth: (B, V, h/4, w/4) of it, logarithm of meters along the camera's z axis.
    """

    fine: Tensor
    coarse: Tensor
    class_logits: Tensor
    log_depth: Tensor


class OccupancyPerception(ModelMixin, ConfigMixin):
    """Posed images to class logits of every voxel of a grid of any size.

    Args:
        classes: of the taxonomy, empty included.
        image_channels: widths of the image encoder at 1/4, 1/8 and 1/16 of the image's size.
        fine_channels: image features lifted to every voxel.
        coarse_channels: image features lifted to voxels twice as large, where most of the work is done.
        volume_channels: widths of the 3D UNet at 1/2, 1/4 and 1/8 of the grid's size.
        detail_channels: width at the grid's own size; 0 for no layers there, where a street has 2 million voxels: then
            each voxel of half the grid's size takes in the eight classes within it and predicts eight.
    """

    size_multiple = 16
    """Sides of images must be multiples of this, pixels."""

    @register_to_config
    def __init__(
        self,
        classes: int = 12,
        image_channels: Sequence[int] = (48, 80, 112),
        fine_channels: int = 16,
        coarse_channels: int = 48,
        volume_channels: Sequence[int] = (64, 80, 96),
        detail_channels: int = 16,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.image_encoder = ImageEncoder(classes + 2, image_channels, fine_channels, coarse_channels)
        low, detailed = volume_channels[0], detail_channels > 0
        if detailed:
            self.embedding = nn.Embedding(classes + 1, detail_channels)  # the last row: unknown
        else:
            self.sub_voxels = nn.EmbeddingBag(8 * (classes + 1), low, mode="sum")  # a table for each of the eight
        self.pixel_head = nn.Conv2d(fine_channels, classes + 1, 1)  # class and depth of a pixel that sees no blockout
        self.pixel_change = nn.Conv2d(fine_channels, classes + 1, 1)  # how far they are from the blockout that it sees
        lifted = 2 * fine_channels + _CUES + _SURFACE_CUES + detail_channels
        self.gather_fine = HalvingConv3d(lifted, low, 2) if detailed else nn.Conv3d(lifted, low, 1)
        self.gather_coarse = nn.Conv3d(2 * coarse_channels + _CUES, low, 1)
        self.unet = VolumeUNet(volume_channels)
        if detailed:
            self.spread = nn.ConvTranspose3d(low, detail_channels, 2, stride=2)
            self.details = nn.Conv3d(lifted, detail_channels, 1)
            self.refine = NormalizedBlock(nn.Conv3d, detail_channels)
        self.head = nn.Conv3d(detail_channels, classes, 1) if detailed else nn.Conv3d(low, 8 * classes, 1)
        self._initialize()
        self.blockout_scale = nn.Parameter(torch.tensor(4.0))

    def _initialize(self) -> None:
        """Keeps the signal's size from layer to layer; the head starts small."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d):
                assert module.bias is not None
                nn.init.zeros_(module.bias)
                fan_in = module.weight[0].numel() if not module.transposed else module.in_channels
                nn.init.normal_(module.weight, std=(2.0 / fan_in) ** 0.5)
        for module in self.modules():
            if isinstance(module, NormalizedBlock):  # the identity at the start
                last = module.layers[-1]
                assert isinstance(last, nn.Conv2d | nn.Conv3d)
                nn.init.zeros_(last.weight)
        # the untrained net gives the blockout back: its own logits are small against the blockout's
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.pixel_change.weight)

    def forward(
        self, images: Tensor, cameras: CameraTensors, volume: VolumeTensors, blockout: Tensor | None = None
    ) -> Tensor:
        """Predicts the classes of a grid.

        On CPUs that multiply bfloat16 in hardware, run it under autocast: 3D convolutions take half the time there.

        Args:
            images: (B, V, 3, height, width) in [-1, 1], sides multiples of `size_multiple`.
            cameras: of the images.
            volume: the grid to fill, of any number of voxels.
            blockout: (B, X, Y, Z) uint8 classes that the artist placed, `UNKNOWN` (255) where nothing is known;
                None is unknown everywhere.

        Returns:
            Logits (B, classes, X, Y, Z) float32.
        """
        return self.decode_volume(self.encode_images(images, cameras, volume, blockout), cameras, volume, blockout)

    def encode_images(
        self, images: Tensor, cameras: CameraTensors, volume: VolumeTensors, blockout: Tensor | None = None
    ) -> ImageFeatures:
        """Encodes images together with the blockout rendered to their pixels; arguments as of `forward`."""
        batch, views, _, height, width = images.shape
        drawn = images.new_zeros(batch, views, self.classes + 2, height // 4, width // 4)
        if blockout is not None:
            drawn = self._draw(blockout, cameras, volume, (height // 4, width // 4))
        drawn = drawn.flatten(0, 1)
        fine, coarse = self.image_encoder(images.flatten(0, 1), drawn)
        placed, known = drawn[:, :-1], drawn[:, -1:] > 0
        trust = torch.cat([self.blockout_scale.expand(self.classes), self.blockout_scale.new_ones(1)])
        changed = placed * trust[:, None, None] + self.pixel_change(fine).float()
        pixels = torch.where(known, changed, self.pixel_head(fine).float())
        maps = (fine, coarse, pixels[:, : self.classes], pixels[:, self.classes] + _TYPICAL_LOG_DEPTH)
        return ImageFeatures(*(m.unflatten(0, (batch, views)) for m in maps))

    @torch.no_grad()
    def _draw(self, blockout: Tensor, cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int]) -> Tensor:
        """What maps of `size` see of a blockout, (B, V, classes + 2, *size): class, log depth above typical, and one.

        A pixel that sees nothing of it holds zeros.
        """
        no_hints = torch.zeros(len(blockout), 1, 4, device=blockout.device)
        grid = GridTensors(blockout, None, no_hints, volume.voxel_size, volume.world_from_grid)
        seen = render_gbuffer_maps(grid, cameras, size, self.classes)
        known = seen.depth.isfinite()
        log_depth = torch.where(known, seen.log_depth - _TYPICAL_LOG_DEPTH, 0.0)
        classes = seen.channels[:, :, : self.classes] * known[:, :, None]
        return torch.cat([classes, log_depth[:, :, None], known[:, :, None]], 2)

    def decode_volume(
        self, seen: ImageFeatures, cameras: CameraTensors, volume: VolumeTensors, blockout: Tensor | None = None
    ) -> Tensor:
        """Fills a grid from encoded images; arguments and result as of `forward`."""
        x, y, z = (side + side % 2 for side in volume.shape)
        even = VolumeTensors((x, y, z), volume.voxel_size, volume.world_from_grid)
        rows = self._rows(blockout, (len(seen.fine), *volume.shape))
        padding = [pad for side in reversed(volume.shape) for pad in (0, side % 2)]
        padded = F.pad(rows, padding, value=self.classes)
        coarse = self.gather_coarse(_lift_statistics(seen.coarse, cameras, even.coarser(2)))
        decode = self._decode_full_size if self.config.detail_channels else self._decode_half_size
        own = decode(seen, cameras, even, padded, coarse)
        own = own[:, :, : volume.shape[0], : volume.shape[1], : volume.shape[2]].float()
        classes = torch.arange(self.classes, device=rows.device)[:, None, None, None]
        return torch.addcmul(own, self.blockout_scale, (rows[:, None] == classes).float())

    def _decode_full_size(
        self, seen: ImageFeatures, cameras: CameraTensors, volume: VolumeTensors, rows: Tensor, coarse: Tensor
    ) -> Tensor:
        """The network's own logits (B, classes, X, Y, Z); details are added at the grid's own size."""
        placed = self.embedding(rows).movedim(-1, 1)
        full = torch.cat([_lift_fine(seen, cameras, volume), placed], 1)
        half = self.gather_fine(full) + coarse
        full = self.spread(F.relu(self.unet(half))) + self.details(full)
        logits: Tensor = self.head(F.relu(self.refine(full)))
        return logits

    def _decode_half_size(
        self, seen: ImageFeatures, cameras: CameraTensors, volume: VolumeTensors, rows: Tensor, coarse: Tensor
    ) -> Tensor:
        """The same where all layers have half the grid's size: no voxel of the blockout is lost, each is an input."""
        eight = _fold(rows[:, None])  # (B, 8, X/2, Y/2, Z/2)
        eight = eight + (self.classes + 1) * torch.arange(8, device=rows.device)[:, None, None, None]
        bags = eight.movedim(1, -1)
        placed = self.sub_voxels(bags.flatten(0, 3)).unflatten(0, bags.shape[:4]).movedim(-1, 1)
        half = self.gather_fine(_lift_fine(seen, cameras, volume.coarser(2))) + coarse + placed
        return _unfold(self.head(F.relu(self.unet(half))))

    def _rows(self, blockout: Tensor | None, shape: tuple[int, ...]) -> Tensor:
        """The row of `embedding` that each voxel takes, (B, X, Y, Z) int64."""
        if blockout is None:
            return torch.full(shape, self.classes, device=self.device)
        rows = blockout.long()
        return torch.where(rows == UNKNOWN, self.classes, rows)


def classify_voxels(logits: Tensor) -> Tensor:
    """Logits (B, classes, X, Y, Z) to the likeliest classes (B, X, Y, Z) uint8, smoothed.

    argmax_c of (1 - w) p_c + w mean_n p_c(n) over the six neighbors n, w = `_NEIGHBOR_SHARE`.
    """
    x, y, z = logits.shape[2:]
    own = logits.float().softmax(dim=1)
    padded = F.pad(own, (1,) * 6, mode="replicate")
    parts = (padded[:, :, i : i + x, j : j + y, k : k + z] for i, j, k in _NEIGHBORS)
    neighbors = sum(parts, start=torch.zeros_like(own)) / len(_NEIGHBORS)  # one by one: a street has many voxels
    return own.lerp(neighbors, _NEIGHBOR_SHARE).argmax(dim=1).to(torch.uint8)


class ImageEncoder(nn.Module):
    """Images (N, 3, h, w) and maps (N, drawn, h/4, w/4) to features (N, fine, h/4, w/4) and (N, coarse, h/8, w/8)."""

    def __init__(self, drawn: int, channels: Sequence[int], fine: int, coarse: int) -> None:
        super().__init__()
        low, middle, high = channels
        self.quarter = nn.Sequential(
            nn.Conv2d(PIXEL_INPUTS + drawn, low, 3, padding=1),
            NormalizedBlock(nn.Conv2d, low),
            NormalizedBlock(nn.Conv2d, low),
        )
        self.eighth = nn.Sequential(
            nn.Conv2d(low, middle, 3, stride=2, padding=1),
            NormalizedBlock(nn.Conv2d, middle),
            NormalizedBlock(nn.Conv2d, middle),
        )
        self.sixteenth = nn.Sequential(
            nn.Conv2d(middle, high, 3, stride=2, padding=1),
            NormalizedBlock(nn.Conv2d, high),
            NormalizedBlock(nn.Conv2d, high),
        )
        self.middle_from_high = nn.Conv2d(high, middle, 1)
        self.low_from_middle = nn.Conv2d(middle, low, 1)
        # without the normalisations the features die: all negative, and the ReLU hides every image from then on
        self.to_fine = nn.Sequential(nn.GroupNorm(8, low), nn.ReLU(), nn.Conv2d(low, fine, 1))
        self.to_coarse = nn.Sequential(nn.GroupNorm(8, middle), nn.ReLU(), nn.Conv2d(middle, coarse, 1))

    def forward(self, images: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Features with context from the coarser sizes added to the finer."""
        low = self.quarter(torch.cat([F.pixel_unshuffle(images, 4), drawn.to(images.dtype)], 1))
        middle = self.eighth(low)
        high = self.sixteenth(middle)
        middle = middle + F.interpolate(self.middle_from_high(high), scale_factor=2.0)
        low = low + F.interpolate(self.low_from_middle(middle), scale_factor=2.0)
        return self.to_fine(low), self.to_coarse(middle)


class HalvingConv3d(nn.Conv3d):
    """A 3D convolution of stride 2.

    Where its result is one voxel high it works in single precision: bfloat16 on AMX gives garbage there (torch 2.13).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, padding: int = 0) -> None:
        super().__init__(inputs, outputs, kernel, stride=2, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, X, Y, Z) to about half the sides."""
        if x.shape[-1] > 2:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class NormalizedBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))) in two or three dimensions; the identity at the start."""

    def __init__(self, convolution: type[nn.Conv2d] | type[nn.Conv3d], channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.ReLU(),
            convolution(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.ReLU(),
            convolution(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same."""
        return x + self.layers(x)


class VolumeUNet(nn.Module):
    """A 3D UNet of three sizes that keeps (B, C, X, Y, Z); any sides."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        low, middle, high = channels
        self.down_low = NormalizedBlock(nn.Conv3d, low)
        self.middle_from_low = HalvingConv3d(low, middle, 3, padding=1)
        self.down_middle = NormalizedBlock(nn.Conv3d, middle)
        self.high_from_middle = HalvingConv3d(middle, high, 3, padding=1)
        self.bottom = NormalizedBlock(nn.Conv3d, high)
        self.middle_from_high = nn.Conv3d(high, middle, 1)
        self.up_middle = NormalizedBlock(nn.Conv3d, middle)
        self.low_from_middle = nn.Conv3d(middle, low, 1)
        self.up_low = NormalizedBlock(nn.Conv3d, low)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, X, Y, Z) to the same."""
        low = self.down_low(x)
        middle = self.down_middle(self.middle_from_low(low))
        high = self.bottom(self.high_from_middle(middle))
        middle = self.up_middle(middle + _enlarged(self.middle_from_high(high), middle))
        return self.up_low(low + _enlarged(self.low_from_middle(middle), low))


def _enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """`coarse` in voxels half as large, cut to the sides of `fine`: an odd side was rounded up when it was halved."""
    x, y, z = fine.shape[2:]
    return F.interpolate(coarse, scale_factor=2.0)[:, :, :x, :y, :z]


def _fold(x: Tensor) -> Tensor:
    """Space to depth: (B, C, X, Y, Z) to (B, C * 8, X/2, Y/2, Z/2)."""
    halves = x.unflatten(4, (-1, 2)).unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (B, C, x, 2, y, 2, z, 2)
    return halves.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def _unfold(x: Tensor) -> Tensor:
    """Depth to space, the inverse of `_fold`."""
    eight = x.unflatten(1, (-1, 2, 2, 2))  # (B, C, 2, 2, 2, x, y, z)
    return eight.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _lift_fine(seen: ImageFeatures, cameras: CameraTensors, volume: VolumeTensors) -> Tensor:
    """What the finer features and the depths of all pixels say of each voxel, (B, C, X, Y, Z) float32."""
    surfaces = lift_surfaces(seen.log_depth, cameras, volume)
    return torch.cat([_lift_statistics(seen.fine, cameras, volume), surfaces], 1)


def _lift_statistics(features: Tensor, cameras: CameraTensors, volume: VolumeTensors) -> Tensor:
    """Mean and deviation of features over the views that see a voxel, and `_cues`, (B, 2 C + 2, X, Y, Z) float32.

    In single precision, because the variance is a difference of large numbers.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        lifted, count = lift(torch.cat([features, features.square()], 2), cameras, volume)
        mean, square = lifted.chunk(2, 1)
        variance = (square - mean.square()).clamp_min(0)
        deviation = (variance + _SOFTENING**2).sqrt() - _SOFTENING
        statistics = torch.cat([mean, deviation, _cues(count, volume)], 1)
    # the layout that `lift` works in, and in which convolutions of kernels 1 and 2 take half the default layout's time
    return statistics.contiguous(memory_format=torch.channels_last_3d)


def _cues(count: Tensor, volume: VolumeTensors) -> Tensor:
    """How many views see a voxel, mapped to 0..1, and how high it lies in the grid, meters, (B, 2, X, Y, Z)."""
    centers = torch.arange(volume.shape[2], device=count.device) + 0.5
    height = (volume.voxel_size.float()[:, None] * centers)[:, None, None].expand(count.shape)
    return torch.stack([count / (count + 1.0), height], 1)
