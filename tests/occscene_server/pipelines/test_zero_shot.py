"""The zero-shot loop at one view is diffusers' own ControlNet pipelines, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from diffusers import (
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
)
from occscene.grid import GridObject

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.control_maps import control_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.models.checkpoint_source import find_checkpoint
from occscene_server.models.checkpoints import load_checkpoint
from occscene_server.pipelines.zero_shot import ZeroShotPipeline
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit
from tests.occscene_server.training.test_chain import tiny_scene

SCENE = tiny_scene(1)
CAMERA = SCENE.cameras[:1]
BLOCKOUT = replace(SCENE.blockout, objects=(GridObject(1, "sofa"), GridObject(2, "wall")))
"""Without words and colors of objects, which diffusers' pipelines know nothing of."""
KITS = [
    ("sd", "epsilon", False), ("sd", "v_prediction", False), ("sdxl", "epsilon", False), ("sdxl", "epsilon", True),
    ("sdxl", "v_prediction", True),
]  # fmt: skip
SAMPLERS = ("euler", "dpm++-2m-karras", "unipc", "ddim", "euler-a")


@pytest.fixture(scope="module", params=KITS, ids=lambda kit: "-".join(map(str, kit)))
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    root = tmp_path_factory.mktemp("kit")
    family, prediction_type, union = request.param
    return Kit(root, save_tiny_kit(root, family, prediction_type, union)[0], family, union)


class Kit(NamedTuple):
    root: Path
    pipeline: Any
    family: str
    union: bool


def zero_shot(root: Path, *controls: str, sampler: str = "euler", **options: Any) -> ZeroShotPipeline:
    """The pipeline with controls of the folder `control`, each `KIND:STRENGTH...`."""
    named = [control.replace(":", f"={root / 'control'}:", 1) for control in controls]
    source = find_checkpoint(str(root / "checkpoint"))
    assert source is not None
    chosen = CheckpointOptions(controls=tuple(named) or ("none",), sampler=sampler)
    return ZeroShotPipeline(load_checkpoint(source, chosen, torch.float32), **options)


def theirs(kit: Kit, ours: ZeroShotPipeline, **options: Any) -> np.ndarray:
    """What diffusers draws of the same maps, with the same scheduler and networks.

    Networks read a second time have the same numbers at other addresses, which oneDNN may add up in another order.
    """
    kind = StableDiffusionControlNetPipeline if kit.family == "sd" else (
        StableDiffusionXLControlNetUnionPipeline if kit.union else StableDiffusionXLControlNetPipeline
    )  # fmt: skip
    scheduler = type(ours.checkpoint.scheduler).from_config(ours.checkpoint.scheduler.config)
    extra = {"requires_safety_checker": False} if kit.family == "sd" else {"add_watermarker": False}
    network = ours.checkpoint.controls[0].network
    same = {"scheduler": scheduler, "unet": ours.checkpoint.unet, "vae": ours.checkpoint.vae}
    same |= dict(zip(("text_encoder", "text_encoder_2"), ours.checkpoint.prompts.encoders, strict=False))
    pipe = kind(**kit.pipeline.components | same, controlnet=network, **extra)
    pipe.set_progress_bar_config(disable=True)
    pixels = shown_map(ours.checkpoint.controls[0].map)
    shown = {"control_image": [pixels], "control_mode": [1]} if kit.union else {"image": pixels}
    images: np.ndarray = pipe(**shown, height=64, width=64, output_type="np", **options).images
    return images


def shown_map(kind: str) -> torch.Tensor:
    cameras = CameraTensors.from_cameras([CAMERA])
    buffer = scene_gbuffer(GridTensors.from_grids([SCENE.blockout]), (), cameras, (64, 64))
    return control_maps((kind,), buffer, SCENE.blockout, cameras)[kind]


def noise(views: int = 1) -> torch.Tensor:
    return torch.randn(views, 4, 8, 8, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_view_is_what_diffusers_draws(kit: Kit, sampler: str) -> None:
    root = kit.root
    ours = zero_shot(root, "depth:0.7:0-0.8", sampler=sampler)
    mine = ours("a bright room", CAMERA, BLOCKOUT, negative_prompt="blue", num_inference_steps=5, seed=3,
                text_guidance_scale=4.0, latents=noise(), output_type="np").images  # fmt: skip
    expected = theirs(
        kit, ours, prompt="a bright room", negative_prompt="blue", num_inference_steps=5,
        guidance_scale=4.0, latents=noise(), controlnet_conditioning_scale=0.7, control_guidance_end=0.8,
        generator=torch.Generator().manual_seed(3),
    )  # fmt: skip
    np.testing.assert_array_equal(mine, expected)


def test_without_negative_prompt_and_guidance_it_is_too(kit: Kit) -> None:
    root = kit.root
    ours = zero_shot(root, "depth:1")
    for scale in (1.0, 5.0):
        mine = ours("a bright room", CAMERA, BLOCKOUT, num_inference_steps=3, text_guidance_scale=scale,
                    latents=noise(), output_type="np").images  # fmt: skip
        expected = theirs(kit, ours, prompt="a bright room", num_inference_steps=3, guidance_scale=scale,
                          latents=noise(), control_guidance_end=0.8)  # fmt: skip
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.slow
def test_no_strength_is_no_control_net(kit: Kit) -> None:
    """Also of a union with two types, whose residuals diffusers leaves unscaled."""
    root = kit.root
    kinds = ("depth", "segment") if kit.union else ("depth",)

    def drawn(*controls: str, scale: float = 1.0) -> np.ndarray:
        images: np.ndarray = zero_shot(root, *controls)(
            "a", CAMERA, BLOCKOUT, num_inference_steps=3, latents=noise(), output_type="np",
            occupancy_guidance_scale=scale,
        ).images  # fmt: skip
        return images

    plain = drawn()
    np.testing.assert_array_equal(drawn(*(f"{kind}:0" for kind in kinds)), plain)
    np.testing.assert_array_equal(drawn(*(f"{kind}:0.8" for kind in kinds), scale=0.0), plain)
    assert np.abs(drawn(*(f"{kind}:0.8" for kind in kinds)) - plain).max() > 1e-3
