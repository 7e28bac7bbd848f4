"""Views at any size: the image that denoiser and perception work on, and the one that the guided decoder draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.guided_upsampling import averaged_within, upsampled_within
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.geometry.view_noise import surface_fixed_noise
from occscene_server.models.denoiser import GBUFFER_CELLS, OccSceneDenoiser
from occscene_server.models.guided_decoder import PIXEL_MULTIPLE, GuidedDecoder
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.guided_decoding import (
    decode_guided,
    object_tables,
    own_colored,
    scene_words,
    shown_rows,
)
from occscene_server.pipelines.named_colors import one_color, with_named_colors
from occscene_server.pipelines.output import OccSceneOutput, stacked, to_uint8
from occscene_server.pipelines.scene_inputs import PlacedScenes, SceneInputs, check_prompts, padded
from occscene_server.pipelines.start_views import KnownViews
from occscene_server.pipelines.sun import SunAngles
from occscene_server.pipelines.sun_shading import sun_factors, sunlit, without_sun
from occscene_server.pipelines.text_to_scene import LayoutDraft
from occscene_server.pipelines.weather import Weather

SENSOR_SIDE = 256
"""Pixels along the longer side of what denoiser and perception see of an image that the guided decoder draws: as in
training, whatever the image's size, so that a seed gives one scene at all sizes."""

_SEEDS = 2**31


@dataclass(frozen=True)
class Sensor:
    """The image size that denoiser and perception work on.

    Args:
        size: (height, width) in pixels; it goes on to the right and down where networks need other sides.
        picture: (height, width) in pixels of the top left part that is the image.
        scale: its pixels in a pixel of the image.
    """

    size: tuple[int, int]
    picture: tuple[int, int]
    scale: float


class GuidedViewsMixin:
    """The pipeline's methods for image sizes and the guided decoder."""

    if TYPE_CHECKING:
        guided_decoder: GuidedDecoder | None
        vae: Any
        denoiser: OccSceneDenoiser
        perception: OccupancyPerception
        text_encoder: Any
        tokenizer: Any
        config: Any
        vae_scale_factor: int
        _execution_device: torch.device

        def maybe_free_model_hooks(self) -> None: ...  # noqa: D102

    def sensor(self, height: int, width: int) -> Sensor:
        """The sensor for views of a size: the same size, or `SENSOR_SIDE` with a guided decoder."""
        scale = 1.0 if self.guided_decoder is None else SENSOR_SIDE / max(height, width)
        picture = max(1, round(height * scale)), max(1, round(width * scale))
        multiple = math.lcm(self.vae_scale_factor * self.denoiser.size_multiple, self.perception.size_multiple)
        rows, columns = (-(-side // multiple) * multiple for side in picture)
        return Sensor((rows, columns), picture, scale)

    @torch.no_grad()
    def draw_draft(
        self,
        prompt: str | list[str],
        cameras: Sequence[PinholeCamera] | Sequence[Sequence[PinholeCamera]],
        grid: SemanticGrid | Sequence[SemanticGrid] | None = None,
        *,
        finer: SemanticGrid | Sequence[SemanticGrid] | None = None,
        meshes: TriangleMesh | Sequence[TriangleMesh | None] | None = None,
        drafts: Sequence[LayoutDraft] | None = None,
        seed: int = 0,
        sun_elevation: float | None = None,
        sun_azimuth: float | None = None,
    ) -> OccSceneOutput:
        """Draws scenes from shapes and words only, in one pass, without denoising and perception.

        Args:
            prompt, cameras, grid, finer, meshes, seed, sun_elevation, sun_azimuth: as in a call of the pipeline.
            drafts: layouts in place of blockouts, one a prompt.

        Returns:
            Images as uint8, and what they show: the blockouts, with parts in place of boxes where there are any.

        Raises:
            ValueError: there is no guided decoder, nothing to show, or an argument is outside its limits.
        """
        if self.guided_decoder is None:
            raise ValueError("this model has no guided decoder, which draws drafts; choose full quality")
        check_prompts(prompt, "")
        prompts = [prompt] if isinstance(prompt, str) else prompt
        if drafts is not None:
            grid = [draft.boxes for draft in drafts]
            finer, meshes = [draft.grid for draft in drafts], [draft.mesh for draft in drafts]
        if grid is None:
            raise ValueError("neither grid nor drafts are given; a draft shows what a blockout or a layout says")
        taxonomy = self.config.taxonomy
        inputs = SceneInputs.gather(len(prompts), cameras, grid, None, taxonomy, taxonomy, finer, meshes)
        inputs = inputs.lit(prompts, seed, SunAngles(sun_elevation, sun_azimuth))
        scene = inputs.placed(self._execution_device, exact=True)
        views = self.draw_views(scene, prompts, seed, inputs.image_size)
        self.maybe_free_model_hooks()
        finished = [to_uint8(images) for images in views]
        return OccSceneOutput(
            images=finished[0] if isinstance(prompt, str) else stacked(finished),
            grids=inputs.finer or inputs.grids,
            source="blockout" if drafts is None else "layout",
        )

    def encode_draft(self, scene: PlacedScenes, prompts: Sequence[str], seed: int) -> Tensor | None:
        """The latents (B, V, channels, h, w) of drafts as the sensor sees them; None if the denoiser is given none."""
        if not (self.denoiser.takes_draft and scene.has_blockout):
            return None
        size = (scene.cameras.height, scene.cameras.width)
        return self.encode_views(self.draw_views(scene, prompts, seed, size, sunny=False))

    def encode_start(
        self, scene: PlacedScenes, prompts: Sequence[str], seed: int, given: Tensor | None, sensor: Sensor
    ) -> Tensor | None:
        """The latents (B, V, channels, h, w) that denoising begins at; None where it begins at noise.

        Args:
            scene: on the sensor.
            prompts: one a scene.
            seed: of the first scene.
            given: views (B, V, 3, height, width) in [-1, 1]; None for drafts, which a denoiser that was trained with
                them is given otherwise.
            sensor: of the scene.
        """
        if given is not None:
            return self.encode_views(self._on_sensor(given, range(given.shape[1]), scene, sensor))
        if self.guided_decoder is None or self.denoiser.takes_draft or not scene.has_blockout:
            return None
        return self.encode_views(self.draw_views(scene, prompts, seed, sensor.size, sunny=False))

    def encode_known(self, places: tuple[int, ...], images: Tensor, scene: PlacedScenes, sensor: Sensor) -> KnownViews:
        """Views (1, K, 3, height, width) in [-1, 1] that stay at their places; the scene is on the sensor."""
        return KnownViews(places, images, self.encode_views(self._on_sensor(images, places, scene, sensor)))

    def _on_sensor(self, images: Tensor, places: Sequence[int], scene: PlacedScenes, sensor: Sensor) -> Tensor:
        """Finished views (B, K, 3, height, width) at their places as the denoiser has them: small, without sunlight."""
        small = self.shown_to_perception(images.to(self._execution_device), scene, sensor)[0]
        if not scene.has_sun:
            return small
        cameras = scene.cameras.selected(torch.tensor(places, device=small.device).expand(len(small), -1))
        buffer = scene_gbuffer(scene.shown, scene.shapes, cameras, (cameras.height, cameras.width))
        return without_sun(small, sun_factors(buffer, scene.suns, self.config.taxonomy))

    def encode_views(self, images: Tensor) -> Tensor:
        """Images (B, V, 3, height, width) in [-1, 1] to normalized latents (B, V, channels, h, w)."""
        flat = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        latents: Tensor = self.vae.normalize(self.vae.encode(flat).latent_dist.mode().float())
        return latents.unflatten(0, images.shape[:2])

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Normalized latents (B, V, channel, h, w) to images (B, V, 3, height, width) in [-1, 1]."""
        flat = self.vae.denormalize(latents.flatten(0, 1).float())
        images: Tensor = self.vae.decode(flat.contiguous(memory_format=torch.channels_last)).sample
        return images.float().clamp(-1.0, 1.0).unflatten(0, latents.shape[:2])

    def surface_seeds(self, generator: torch.Generator | list[torch.Generator], scenes: int) -> Tensor | None:
        """(B,) of noise that lies on surfaces; None if the denoiser was trained with none."""
        if not self.denoiser.takes_draft:
            return None
        if isinstance(generator, list):
            return torch.cat([torch.randint(_SEEDS, (1,), generator=one, device=one.device).cpu() for one in generator])
        return torch.randint(_SEEDS, (scenes,), generator=generator, device=generator.device).cpu()

    def surface_noise(
        self, scene: PlacedScenes, size: tuple[int, int], seeds: Tensor, plain: Tensor, scale: float
    ) -> Tensor:
        """Noise of deviation `scale` like `plain`, on what blockouts show; without blockouts `plain` as it is."""
        if not scene.has_blockout:
            return plain
        fine = (size[0] * GBUFFER_CELLS, size[1] * GBUFFER_CELLS)
        seen = render_gbuffer_maps(scene.shown, scene.cameras, fine, self.perception.classes, scene.shapes)
        return scale * surface_fixed_noise(seen, scene.cameras, seeds.to(plain.device), plain.shape[2], GBUFFER_CELLS)

    def draw_views(
        self,
        scene: PlacedScenes,
        prompts: Sequence[str],
        seed: int,
        image_size: tuple[int, int],
        latents: Tensor | None = None,
        scale: float = 1.0,
        sunny: bool = True,
    ) -> Tensor:
        """The guided decoder's views, one camera after the other, so that large ones take little memory.

        With latents, it draws at the size that they were generated for, as it was trained to: latents that are
        stretched over more pixels come out as grids. A larger view is the draft at its own size with what the latents
        change in the small one, and so is each view of a model with a `change_cell`; a smaller view is the small one
        shrunk.

        Args:
            scene: what is shown, with the cameras of the images, or of latents where there are any.
            prompts: one a scene.
            seed: of the first scene; each other has the next.
            image_size: (height, width) of the views.
            latents: (B, V, channels, h, w) as generated for the scene's cameras; None draws a draft.
            scale: pixels that latents were generated for in a pixel of the views.
            sunny: whether weather and sun are laid on them, where there are any; the denoiser works without.

        Returns:
            (B, V, 3, height, width) in [-1, 1].
        """
        with torch.autocast(self._execution_device.type, enabled=False):  # places need all digits, as in training
            return self._draw_views(scene, prompts, seed, image_size, latents, scale, sunny)

    def _draw_views(
        self,
        scene: PlacedScenes,
        prompts: Sequence[str],
        seed: int,
        image_size: tuple[int, int],
        latents: Tensor | None,
        scale: float,
        sunny: bool,
    ) -> Tensor:
        assert self.guided_decoder is not None
        height, width = image_size
        device = scene.cameras.device
        seeds = torch.tensor([(seed + index) % _SEEDS for index in range(len(prompts))], device=device)
        words = [scene_words(*each) for each in zip(prompts, scene.tables, strict=True)]
        objects = object_tables(self.text_encoder, self.tokenizer, scene.placed, words, seeds)

        def seen_by(cameras: CameraTensors, view: int) -> tuple[GBuffer, CameraTensors]:
            one = cameras.selected(torch.full((len(prompts), 1), view, device=device))
            return scene_gbuffer(scene.shown, scene.shapes, one, (cameras.height, cameras.width)), one

        decoder, known = self.guided_decoder, (scene.placed.volume, seeds)
        canvas = (-(-height // PIXEL_MULTIPLE) * PIXEL_MULTIPLE, -(-width // PIXEL_MULTIPLE) * PIXEL_MULTIPLE)
        enlarged = scene.cameras.enlarged(1 / scale, canvas)
        views, seen, light, weather = [], [], [], []
        cell, outdoors = self.config.change_cell, self.config.taxonomy == OUTDOOR.name
        for view in range(scene.cameras.views):
            if latents is None:
                fine = seen_by(enlarged, view)
                drawn = decode_guided(decoder, objects, *fine, *known)
            else:
                fine = coarse = seen_by(scene.cameras, view)
                drawn = decode_guided(decoder, objects, *coarse, *known, latents[:, view].float())
                if scale < 1 or cell > 1:
                    draft = decode_guided(decoder, objects, *coarse, *known)
                    change, shown = drawn - draft, shown_rows(decoder, objects, coarse[0])
                    if scale < 1:
                        fine = seen_by(enlarged, view)
                        draft = decode_guided(decoder, objects, *fine, *known)
                    broad, middles = averaged_within(change, shown, cell)
                    finely = shown_rows(decoder, objects, fine[0])
                    drawn = (draft + upsampled_within(broad, middles, finely, min(1.0, scale) / cell)).clamp(-1, 1)
            views.append(drawn)
            seen.append(own_colored(objects, fine[0]))
            if sunny and scene.has_sun:
                light.append(sun_factors(fine[0], scene.suns, self.config.taxonomy))
            if sunny and outdoors and Weather.is_said(prompts):
                weather.append(Weather.of(fine[0], prompts))
        told = zip(words, scene.placed.hints, strict=True)
        colors = [one_color(each.phrases, hints, outdoors) for each, hints in told]
        scenes = zip(torch.stack(views, 1), torch.stack(seen, 1), colors, strict=True)
        colored = torch.stack([with_named_colors(*each, keeps_light=outdoors) for each in scenes])
        around = Weather.joined(weather) if weather else None
        colored = colored if around is None else around.snowed(colored)
        if light:
            colored = sunlit(colored, torch.cat(light, 1))
        colored = colored if around is None else around.lit(colored)
        if latents is None or scale < 1:
            return colored[..., :height, :width]
        picture = colored[..., : round(height * scale), : round(width * scale)]
        return shrunk(picture.flatten(0, 1), image_size).unflatten(0, picture.shape[:2])

    def shown_to_perception(self, views: Tensor, scene: PlacedScenes, sensor: Sensor) -> tuple[Tensor, PlacedScenes]:
        """Finished views (B, V, 3, height, width) on the sensor, and the scenes as its cameras see them."""
        batch = views.shape[:2]
        images = shrunk(views.flatten(0, 1), sensor.picture)
        if sensor.size != sensor.picture:
            images, scene = padded(images, sensor.size), scene.with_picture(sensor.picture)
        return images.unflatten(0, batch), scene


def shrunk(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (N, C, h, w) at (height, width) pixels, without aliasing."""
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
