"""OccScenePipeline: from a blockout, a prompt and cameras to textured views and a predicted occupancy.

The loop of OccScene (arXiv 2412.11183): denoise the views, decode the estimate, perceive its occupancy, and let that
occupancy condition the next steps through dual alignment. What the artist placed always stays in the condition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import Condition, OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.precision import fast_autocast
from occscene_server.models.text import encode_prompts, load_minilm

PERCEIVE_AT = (0.5, 0.75)
"""Where in the denoising steps perception looks at the estimate; before that it is a blur. Our choice."""

StepCallback = Callable[["OccScenePipeline", int, Tensor, dict[str, Any]], dict[str, Any]]


@dataclass
class OccSceneOutput(BaseOutput):
    """What a generation gives back.

    Args:
        images: (V, height, width, 3) uint8 sRGB, one a camera, in the cameras' order.
        grid: the predicted occupancy, in the volume of the blockout.
    """

    images: NDArray[np.uint8]
    grid: SemanticGrid


class OccScenePipeline(DiffusionPipeline):
    """Joint generation of views and occupancy.

    Args:
        vae: views to latents and back.
        text_encoder, tokenizer: of the prompt; where a saved pipeline has none, MiniLM from its package.
        denoiser: predicts the flow velocity of all views.
        perception: posed views to occupancy.
        scheduler: a flow-matching scheduler.
        taxonomy: name of the classes that the model was trained with.
    """

    model_cpu_offload_seq = "text_encoder->denoiser"
    _optional_components = ["text_encoder", "tokenizer"]
    _callback_tensor_inputs = ["latents", "denoised", "occupancy"]

    def __init__(
        self,
        vae: SceneAutoencoder,
        text_encoder: PreTrainedModel | None,
        tokenizer: PreTrainedTokenizerBase | None,
        denoiser: OccSceneDenoiser,
        perception: OccupancyPerception,
        scheduler: FlowMatchEulerDiscreteScheduler,
        taxonomy: str = "indoor",
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            denoiser=denoiser,
            perception=perception,
            scheduler=scheduler,
        )
        self.register_to_config(taxonomy=taxonomy)
        self.vae_scale_factor = 2 ** len(vae.config.block_out_channels) if vae is not None else 8
        self._interrupt = False

    @classmethod
    def from_pretrained(cls, path: str, **kwargs: Any) -> OccScenePipeline:
        """Loads a pipeline as diffusers does; one that was saved without a text encoder gets MiniLM."""
        pipeline: OccScenePipeline = super().from_pretrained(path, **kwargs)
        if pipeline.text_encoder is None:
            text_encoder, tokenizer = load_minilm()
            pipeline.register_modules(text_encoder=text_encoder, tokenizer=tokenizer)
        for network in (pipeline.vae, pipeline.denoiser):
            network.to(memory_format=torch.channels_last)  # the layout that convolutions are fast in
        return pipeline

    def check_inputs(
        self,
        cameras: Sequence[PinholeCamera],
        grid: SemanticGrid | None,
        volume: GridVolume | None,
        taxonomy: str,
        num_inference_steps: int,
    ) -> None:
        """Raises a ValueError that names the argument, the value and the limit."""
        if not cameras:
            raise ValueError("cameras is empty; at least one camera is needed")
        sizes = {(camera.width, camera.height) for camera in cameras}
        if len(sizes) > 1:
            raise ValueError(f"cameras have the image sizes {sorted(sizes)}; all views of a scene must have one size")
        multiple = self.image_multiple
        for name, side in zip(("width", "height"), sizes.pop(), strict=True):
            if side % multiple:
                raise ValueError(f"cameras have the {name} {side}; it must be a multiple of {multiple} pixels")
        if grid is None and volume is None:
            raise ValueError("neither grid nor volume is given; text to scene needs the volume to predict")
        if (grid.taxonomy if grid is not None else taxonomy) != self.config.taxonomy:
            raise ValueError(f"taxonomy is {taxonomy!r}; this model knows {self.config.taxonomy!r}")
        if num_inference_steps < 1:
            raise ValueError(f"num_inference_steps is {num_inference_steps}; it must be at least 1")

    @property
    def image_multiple(self) -> int:
        """Sides of an image must be multiples of so many pixels."""
        return self.vae_scale_factor * 2 ** (len(self.denoiser.config.block_out_channels) - 1)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str,
        cameras: Sequence[PinholeCamera],
        grid: SemanticGrid | None = None,
        *,
        negative_prompt: str = "",
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
        num_inference_steps: int = 16,
        text_guidance_scale: float = 3.0,
        occupancy_guidance_scale: float = 2.0,
        seed: int = 0,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents", "denoised", "occupancy"),
    ) -> OccSceneOutput:
        """Generates the views of a scene and predicts its occupancy.

        Args:
            prompt: what the scene looks like.
            cameras: 1 to 16 views of one image size, a multiple of `image_multiple`.
            grid: the blockout; None for text to scene.
            negative_prompt: what it should not look like.
            volume: where to predict occupancy if there is no grid.
            taxonomy: of the prediction if there is no grid.
            num_inference_steps: denoising steps.
            text_guidance_scale: how strongly the prompt is followed; 1 is no guidance.
            occupancy_guidance_scale: how strongly the blockout is followed; 1 is no guidance.
            seed: the same request with the same seed on the same device gives the same bytes.
            callback_on_step_end: called after each step as in diffusers; setting `_interrupt` on the pipeline from it
                ends the loop.
            callback_on_step_end_tensor_inputs: of `latents`, `denoised` (the estimate of the clean latents) and
                `occupancy` (the condition's labels, None in text to scene before the first prediction).

        Raises:
            ValueError: an argument is outside its limits.
        """
        self.check_inputs(cameras, grid, volume, taxonomy, num_inference_steps)
        self._interrupt = False
        device = self._execution_device
        views, height, width = len(cameras), cameras[0].height, cameras[0].width
        size = (height // self.vae_scale_factor, width // self.vae_scale_factor)
        empty = SemanticGrid(
            np.zeros(volume.shape, np.uint8), volume.voxel_size, volume.world_from_grid, taxonomy
        ) if grid is None and volume is not None else None  # fmt: skip
        scene = PlacedScene(
            cameras=CameraTensors.from_cameras([cameras], device=device),
            placed=GridTensors.from_grids([grid or empty], device=device),  # type: ignore[list-item]
            has_blockout=grid is not None,
        )
        with fast_autocast(device):
            text, text_mask = self.encode_text([prompt, negative_prompt])
            latents = randn_tensor(
                (1, views, self.vae.config.latent_channels, *size), torch.Generator("cpu").manual_seed(seed), device
            )
            occupancy = scene.placed.labels if scene.has_blockout else None
            condition = self.encode_conditions(scene, occupancy, size)
            perceive_after = {round(share * num_inference_steps) - 1 for share in PERCEIVE_AT}
            self.scheduler.set_timesteps(num_inference_steps, device=device)
            for index, timestep in enumerate(self.progress_bar(self.scheduler.timesteps)):
                velocity = self.guided_velocity(
                    latents, timestep, text, text_mask, condition,
                    text_guidance_scale, occupancy_guidance_scale if occupancy is not None else 1.0,
                )  # fmt: skip
                denoised = latents - self.scheduler.sigmas[index] * velocity
                latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
                if index in perceive_after and index < num_inference_steps - 1:
                    occupancy = self.refine_occupancy(scene, self.decode_latents(denoised))
                    condition = self.encode_conditions(scene, occupancy, size)
                if callback_on_step_end is not None:
                    arguments = {}
                    for name in callback_on_step_end_tensor_inputs:
                        arguments[name] = locals()[name]
                    latents = callback_on_step_end(self, index, timestep, arguments).pop("latents", latents)
                if self._interrupt:
                    break
            images = self.decode_latents(latents)
            labels = self.perceive(images, scene)[0]
        self.maybe_free_model_hooks()
        placed = grid or empty
        assert placed is not None
        predicted = SemanticGrid(labels.cpu().numpy(), placed.voxel_size, placed.world_from_grid, placed.taxonomy)
        return OccSceneOutput(images=to_uint8(images[0]), grid=predicted)

    @torch.no_grad()
    def predict_occupancy(
        self,
        images: NDArray[np.uint8],
        cameras: Sequence[PinholeCamera],
        *,
        blockout: SemanticGrid | None = None,
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
    ) -> SemanticGrid:
        """Predicts the occupancy that posed images show.

        Args:
            images: (V, height, width, 3) uint8 sRGB, all of the cameras' size.
            cameras: one an image.
            blockout: what is known of the scene; None for the images alone.
            volume: where to predict if there is no blockout.
            taxonomy: of the prediction if there is no blockout.
        """
        self.check_inputs(cameras, blockout, volume, taxonomy, 1)
        expected = (len(cameras), cameras[0].height, cameras[0].width, 3)
        if images.shape != expected:
            raise ValueError(f"images has shape {images.shape}; the cameras ask for {expected}")
        device = self._execution_device
        place = blockout.volume if blockout is not None else volume
        assert place is not None
        placed = blockout or SemanticGrid(
            np.zeros(place.shape, np.uint8), place.voxel_size, place.world_from_grid, taxonomy
        )
        scene = PlacedScene(
            CameraTensors.from_cameras([cameras], device=device),
            GridTensors.from_grids([placed], device=device),
            has_blockout=blockout is not None,
        )
        tensor = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()[None] / 127.5 - 1.0
        with fast_autocast(device):
            labels = self.perceive(tensor, scene)[0]
        return SemanticGrid(labels.cpu().numpy(), place.voxel_size, place.world_from_grid, placed.taxonomy)

    def encode_text(self, prompts: list[str]) -> tuple[Tensor, Tensor]:
        """Token states and mask of prompts."""
        return encode_prompts(self.text_encoder, self.tokenizer, prompts)

    def encode_conditions(self, scene: PlacedScene, occupancy: Tensor | None, size: tuple[int, int]) -> Condition:
        """The condition with the occupancy and without, stacked to a batch of two; without alone if there is none.

        Args:
            scene: cameras and blockout.
            occupancy: (1, X, Y, Z) labels for dual alignment.
            size: (h, w) of the latents.
        """
        grid = scene.placed
        if occupancy is not None and not scene.has_blockout:
            grid = grid.with_labels(occupancy)
        unknown = torch.ones(1, dtype=torch.bool, device=grid.labels.device)
        without = self.denoiser.encode_condition(grid, scene.cameras, size, dropped=unknown)
        if occupancy is None:
            return without
        known = self.denoiser.encode_condition(grid, scene.cameras, size, occupancy)
        return Condition(torch.cat([known.features, without.features]), torch.cat([known.positions, without.positions]))

    def guided_velocity(
        self,
        latents: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor,
        condition: Condition,
        text_scale: float,
        occupancy_scale: float,
    ) -> Tensor:
        """Velocity with two guidance scales, all passes in one batch.

        v = v(none) + s_occ (v(occ) - v(none)) + s_text (v(text, occ) - v(occ)), after Brooks et al. 2023
        ("InstructPix2Pix", equation 3); passes that a scale of 1 cancels are left out.
        """
        # rows: (text, condition) with text 0 = prompt, 1 = negative; condition 0 = occupancy, -1 = none
        rows = [(0, 0)]
        if text_scale != 1.0:
            rows.append((1, 0))
        if occupancy_scale != 1.0:
            rows.append((1 if text_scale != 1.0 else 0, -1))
        which_text = [row[0] for row in rows]
        which = [row[1] % len(condition.features) for row in rows]
        velocities = self.denoiser(
            latents.expand(len(rows), -1, -1, -1, -1),
            timestep.expand(len(rows)),
            text[which_text],
            text_mask[which_text],
            Condition(condition.features[which], condition.positions[which]),
        ).float()
        result = velocities[:1]
        if text_scale != 1.0:
            result = velocities[1:2] + text_scale * (result - velocities[1:2])
        if occupancy_scale != 1.0:
            base = velocities[1:2] if text_scale != 1.0 else velocities[:1]
            result = result + (occupancy_scale - 1.0) * (base - velocities[-1:])
        return result

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Normalised latents (B, V, channel, h, w) to images (B, V, 3, height, width) in [-1, 1]."""
        flat = self.vae.denormalize(latents.flatten(0, 1).float())
        images = self.vae.decode(flat.contiguous(memory_format=torch.channels_last)).sample
        return images.float().clamp(-1.0, 1.0).unflatten(0, latents.shape[:2])

    def perceive(self, images: Tensor, scene: PlacedScene) -> Tensor:
        """Images (1, V, 3, height, width) to predicted labels (1, X, Y, Z) uint8."""
        blockout = scene.placed.labels if scene.has_blockout else None
        logits = self.perception(images, scene.cameras, scene.placed.volume, blockout)
        return logits.argmax(dim=1).to(torch.uint8)

    def refine_occupancy(self, scene: PlacedScene, images: Tensor) -> Tensor:
        """The occupancy for the next steps: what the artist placed, and what perception sees where she left space."""
        return torch.where(scene.placed.occupied(), scene.placed.labels, self.perceive(images, scene))

    @torch.no_grad()
    def preview(self, latents: Tensor) -> NDArray[np.uint8]:
        """Latents (1, V, channel, h, w) of a step to small images (V, height / 2, width / 2, 3)."""
        images = self.decode_latents(latents)[0]
        return to_uint8(torch.nn.functional.avg_pool2d(images, 2))


@dataclass(frozen=True)
class PlacedScene:
    """What a request places in the world: cameras, the blockout (or an empty grid), and which of the two it is."""

    cameras: CameraTensors
    placed: GridTensors
    has_blockout: bool


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Images (V, 3, height, width) in [-1, 1] to (V, height, width, 3) uint8."""
    scaled = ((images.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    result: NDArray[np.uint8] = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return result
