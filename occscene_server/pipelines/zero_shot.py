"""ZeroShotPipeline: an artist's Stable Diffusion checkpoint paints a blockout from many cameras, without any training.

The bundled model drafts the scene, the checkpoint paints it: its ControlNets are shown maps drawn from exact shapes,
its noise lies on surfaces, its views attend to one of them, and at some steps the estimates of the views are fused over
exact correspondences. At one view the loop is that of diffusers' ControlNet pipelines, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR, TAXONOMIES
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.control_maps import control_maps
from occscene_server.geometry.gbuffer_maps import gbuffer_maps
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.geometry.view_noise import surface_fixed_noise
from occscene_server.models.checkpoints import Checkpoint
from occscene_server.models.linked_attention import AttentionContext, scene_attention
from occscene_server.pipelines.checkpoint_denoiser import CheckpointDenoiser, ViewConditions
from occscene_server.pipelines.object_regions import encode_words
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.output import OccSceneOutput, images_of_type, to_uint8
from occscene_server.pipelines.prediction import denoised_estimate, implied_prediction, model_input, step_options
from occscene_server.pipelines.scene_inputs import SceneInputs, check_prompts, check_sampling
from occscene_server.pipelines.shown_scene import SceneDraft, ShownScene, resized, working_size
from occscene_server.pipelines.start_views import (
    KnownViews,
    check_strength,
    first_step,
    known_images,
    noised,
    start_images,
)
from occscene_server.pipelines.text_to_scene import LayoutDraft
from occscene_server.pipelines.view_synchronization import ViewSynchronization

LINK_STRENGTH = 0.5
START_STRENGTH = 0.9
"""Share of the steps that run after a draft: blocks of some 16 pixels survive, that is light, colors, large shapes."""
DRAFT_SIDE = 256
"""Pixels along the longer side of a draft: what the bundled model was trained with."""
NOISE_CELLS = 4
"""Samples along each side of a latent of noise that lies on surfaces; fewer leave neighbours alike."""

StepCallback = Callable[[Any, int, Tensor, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class _Views:
    """The views of one call.

    Args:
        scene: what is shown.
        cameras: of images of the working size.
        conditions: of the denoiser.
        synchronization: None where views are drawn apart.
        noise: (V, 4, h, w) of standard deviation 1.
        start: (V, 4, h, w) latents of the draft, or of the views to begin at; None to begin from noise.
        known: views that stay, if any.
    """

    scene: ShownScene
    cameras: CameraTensors
    conditions: ViewConditions
    synchronization: ViewSynchronization | None
    noise: Tensor
    start: Tensor | None
    known: KnownViews | None


class ZeroShotPipeline:
    """Generates the views of a blockout with a checkpoint that knows no occupancy.

    Args:
        checkpoint: on its device.
        device: of the checkpoint.
        consistency: "synced", "linked" or "none"; of calls that do not say.
        views_at_once: views in one pass of the UNet; halved for good when the memory runs out.
        compact: drafts the scene and predicts its occupancy; None for no draft.
        offload: "model" keeps text encoders and autoencoder on the CPU while they are not used.
        taxonomy: the domain that `compact` knows; without it any is painted.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device | str = "cpu",
        consistency: str = "synced",
        views_at_once: int = 1,
        compact: OccScenePipeline | None = None,
        offload: str = "none",
        taxonomy: str = INDOOR.name,
    ) -> None:
        self.checkpoint, self.device, self.compact = checkpoint, torch.device(device), compact
        self.consistency, self.views_at_once, self.offloads = consistency, views_at_once, offload == "model"
        self.config = SimpleNamespace(default_steps=checkpoint.family.steps, taxonomy=taxonomy)
        self.guided_decoder = None if compact is None else compact.guided_decoder
        self.phase, self.num_timesteps = "denoising", 0
        """What the present call, or the last one, is busy with, "drafting" or "denoising", and in how many steps."""
        for network in checkpoint.networks:
            rests = self.offloads and (network is checkpoint.vae or network in checkpoint.prompts.encoders)
            network.to("cpu" if rests else self.device)

    def in_domain(self, taxonomy: str, compact: OccScenePipeline | None) -> ZeroShotPipeline:
        """The same checkpoint, whose networks are shared, with what drafts for it in another domain."""
        options = self.consistency, self.views_at_once, compact, "model" if self.offloads else "none", taxonomy
        return ZeroShotPipeline(self.checkpoint, self.device, *options)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        cameras: Sequence[PinholeCamera],
        grid: SemanticGrid | None = None,
        *,
        finer: SemanticGrid | None = None,
        meshes: TriangleMesh | None = None,
        drafts: Sequence[LayoutDraft] | None = None,
        negative_prompt: str = "",
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
        num_inference_steps: int | None = None,
        text_guidance_scale: float | None = None,
        occupancy_guidance_scale: float = 1.0,
        start_strength: float = START_STRENGTH,
        start: NDArray[np.uint8] | None = None,
        strength: float = 0.6,
        known: Mapping[int, NDArray[np.uint8]] | None = None,
        sun_elevation: float | None = None,
        sun_azimuth: float | None = None,
        consistency: str | None = None,
        seed: int = 0,
        latents: Tensor | None = None,
        output_type: str = "uint8",
        callback_on_step_end: StepCallback | None = None,
    ) -> OccSceneOutput:
        """Generates the views of a scene.

        Args:
            prompt, negative_prompt: what the scene looks like, and what not, of any length.
            cameras, grid, finer, meshes, drafts, volume, taxonomy: as in a call of `OccScenePipeline`, of one scene.
            num_inference_steps, text_guidance_scale: None for those of the checkpoint's family.
            occupancy_guidance_scale: of the strengths of all ControlNets; 0 leaves shapes to the draft.
            start_strength: share of the steps that run after a draft; 1 keeps nothing of it but its shapes.
            start, strength, known: as in a call of `OccScenePipeline`; with views to begin at, the draft gives the
                occupancy only.
            sun_elevation, sun_azimuth: of the sun in the bundled model's draft, see `SunAngles`.
            consistency: None for the pipeline's own.
            seed: the same request with the same seed on the same device gives the same bytes.
            latents: (V, 4, h, w) unscaled noise in place of a seed.
            output_type: of the images, see `OccSceneOutput`.
            callback_on_step_end: called after each step of both phases with `latents` and `denoised`; what it raises
                ends the call.

        Raises:
            ValueError: an argument is outside its limits, or there is nothing to show.
        """
        check_prompts(prompt, negative_prompt)
        family = self.checkpoint.family
        steps = family.steps if num_inference_steps is None else num_inference_steps
        text_scale = family.text_guidance_scale if text_guidance_scale is None else text_guidance_scale
        named = {"text_guidance_scale": text_scale, "occupancy_guidance_scale": occupancy_guidance_scale}
        check_sampling(steps, named, 1.0, 1, None, output_type)
        if not 0 < start_strength <= 1:
            raise ValueError(f"start_strength is {start_strength}; it must be above 0 and at most 1")
        domain = taxonomy if grid is None else grid.taxonomy
        if grid is not None or drafts is None:
            SceneInputs.gather(1, cameras, grid, volume, taxonomy, domain, finer, meshes)  # checks
        check_strength(strength)
        size = (cameras[0].height, cameras[0].width)
        given = None if start is None else start_images(start, 1, len(cameras), size)[0]
        staying = known_images(known, 1, len(cameras), size)
        consistency = (consistency or self.consistency) if len(cameras) > 1 else "none"

        draft = None
        if self.compact is not None and self.compact.config.taxonomy == domain:
            self.phase = "drafting"
            draft = self._draft(cameras, grid, callback_on_step_end, prompt=prompt, finer=finer, meshes=meshes,
                                drafts=drafts, negative_prompt=negative_prompt, volume=volume, taxonomy=taxonomy,
                                seed=seed, sun_elevation=sun_elevation, sun_azimuth=sun_azimuth)  # fmt: skip
        scene = ShownScene.of(grid, finer, meshes, drafts[0] if drafts else None, draft)
        self.phase = "denoising"
        generator = torch.Generator("cpu").manual_seed(seed)
        views = self._views(scene, cameras, draft, (prompt, negative_prompt), (text_scale, occupancy_guidance_scale),
                            consistency, generator, latents, given, staying)  # fmt: skip
        share = start_strength if given is None else strength
        finished = self._denoise(views, steps, share, generator, callback_on_step_end)
        images = resized(self.decode(finished).float(), size)
        if views.known is not None:
            images = views.known.finished(images[None])[0]
        return OccSceneOutput(images_of_type(output_type, images, finished), [scene.occupancy], scene.source)

    def _draft(
        self, cameras: Sequence[PinholeCamera], grid: SemanticGrid | None, callback: StepCallback | None,
        prompt: str, **options: Any,
    ) -> SceneDraft:  # fmt: skip
        """The bundled model's views and occupancy; the callback hears of its steps as of this pipeline's."""
        assert self.compact is not None
        scale = DRAFT_SIDE / max(cameras[0].height, cameras[0].width)
        height, width = (max(64, round(side * scale)) for side in (cameras[0].height, cameras[0].width))
        small = [camera.resized(width, height) for camera in cameras]

        def heard(pipe: Any, step: int, timestep: Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
            self.num_timesteps = pipe.num_timesteps
            if callback is not None:
                callback(self, step, timestep, tensors)
            return {}

        output = self.compact(prompt, small, grid, callback_on_step_end=heard, **options)
        return SceneDraft(output.images, output.grid)

    def _views(
        self,
        scene: ShownScene,
        cameras: Sequence[PinholeCamera],
        draft: SceneDraft | None,
        texts: tuple[str, str],
        scales: tuple[float, float],
        consistency: str,
        generator: torch.Generator,
        noise: Tensor | None,
        given: Tensor | None,
        staying: tuple[tuple[int, ...], Tensor] | None,
    ) -> _Views:
        """Draws control maps, finds correspondences, encodes words and draws the noise."""
        size = working_size(cameras[0], self.checkpoint.side, self.checkpoint.multiple)
        tensors = CameraTensors.from_cameras([list(cameras)], size, self.device)
        placed, shapes = scene.placed(self.device)
        kinds = tuple(dict.fromkeys(control.map for control in self.checkpoint.controls))
        buffer = scene_gbuffer(placed, shapes, tensors, size)
        maps = control_maps(kinds, buffer, scene.grid, tensors)
        synchronization = None
        if consistency != "none":
            synchronization = ViewSynchronization.of(scene, placed, shapes, tensors, consistency == "synced")
        with self._on_device(*self.checkpoint.prompts.encoders):
            text, negative, words = encode_words(
                self.checkpoint.prompts, *texts, buffer.objects[0], scene.grid, self.checkpoint.scale
            )
        conditions = ViewConditions(
            maps, text, negative, words, *scales, 0.0 if synchronization is None else LINK_STRENGTH,
            0 if synchronization is None else synchronization.found.hub,
        )  # fmt: skip
        h, w = (side // self.checkpoint.scale for side in size)
        shape = (len(cameras), self.checkpoint.unet.config.in_channels, h, w)
        if noise is not None and noise.shape != shape:
            raise ValueError(f"latents has the shape {tuple(noise.shape)}; this call needs {shape}")
        if noise is None and synchronization is None:
            noise = torch.randn(shape, generator=generator)
        elif noise is None:
            fine = (h * NOISE_CELLS, w * NOISE_CELLS)
            classes = len(TAXONOMIES[scene.grid.taxonomy])
            seen = gbuffer_maps(scene_gbuffer(placed, shapes, tensors, fine), placed, tensors, classes)
            seeds = torch.randint(2**31, (1,), generator=generator).to(self.device)
            noise = surface_fixed_noise(seen, tensors, seeds, shape[1], NOISE_CELLS)[0]
        begun = resized(given.to(self.device), size) if given is not None else None
        if begun is None and draft is not None:
            begun = draft.enlarged(size, self.device)
        start = None if begun is None else self.encode(begun)
        known = None
        if staying is not None:
            places, images = staying
            known = KnownViews(places, images, self.encode(resized(images[0].to(self.device), size))[None])
        return _Views(scene, tensors, conditions, synchronization, noise.to(self.device), start, known)

    def _denoise(
        self,
        views: _Views,
        steps: int,
        start_strength: float,
        generator: torch.Generator,
        callback: StepCallback | None,
    ) -> Tensor:
        """The denoised latents (V, 4, h, w)."""
        scheduler = self.checkpoint.scheduler
        scheduler.set_timesteps(steps, device=self.device)
        skipped = 0 if views.start is None else first_step(steps, start_strength)
        timesteps = scheduler.timesteps[skipped:]
        self.num_timesteps = running = len(timesteps)
        latents = views.noise * scheduler.init_noise_sigma
        if skipped and views.start is not None:
            latents = noised(scheduler, views.start, views.noise, skipped)
        known, drawn = views.known, views.noise[None]
        if known is not None:
            latents = known.held(scheduler, latents[None], drawn, skipped)[0]
        options = step_options(scheduler, generator)
        context = AttentionContext()
        size = (views.cameras.height, views.cameras.width)
        denoiser = CheckpointDenoiser(self.checkpoint, views.conditions, size, context, self.views_at_once)
        synchronization = views.synchronization
        fusions = {} if synchronization is None else synchronization.exponents(
            running, self.checkpoint.family.sync_steps
        )  # fmt: skip
        with scene_attention(self.checkpoint.unet, context), self._keeping_views_at_once(denoiser):
            for step, timestep in enumerate(timesteps):
                shown, time = model_input(scheduler, latents, skipped + step)
                prediction = denoiser.predict(shown, time, step, running)
                denoised = denoised_estimate(scheduler, prediction, shown, skipped + step)
                if known is not None:
                    denoised = known.shown(denoised[None])[0]
                if synchronization is not None and step in fusions:
                    agreed = synchronization.agreed(denoised, fusions[step], self.decode, self.encode)
                    implied = implied_prediction(scheduler, agreed, shown, skipped + step)
                    if implied is not None:
                        denoised, prediction = agreed, implied
                latents = scheduler.step(prediction, timestep, latents, **options, return_dict=False)[0]
                if known is not None:
                    latents = known.held(scheduler, latents[None], drawn, skipped + step + 1)[0]
                if callback is not None:
                    callback(self, step, timestep, {"latents": latents, "denoised": denoised})
        return latents

    def draw_draft(
        self, prompt: str, cameras: Sequence[PinholeCamera], grid: SemanticGrid | None = None, **options: Any
    ) -> OccSceneOutput:
        """Draws a scene with the bundled model's guided decoder, as `OccScenePipeline.draw_draft`."""
        return self._bundled("draws drafts").draw_draft(prompt, cameras, grid, **options)

    def predict_occupancy(
        self, images: NDArray[np.uint8], cameras: Sequence[PinholeCamera], **options: Any
    ) -> SemanticGrid:
        """Predicts the occupancy that posed images show with the bundled model."""
        return self._bundled("predicts occupancy").predict_occupancy(images, cameras, **options)

    def _bundled(self, does: str) -> OccScenePipeline:
        if self.compact is None:
            raise ValueError(f"only the bundled model {does}, and this checkpoint is served without it (--draft none)")
        return self.compact

    def encode(self, images: Tensor) -> Tensor:
        """Images (V, 3, height, width) in [-1, 1] to latents (V, 4, h, w), without drawing any noise."""
        with self._on_device(self.checkpoint.vae):
            return torch.cat([self.checkpoint.encode(view) for view in images.split(1)])

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (V, 4, h, w) to images (V, 3, height, width), one view after the other."""
        with self._on_device(self.checkpoint.vae):
            return torch.cat([self.checkpoint.decode(view) for view in latents.split(1)])

    @torch.no_grad()
    def preview(self, latents: Tensor) -> NDArray[np.uint8]:
        """Latents of a step to images (V, height / 2, width / 2, 3): of a quarter of the latents, which is quick."""
        if self.phase == "drafting" and self.compact is not None:
            return self.compact.preview(latents)
        return to_uint8(self.decode(F.avg_pool2d(latents, 2)))

    def memory_advice(self) -> str:
        """What helps where a view alone does not fit into the memory."""
        side = self.checkpoint.side
        options = [] if self.offloads else ["--offload model"]
        if self.checkpoint.controls:
            options.append("fewer ControlNets (--control depth)")
        if self.compact is not None:
            options.append("--draft none")
        if self.consistency == "synced":
            options.append("--consistency linked")
        free = ""
        if self.device.type == "cuda":
            left, whole = torch.cuda.mem_get_info(self.device)
            free = f"{left / 2**30:.1f} of {whole / 2**30:.1f} GiB are free; "
        return (
            f"{free}a view of {side} x {side} pixels does not fit even alone. Serve the checkpoint with "
            f"{', or '.join(options)}, or on a card with more memory." if options else
            f"{free}a view of {side} x {side} pixels does not fit even alone; use a card with more memory."
        )  # fmt: skip

    @contextmanager
    def _keeping_views_at_once(self, denoiser: CheckpointDenoiser) -> Iterator[None]:
        """What the memory turned out to hold is kept for later calls, also where this one fails."""
        try:
            yield
        finally:
            self.views_at_once = denoiser.views_at_once

    @contextmanager
    def _on_device(self, *networks: torch.nn.Module) -> Iterator[None]:
        """Networks that rest on the CPU are moved to the device for the time of a `with`."""
        if not self.offloads:
            yield
            return
        for network in networks:
            network.to(self.device)
        try:
            yield
        finally:
            for network in networks:
                network.to("cpu")
