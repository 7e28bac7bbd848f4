"""Patterns on walls, floors and ceilings, drawn as sharply as pixels allow.

A latent pixel spans 8 x 8 pixels of the image, and what is finer - stripes, the joints of planks, bricks and tiles -
leaves the denoiser broken or blurred. But such a pattern is a function of its kind and of the place on the surface, and
both are known: here textures made of cosine waves are drawn on what each pixel sees, and waves finer than the pixel
fade, as in Mip-NeRF (Barron et al. 2021, arXiv 2103.13415, section 3.1). Which of them, how strongly and in which
colors depends on the prompt and on the generated views themselves, all views of a surface together: what they
agree on is kept as signal, the rest is replaced. OccScene's own; it costs nine thousand parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from occscene_server.geometry.grids import LABELS
from occscene_server.geometry.guidance import Guidance
from occscene_server.geometry.pattern_sizes import COURSE

FREQUENCIES = (0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 18, 20, 24, 28, 30, 32, 36, 40, 48)
"""Waves a metre: those of `geometry.pattern_sizes`, and multiples. Even about a surface's middle."""

ROWS = tuple(order * round(1 / (2 * COURSE)) for order in (1, 2, 3, 5, 6))
"""Waves a metre along a surface that are odd about its middle: every other row of bricks is shifted by half a brick."""

BANDS = 2
"""Parts of a view's own detail: finer than `_FINE`, and coarser."""

_FINE, _BROAD = (2, 3), (4, 5)
"""Pooling and width of the kernel of local means, whose deviations are 2.3 and 8 pixels."""
_BROAD_SIGMA = 8.0
_PIXEL_SIGMA = 0.5
"""Pixels that a renderer's filter blurs by."""
_LEAST_SHARE = 0.5
"""An object is part of its class's surface on a side if its area there is at least this share of the largest one's."""
_FARTHEST = 0.15
"""Metres from pixel to pixel beyond which a surface is too slanted to draw on."""
_DARKEST = 0.03
"""Added to local means before anything is divided by them."""
_RIDGE = 0.002
"""Ridge penalty of the regression of the views on the textures, in units of variance."""
_FAINT = 0.02
"""RMS a up to which a pattern is set to zero; stronger ones are scaled by 1 - (a / RMS)^2. Regression leaves traces of
other rooms' bricks."""
_GRAIN = 0.75
"""Share of the views' own detail, among what the regression removes, that is added back where there is no pattern: the
regressed surface is smoother than any real one. On 60 validation rooms it brings the kernel distance from .33 to
.21."""
_PIXELS_AT_ONCE = 2**15


@dataclass(frozen=True)
class SurfacePixels:
    """The N pixels of one scene that see a surface to draw on, in the order of their classes.

    Args:
        index: (N,) flat places among the pixels (V, h, w) of all views.
        label: (N,) class.
        place: (N, 2) metres on the surface, see `Guidance.surface`.
        span: (N, 2) metres on the surface from a pixel to the next.
        mean: (N, 3) color of the surface around the pixel, in [0, 1].
        detail: (N, 3, `BANDS`) what the pixel differs by, finer and coarser part, as a share of `mean`.
    """

    index: Tensor
    label: Tensor
    place: Tensor
    span: Tensor
    mean: Tensor
    detail: Tensor

    @classmethod
    def gather(cls, views: Tensor, guidance: Guidance, classes: tuple[int, ...]) -> SurfacePixels:
        """Takes the pixels of one scene.

        Args:
            views: (V, 3, h, w) in [0, 1], sides multiples of 4.
            guidance: of the scene, at the views' size.
            classes: whose surfaces are drawn on.
        """
        label, place = guidance.labels[0], guidance.surface[0]
        surface = _large_surfaces(guidance, torch.isin(label, torch.tensor(classes, device=label.device)))
        span = _spans(place, surface)
        fine, broad = (_local_mean(views, surface, *kernel) for kernel in (_FINE, _BROAD))
        index = ((surface >= 0) & (span.amax(1) < _FARTHEST)).flatten().nonzero()[:, 0]
        index = index[label.flatten()[index].argsort(stable=True)]

        def taken(maps: Tensor) -> Tensor:
            return maps.movedim(1, -1).flatten(0, 2)[index]

        mean = taken(broad)
        bands = torch.stack([taken(views - fine), taken(fine - broad)], -1) / (mean + _DARKEST)[..., None]
        return cls(index, label.flatten()[index], taken(place), taken(span), mean, bands)

    def selected(self, rows: Tensor) -> SurfacePixels:
        """Those at ascending `rows`."""
        return SurfacePixels(*(values[rows] for values in vars(self).values()))

    def painted(self, detail: Tensor, views: Tensor) -> Tensor:
        """The views (V, 3, h, w) with other detail (N, 3) on the surfaces, as a share of `mean`."""
        colors = (self.mean + detail * (self.mean + _DARKEST)).clamp(0, 1)
        flat = views.movedim(1, -1).flatten(0, 2).index_copy(0, self.index, colors)
        return flat.view(len(views), *views.shape[2:], 3).movedim(-1, 1)


class SurfaceDetail(ModelMixin, ConfigMixin):
    """Redraws what is finer than some 8 pixels on walls, floors and ceilings.

    Args:
        word_channels: of a class's embedding given the prompt, see `WordPainting.answers`.
        classes: labels of the surfaces to draw on.
        textures: how many there are to mix.
        width: of the layer that chooses them.
    """

    @register_to_config
    def __init__(
        self, word_channels: int = 128, classes: tuple[int, ...] = (1, 2, 3), textures: int = 10, width: int = 32
    ) -> None:
        super().__init__()
        across, along = torch.tensor(FREQUENCIES), torch.tensor(FREQUENCIES + ROWS)
        spread = 0.05 / (1 + 0.1 * (across[:, None] + along))
        self.waves = nn.Parameter(torch.randn(textures, *spread.shape) * spread)
        # of each texture three colors' strengths, and how far what is read off the views counts; of each band by how
        # much it grows
        last = nn.Linear(width, 4 * textures + BANDS)
        nn.init.normal_(last.weight, std=0.03)
        self.mixture = nn.Sequential(nn.Linear(word_channels, width), nn.SiLU(), last)

    @torch.no_grad()
    def forward(self, images: Tensor, guidance: Guidance, words: Tensor) -> Tensor:
        """Draws.

        Args:
            images: (B, V, 3, h, w) in [-1, 1], sides multiples of 4.
            guidance: of the same scenes, at the images' size.
            words: (B, label, word_channels), the embedding of every class given the prompt.

        Returns:
            Images like the given ones.
        """
        result = []
        for scene, views in enumerate((images.float() + 1) / 2):
            pixels = SurfacePixels.gather(views, guidance.scene(scene), tuple(self.config.classes))
            result.append(pixels.painted(self.detail(pixels, words[scene], drawn=True), views))
        return torch.stack(result) * 2 - 1

    def detail(self, pixels: SurfacePixels, words: Tensor, drawn: bool = False) -> Tensor:
        """The detail (N, 3) of one scene's pixels from the words for every class, (label, word_channels).

        It is the likeliest; to be `drawn`, faint patterns are left out and more of the views' own detail stays instead.
        """
        with torch.autocast(words.device.type, enabled=False):
            labels, counts = pixels.label.unique_consecutive(return_counts=True)
            rows = torch.arange(len(pixels.label), device=words.device).split(counts.tolist())
            mixtures = self.mixture(words.to(self.dtype)).float()[labels]
            classes = zip(rows, mixtures, strict=True)
            parts = [self._detail_of_class(pixels.selected(one), mixture, drawn) for one, mixture in classes]
            return torch.cat([mixtures.new_zeros(0, 3), *parts])

    def _detail_of_class(self, pixels: SurfacePixels, mixture: Tensor, drawn: bool) -> Tensor:
        """Of one class: textures from the prompt and from the views, plus the share of the views that is kept.

        T (d + k o) + D (1 + s), where T are the textures, D the views' bands of detail, d and k from the prompt, and
        o = (T'T / n + `_RIDGE` I)^-1 T'D 1 / n is the ridge regression of the views on the textures.
        """
        count = len(self.waves)
        described, trust, kept = (
            mixture[: 3 * count].view(count, 3),
            mixture[3 * count : 4 * count],
            mixture[4 * count :],
        )
        batches = zip(pixels.place.split(_PIXELS_AT_ONCE), pixels.span.split(_PIXELS_AT_ONCE), strict=True)
        textures = torch.cat([self._draw(place, span) for place, span in batches])
        overlap = textures.T @ textures / len(textures) + _RIDGE * torch.eye(count, device=textures.device)
        observed = torch.linalg.solve(overlap, textures.T @ pixels.detail.sum(2) / len(textures))
        pattern = textures @ (described + trust[:, None] * observed)
        if drawn:
            faint = _FAINT**2 / pattern.square().mean().clamp_min(_FAINT**2)
            pattern, kept = (1 - faint) * pattern, (1 - faint * _GRAIN) * kept
        return pattern + pixels.detail @ (1 + kept)

    def _draw(self, place: Tensor, span: Tensor) -> Tensor:
        """The textures (N, textures) at places (N, 2), without what is as broad as `SurfacePixels.mean`."""
        result = place.new_zeros(())
        for sign, sigma in ((1, _PIXEL_SIGMA), (-1, _BROAD_SIGMA)):
            across = _waves(place[:, 0], sigma * span[:, 0], FREQUENCIES)
            along = _waves(place[:, 1], sigma * span[:, 1], FREQUENCIES, ROWS)
            result = result + sign * torch.stack([((across @ one) * along).sum(1) for one in self.waves.float()], 1)
        return result


def _waves(place: Tensor, blur: Tensor, even: tuple[int, ...], odd: tuple[int, ...] = ()) -> Tensor:
    """Cosines and sines (N, waves) at places (N,) in meters, under Gaussian blurs of deviation (N,) in meters."""
    turns = 2 * math.pi * torch.tensor(even + odd, dtype=place.dtype, device=place.device)
    phase = turns.new_tensor([0.0] * len(even) + [math.pi / 2] * len(odd))
    return (place[:, None] * turns - phase).cos() * (-0.5 * (blur[:, None] * turns).square()).exp()


def _large_surfaces(guidance: Guidance, drawn: Tensor) -> Tensor:
    """Numbers (V, h, w) of the large surfaces of one scene among the pixels `drawn`, -1 elsewhere.

    A surface is one side of one object. Large is the one of which most is seen on that side of its class, and those
    nearly as large: a rug is no part of the floor.
    """
    sides = (guidance.labels[0] * 6 + guidance.face[0])[drawn]
    objects = guidance.objects[0][drawn]
    surfaces, row = (sides * (int(guidance.objects.max()) + 1) + objects).unique(return_inverse=True)
    place = guidance.surface[0].movedim(1, -1)[drawn]
    rows = row[:, None].expand(-1, 2)
    nothing = place.new_zeros(len(surfaces), 2)
    low, high = (nothing.scatter_reduce(0, rows, place, how, include_self=False) for how in ("amin", "amax"))
    extent = (high - low).prod(1)
    side = torch.zeros_like(surfaces).scatter_(0, row, sides)
    largest = extent.new_zeros(6 * LABELS).scatter_reduce(0, side, extent, "amax")
    large = (extent >= _LEAST_SHARE * largest[side])[row]
    result = torch.full_like(guidance.labels[0], -1)
    result[drawn] = torch.where(large, row, -1)
    return result


def _spans(place: Tensor, surface: Tensor) -> Tensor:
    """How far places (V, 2, h, w) move from a pixel to the next of its surface (V, h, w); inf where there is none."""
    squares = torch.zeros_like(place)
    for dim, before, after in ((2, (0, 0, 1, 0), (0, 0, 0, 1)), (3, (1, 0), (0, 1))):
        same = (torch.diff(surface, dim=dim - 1) == 0)[:, None]
        step = torch.where(same, torch.diff(place, dim=dim).abs(), torch.inf)
        squares += torch.minimum(F.pad(step, before, value=torch.inf), F.pad(step, after, value=torch.inf)).square()
    return squares.sqrt()


def _local_mean(views: Tensor, surface: Tensor, pooling: int, kernel: int) -> Tensor:
    """The mean of views (V, 3, h, w) around each pixel of a surface (V, h, w), over that surface only.

    Twice a box filter of `kernel` cells of `pooling` pixels, in between bilinear; elsewhere the views as they are.
    """
    result = views.clone()
    rows, columns = views.shape[2] // pooling, views.shape[3] // pooling
    for view, numbers in enumerate(surface):
        y, x = (numbers >= 0).nonzero(as_tuple=True)
        if not len(y):
            continue
        number = numbers[y, x].unique(return_inverse=True)[1]
        colors = torch.cat([views[view][:, y, x].T, views.new_ones(len(y), 1)], 1)
        first = number * rows * columns
        cells = views.new_zeros((int(number.max()) + 1) * rows * columns, 4)
        cells.index_add_(0, first + y // pooling * columns + x // pooling, colors)
        maps = cells.view(-1, rows, columns, 4).movedim(-1, 1)
        for _ in range(2):
            maps = F.avg_pool2d(maps, kernel, 1, kernel // 2)
        cells = maps.movedim(1, -1).reshape(-1, 4)
        down, right = (((place + 0.5) / pooling - 0.5).clamp(min=0) for place in (y, x))
        sums = torch.zeros_like(colors)
        for row, row_share in ((down.long(), 1 - down.frac()), (down.long() + 1, down.frac())):
            for column, share in ((right.long(), 1 - right.frac()), (right.long() + 1, right.frac())):
                corner = first + row.clamp(max=rows - 1) * columns + column.clamp(max=columns - 1)
                sums += (row_share * share)[:, None] * cells[corner]
        result[view][:, y, x] = (sums[:, :3] / sums[:, 3:].clamp_min(1e-6)).T
    return result
