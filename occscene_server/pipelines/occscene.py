"""OccScenePipeline: from a blockout, a prompt and cameras to textured views and a predicted occupancy.

The loop of OccScene (arXiv 2412.11183): denoise the views, decode the estimate, perceive its occupancy, and let that
occupancy condition the next steps through dual alignment. What the artist placed always stays there. The G-buffer
maps, our own, show it carved to what perception sees in the regression prior, which removes no object and changes no
class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DiffusionPipeline, SchedulerMixin
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.mesh import TriangleMesh
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.models.autoencoder import SceneAutoencoder, SceneAutoencoderKL
from occscene_server.models.denoiser import Condition, GBufferFeatures, OccSceneDenoiser
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import encode_prompts, load_minilm
from occscene_server.pipelines.guided_views import GuidedViewsMixin
from occscene_server.pipelines.output import OccSceneOutput, images_of_type, stacked, to_uint8
from occscene_server.pipelines.prediction import (
    FLOW,
    CfgBatch,
    blend_low_frequencies,
    check_scheduler,
    denoised_estimate,
    guided_prediction,
    model_input,
    step_options,
)
from occscene_server.pipelines.scene_inputs import PlacedScenes, SceneInputs, check_prompts, check_sampling
from occscene_server.pipelines.scene_perception import PerceptionMixin
from occscene_server.pipelines.start_views import (
    check_strength,
    first_step,
    known_images,
    noised,
    start_images,
)
from occscene_server.pipelines.sun import SunAngles
from occscene_server.pipelines.text_to_scene import LayoutDraft

PERCEIVE_AT = (0.5, 0.75)
"""Shares of the denoising steps after which perception runs on the estimate, which is blurred before. Our choice."""
START_STRENGTH = 0.4
"""Share of the steps that run after the guided decoder's draft: more draw smears over it, fewer leave out
the perception between them. Chosen by eye on validation rooms."""

StepCallback = Callable[["OccScenePipeline", int, Tensor, dict[str, Any]], dict[str, Any]]


class OccScenePipeline(GuidedViewsMixin, PerceptionMixin, DiffusionPipeline):
    """Joint generation of views and occupancy.

    Args:
        vae: views to latents and back.
        text_encoder, tokenizer: of the prompt; where a saved pipeline has none, MiniLM from its package.
        denoiser: predicts the direction of the noise in all views.
        perception: posed views to occupancy.
        guided_decoder: draws the views at any size from shapes, words and latents, which then are those of views of 256
            pixels along the longer side. With it the denoiser is shown triangles where there are any, and its noise
            lies on what is shown if it is one that is given drafts: those the decoder draws first. None leaves views to
            `vae`, at their own size, and shows the denoiser voxels, as it was trained.
        scheduler: any of diffusers' whose prediction type is the denoiser's. For `compact` that is
            `FlowMatchEulerDiscreteScheduler`, or `DPMSolverMultistepScheduler` or `UniPCMultistepScheduler` with
            `prediction_type="flow_prediction"` and `use_flow_sigmas=True`.
        taxonomy: name of the classes that the model was trained with.
        default_steps: denoising steps of a call without `num_inference_steps`.
        default_noise_scale, default_start_strength: of a call without `noise_scale`, or `start_strength`.
        change_cell: pixels of the denoised views over which it is averaged what latents change in drafts: 1 for a
            denoiser that draws detail, more where its detail only smears the guided decoder's.
    """

    model_cpu_offload_seq = "text_encoder->denoiser"
    _optional_components = ["text_encoder", "tokenizer", "guided_decoder"]
    _callback_tensor_inputs = ["latents", "denoised", "occupancy"]

    def __init__(
        self,
        vae: SceneAutoencoder | SceneAutoencoderKL,
        text_encoder: PreTrainedModel | None,
        tokenizer: PreTrainedTokenizerBase | None,
        denoiser: OccSceneDenoiser,
        perception: OccupancyPerception,
        scheduler: SchedulerMixin,
        taxonomy: str = "indoor",
        default_steps: int = 8,
        default_noise_scale: float = 1.0,
        default_start_strength: float = START_STRENGTH,
        change_cell: int = 1,
        guided_decoder: GuidedDecoder | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, denoiser=denoiser, perception=perception,
            scheduler=scheduler, guided_decoder=guided_decoder,
        )  # fmt: skip
        self.register_to_config(
            taxonomy=taxonomy, default_steps=default_steps, default_noise_scale=default_noise_scale,
            default_start_strength=default_start_strength, change_cell=change_cell,
        )  # fmt: skip
        self.vae_scale_factor = vae.spatial_compression_ratio if vae is not None else 8
        self._interrupt = False
        self._num_timesteps = 0
        self._picture: tuple[int, int] | None = None

    @classmethod
    def from_pretrained(cls, path: str, **kwargs: Any) -> OccScenePipeline:
        """Loads a pipeline as diffusers does; one that was saved without a text encoder gets MiniLM.

        Raises:
            OSError: weights are missing, or are pickles instead of safetensors.
        """
        pipeline: OccScenePipeline = super().from_pretrained(path, **kwargs | {"use_safetensors": True})
        if pipeline.text_encoder is None:
            text_encoder, tokenizer = load_minilm()
            pipeline.register_modules(text_encoder=text_encoder, tokenizer=tokenizer)
        for network in (pipeline.vae, pipeline.denoiser):
            network.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in
        return pipeline

    @property
    def num_timesteps(self) -> int:
        """Steps of the call that runs, or ran last, a draft's included."""
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        """Whether a callback asked to end the loop, by setting `_interrupt`."""
        return self._interrupt

    def check_inputs(
        self,
        latents: Tensor | None,
        latents_shape: tuple[int, ...],
        callback_on_step_end_tensor_inputs: Sequence[str],
    ) -> None:
        """Raises a ValueError, naming argument, value and limit, for what depends on the model.

        What does not is checked by `check_prompts`, `check_sampling` and `SceneInputs`.
        """
        if latents is not None and latents.shape != latents_shape:
            raise ValueError(f"latents has the shape {tuple(latents.shape)}; this call needs {latents_shape}")
        unknown = [name for name in callback_on_step_end_tensor_inputs if name not in self._callback_tensor_inputs]
        if unknown:
            known = ", ".join(self._callback_tensor_inputs)
            raise ValueError(f"callback_on_step_end_tensor_inputs has {unknown}; it may have {known}")
        check_scheduler(self.scheduler, self.denoiser.config.prediction_type)
        if self.denoiser.takes_draft and self.guided_decoder is None:
            raise ValueError("this denoiser is given drafts, but the pipeline has no guided_decoder; load it with one")

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        cameras: Sequence[PinholeCamera] | Sequence[Sequence[PinholeCamera]],
        grid: SemanticGrid | Sequence[SemanticGrid] | None = None,
        *,
        finer: SemanticGrid | Sequence[SemanticGrid] | None = None,
        meshes: TriangleMesh | Sequence[TriangleMesh | None] | None = None,
        drafts: Sequence[LayoutDraft] | None = None,
        negative_prompt: str | list[str] = "",
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
        num_inference_steps: int | None = None,
        text_guidance_scale: float = 2.0,
        occupancy_guidance_scale: float = 2.0,
        noise_scale: float | None = None,
        seed: int = 0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Tensor | None = None,
        start_strength: float | None = None,
        start: NDArray[np.uint8] | Sequence[NDArray[np.uint8]] | None = None,
        strength: float = 0.6,
        known: Mapping[int, NDArray[np.uint8]] | None = None,
        sun_elevation: float | None = None,
        sun_azimuth: float | None = None,
        output_type: str = "uint8",
        callback_on_step_end: StepCallback | PipelineCallback | MultiPipelineCallbacks | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents", "denoised", "occupancy"),
    ) -> OccSceneOutput:
        """Generates the views of scenes and predicts their occupancy.

        Args:
            prompt: what the scene looks like; a list makes one scene for each prompt at once.
            cameras: 1 to 16 views of one image size, which may be any; with a list of prompts also one such list a
                prompt.
            grid: the blockout, or one a prompt, all of one shape; None for text to scene. Its objects may have words of
                their own.
            finer: the same blockouts with parts in place of boxes, which the views are to show; None for the boxes.
            meshes: the triangles of what the views are to show, or of one a prompt, with the objects of its grid, parts
                in place of boxes as in `finer`; None where voxels are all that is known.
            drafts: layouts that text to scene begins from, one a prompt; they take part in the denoising and may be
                other ones afterwards. Without them views are drafted from text only, and what is perceived in them is
                the blockout of the scene.
            negative_prompt: what the scene should not look like, one for all prompts or one for each.
            volume: where to predict occupancy if there is no grid.
            taxonomy: of the prediction if there is no grid.
            num_inference_steps: denoising steps, 1 to 100; defaults to the model's `default_steps`. A draft takes
                the same number.
            text_guidance_scale: how strongly the prompt is followed; 1 is no guidance.
            occupancy_guidance_scale: how strongly the blockout is followed; 1 is no guidance.
            noise_scale: standard deviation of the noise to start from; below 1 trades detail and variety for calm,
                likely views (the temperature of Kingma and Dhariwal 2018, "Glow"); defaults to `default_noise_scale`.
            seed: the same request with the same seed on the same device gives the same bytes. Scene i of a list has the
                seed `seed + i`.
            generator: draws the noise in place of a seed; a list has one for each scene.
            latents: (B, V, channel, h, w) noise in place of a seed and unscaled; h and w are `sensor` in latents.
            start: views to begin at, (V, height, width, 3) uint8, or one such array a prompt; None begins at the guided
                decoder's drafts, or at noise where there is no decoder or the denoiser is given the drafts otherwise.
            start_strength: share of the steps that is done where it begins at drafts, 0 to 1; 1 begins at noise. The
                default is the model's.
            strength: how much of `start` may change: the share of the steps that is done, 0 to 1. 0 returns it as the
                decoder draws it, 1 begins at noise.
            known: views of one scene that stay as they are, (height, width, 3) uint8 by their places; the others come
                to agree with them, see `KnownViews`.
            sun_elevation, sun_azimuth: of the sun where triangles are known, see `SunAngles`.
            output_type: of the images, see `OccSceneOutput`.
            callback_on_step_end: called after each step as in diffusers, plain or a `PipelineCallback`; setting
                `_interrupt` on the pipeline from it ends the loop.
            callback_on_step_end_tensor_inputs: of `latents`, `denoised` (the estimate of the clean latents) and
                `occupancy` (the condition's labels, None in text to scene before the first prediction).

        Raises:
            ValueError: an argument is outside its limits.
        """
        if isinstance(callback_on_step_end, PipelineCallback | MultiPipelineCallbacks):
            callback_on_step_end_tensor_inputs = callback_on_step_end.tensor_inputs

        # 1. Check the inputs and move them to the device
        check_prompts(prompt, negative_prompt)
        prompts = [prompt] if isinstance(prompt, str) else prompt
        negative = [negative_prompt] * len(prompts) if isinstance(negative_prompt, str) else negative_prompt
        num_inference_steps = self.config.default_steps if num_inference_steps is None else num_inference_steps
        noise_scale = self.config.default_noise_scale if noise_scale is None else noise_scale
        start_strength = self.config.default_start_strength if start_strength is None else start_strength
        named = {"text_guidance_scale": text_guidance_scale, "occupancy_guidance_scale": occupancy_guidance_scale}
        check_sampling(num_inference_steps, named, noise_scale, len(prompts), generator, output_type)
        if drafts is not None:
            grid, finer = [draft.boxes for draft in drafts], [draft.grid for draft in drafts]
            meshes = [draft.mesh for draft in drafts]
        inputs = SceneInputs.gather(len(prompts), cameras, grid, volume, taxonomy, self.config.taxonomy, finer, meshes)
        inputs = inputs.lit(prompts, seed, SunAngles(sun_elevation, sun_azimuth))
        sensor = self.sensor(*inputs.image_size)
        size = (sensor.size[0] // self.vae_scale_factor, sensor.size[1] // self.vae_scale_factor)
        shape = (len(prompts), inputs.views, self.vae.config.latent_channels, *size)
        self.check_inputs(latents, shape, callback_on_step_end_tensor_inputs)
        for name, value in (("strength", strength), ("start_strength", start_strength)):
            check_strength(value, name)
        given = None if start is None else start_images(start, len(prompts), inputs.views, inputs.image_size)
        staying = known_images(known, len(prompts), inputs.views, inputs.image_size)
        self._interrupt, self._picture = False, sensor.picture
        device = self._execution_device
        scene = inputs.placed(device, sensor.size, sensor.scale, exact=self.guided_decoder is not None)

        # 2. Noise, or what denoising begins at
        share = start_strength if given is None else strength
        clean = None if share == 1 else self.encode_start(scene, prompts, seed, given, sensor)
        held = None if staying is None else self.encode_known(*staying, scene, sensor)
        begin = 0 if clean is None else first_step(num_inference_steps, share)
        self.scheduler.set_timesteps(num_inference_steps, device=device)
        steps, rounds = len(self.scheduler.timesteps), 1 if scene.has_blockout else 2
        self._num_timesteps = rounds * (steps - begin)
        if generator is None:
            generator = [torch.Generator("cpu").manual_seed(seed + index) for index in range(len(prompts))]
        noise = noise_scale * randn_tensor(shape, generator, device) if latents is None else latents
        hung = self.surface_seeds(generator, len(prompts)) if latents is None else None
        if self.denoiser.config.prediction_type != FLOW and clean is None:
            noise = noise * self.scheduler.init_noise_sigma
        latents = noise
        options = step_options(self.scheduler, generator)

        with fast_autocast(device, self.denoiser.dtype):
            # 3. Text, encoded once
            text, text_mask = self.encode_text([*prompts, *negative])
            words = text[: len(prompts)], text_mask[: len(prompts)]
            absent = self.denoiser.encode_absence(scene.placed, scene.cameras, size)

            gather_passes = partial(
                CfgBatch.gather, self.denoiser, text, text_mask, absent=absent,
                text_scale=text_guidance_scale, occupancy_scale=occupancy_guidance_scale,
            )  # fmt: skip

            # 4. Denoise, with perception of the estimate at some steps
            perceive_after = {round(share * steps) - 1 for share in PERCEIVE_AT}
            for again in range(rounds):
                if again:  # a draft, perceived
                    scene = scene.with_blockout(self.perceive(self.decode_latents(latents), scene))
                    self.scheduler.set_timesteps(num_inference_steps, device=device)
                occupancy = scene.shown.labels if scene.has_blockout else None
                gbuffer = self.carved_gbuffer_features(scene, *words, size)
                draft = self.encode_draft(scene, prompts, seed)
                latents = noise if hung is None else self.surface_noise(scene, size, hung, noise, noise_scale)
                drawn = latents
                if clean is not None:
                    latents = noised(self.scheduler, clean, drawn, begin)
                if held is not None:
                    latents = held.held(self.scheduler, latents, drawn, begin)
                condition = self.encode_condition(scene, occupancy, size, gbuffer)
                passes = gather_passes(condition=condition, draft=draft)
                for index in self.progress_bar(range(begin, steps)):
                    timestep = self.scheduler.timesteps[index]
                    shown, time = model_input(self.scheduler, latents, index)
                    prediction = guided_prediction(self.denoiser, shown, time, passes)
                    denoised = denoised_estimate(self.scheduler, prediction, shown, index)
                    latents = self.scheduler.step(prediction, timestep, latents, **options, return_dict=False)[0]
                    if held is not None:
                        denoised = held.shown(denoised)
                        latents = held.held(self.scheduler, latents, drawn, index + 1)
                    if index in perceive_after and index < steps - 1:
                        estimate, moved = self.decode_latents(denoised), None
                        if drafts is None:
                            occupancy = self.refine_occupancy(scene, estimate)
                        else:
                            free = drafts if index == min(perceive_after) else ()
                            scene, occupancy, moved = self.join_layouts(free, scene, estimate)
                        if moved is not None:
                            gbuffer = self.denoiser.gbuffer_features(moved.shown, scene.cameras, size, scene.shapes)
                            draft = self.encode_draft(scene, prompts, seed)
                        condition = self.encode_condition(scene, occupancy, size, gbuffer)
                        prior = passes.prior if scene.has_blockout and moved is None else None
                        passes = gather_passes(condition=condition, prior=prior, draft=draft)
                    if callback_on_step_end is not None:
                        offered = {"latents": latents, "denoised": denoised, "occupancy": occupancy}
                        tensors = {name: offered[name] for name in callback_on_step_end_tensor_inputs}
                        done = again * (steps - begin) + index - begin
                        changed = callback_on_step_end(self, done, timestep, tensors)
                        latents = changed.pop("latents", latents)
                    if self.interrupt:
                        break
                if self.interrupt:
                    break

            # 5. Decode, and perceive the result
            if self.guided_decoder is None:
                if given is None:  # whose colors are to stay
                    latents = blend_low_frequencies(latents, passes)
                images = self.decode_latents(latents)
                views = self.cut(images)
            else:
                views = self.draw_views(scene, prompts, seed, inputs.image_size, latents, sensor.scale)
            if held is not None:
                views = held.finished(views)
            if self.guided_decoder is not None or held is not None:
                images, scene = self.shown_to_perception(views, scene, sensor)
            grids = inputs.predicted(self.perceive(images, scene))
        self.maybe_free_model_hooks()
        scenes = zip(views, latents, strict=True)
        finished = [images_of_type(output_type, pictures, codes) for pictures, codes in scenes]
        return OccSceneOutput(images=finished[0] if isinstance(prompt, str) else stacked(finished), grids=grids)

    def encode_text(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Token states and mask of prompts, no longer than the longest of them."""
        states, mask = encode_prompts(self.text_encoder, self.tokenizer, prompts)
        length = int(mask.sum(1).max())
        return states[:, :length], mask[:, :length]

    def encode_condition(
        self, scene: PlacedScenes, occupancy: Tensor | None, size: tuple[int, int], gbuffer: GBufferFeatures | None
    ) -> Condition | None:
        """The condition of an occupancy (B, X, Y, Z); None while there is none.

        Args:
            scene: cameras and blockouts.
            occupancy: labels for dual alignment, and for G-buffer maps where there is no blockout.
            size: (h, w) of the latents.
            gbuffer: the blockouts', drawn before; None draws the occupancy's.
        """
        if occupancy is None:
            return None
        grid = scene.shown if scene.has_blockout else scene.placed.with_labels(occupancy)
        return self.denoiser.encode_condition(grid, scene.cameras, size, occupancy, gbuffer=gbuffer)

    def cut(self, images: Tensor) -> Tensor:
        """The part (..., height, width) of the sensor's images that this call was asked for, at the sensor's scale."""
        height, width = self._picture or images.shape[-2:]
        return images[..., :height, :width]

    @torch.no_grad()
    def preview(self, latents: Tensor) -> NDArray[np.uint8]:
        """Latents (1, V, channel, h, w) of a step to images (V, height / 2, width / 2, 3), halves rounded up.

        With a guided decoder they are halves of what the denoiser sees, whatever the size of the views.
        """
        return to_uint8(F.avg_pool2d(self.cut(self.decode_latents(latents)[0]), 2, ceil_mode=True))
