"""A checkpoint that was trained, in minutes, to paint flat colors from maps of classes: maps and words are obeyed.

What is drawn by random weights says nothing of that. The latents are the pixels, at half the size.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, DDIMScheduler, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from occscene.grid import SemanticGrid
from occscene.taxonomy import INDOOR
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from occscene_server.geometry.ade20k import ADE20K, ade20k_class
from occscene_server.models.checkpoints import Checkpoint
from occscene_server.models.clip_prompts import ClipPrompts
from occscene_server.models.control_nets import Control
from occscene_server.models.presets import SD
from occscene_server.models.samplers import sampler_named
from occscene_server.pipelines.zero_shot import ZeroShotPipeline
from tests.occscene_server.geometry.closed_room import closed_room, corner_cameras, room_buffer
from tests.studio_checkpoint import fresh_control_net, tokenizer_of

pytestmark = [pytest.mark.release, pytest.mark.slow, pytest.mark.timeout(3600)]

SIDE, BATCH, STEPS = 32, 4, 700
PAINTS = {"ceiling": (0.9, 0.9, 0.5), "floor": (-0.6, -0.4, 0.6), "wall": (0.3, -0.8, 0.7)}
WORDS = {"red": (0.9, -0.9, -0.9), "green": (-0.9, 0.9, -0.9), "gray": (0.0, 0.0, 0.0)}
"""Of the furniture, which has the color that the words say."""
FURNITURE = ("sofa", "table")


class PixelAutoencoder(ModelMixin, ConfigMixin):
    """Stable Diffusion's interface to latents that are the pixels at half the size, and a fourth channel of zeros."""

    @register_to_config
    def __init__(self, block_out_channels: tuple[int, ...] = (1, 1), scaling_factor: float = 1.0) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))  # has the device and the type

    def encode(self, images: Tensor) -> SimpleNamespace:
        """Images (V, 3, 2 h, 2 w) to what has their latents (V, 4, h, w) as its mode."""
        small = F.avg_pool2d(images, 2)
        latents = torch.cat([small, torch.zeros_like(small[:, :1])], 1)
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: latents))

    def decode(self, latents: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        """The reverse."""
        return (F.interpolate(latents[:, :3], scale_factor=2.0),)


def drawn_rooms(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[str]]:
    """Labels (N, h, w) of flat rooms with boxes of furniture, and the word for its color."""
    index = {name: INDOOR.index_of(name) for name in (*PAINTS, *FURNITURE)}
    labels = np.full((count, SIDE, SIDE), index["wall"])
    for room in labels:
        room[: rng.integers(0, 10)] = index["ceiling"]
        room[SIDE - rng.integers(4, 16) :] = index["floor"]
        for _ in range(rng.integers(1, 4)):
            top, left, height, width = rng.integers((4, 0, 5, 5), (24, 26, 16, 20))
            room[top : top + height, left : left + width] = index[FURNITURE[rng.integers(2)]]
    return labels, [list(WORDS)[number] for number in rng.integers(len(WORDS), size=count)]


def painted(labels: np.ndarray, words: list[str]) -> Tensor:
    """The images (N, 3, 2 h, 2 w) in [-1, 1] that are right."""
    images = np.zeros((*labels.shape, 3), np.float32)
    for name, color in PAINTS.items():
        images[labels == INDOOR.index_of(name)] = color
    for image, room, word in zip(images, labels, words, strict=True):
        image[np.isin(room, [INDOOR.index_of(name) for name in FURNITURE])] = WORDS[word]
    return F.interpolate(torch.from_numpy(images).movedim(-1, 1), scale_factor=2.0)


def shown_map(labels: np.ndarray) -> Tensor:
    """The control maps (N, 3, 2 h, 2 w) in [0, 1] of labels."""
    table = np.zeros((len(INDOOR), 3), np.float32)
    for name in (*PAINTS, *FURNITURE):
        label = INDOOR.index_of(name)
        table[label] = np.array(ADE20K.classes[ade20k_class("indoor", label, name)].color) / 255
    return F.interpolate(torch.from_numpy(table[labels]).movedim(-1, 1), scale_factor=2.0)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """Trained jointly, as a ControlNet and its checkpoint never are; a fifth of the samples have no map."""
    torch.manual_seed(0)
    tokenizer = tokenizer_of([f"a room, {word} sofa, {word} table" for word in WORDS])
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=SIDE, in_channels=4, out_channels=4, block_out_channels=(32, 64), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, attention_head_dim=4, norm_num_groups=8,
    )  # fmt: skip
    control = fresh_control_net(unet, (8, 16))
    vae = PixelAutoencoder()
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        set_alpha_to_one=False, steps_offset=1, clip_sample=False,
    )  # fmt: skip
    parameters = [parameter for net in (text, unet, control) for parameter in net.parameters()]
    optimizer = torch.optim.AdamW(parameters, 3e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        labels, words = drawn_rooms(rng, BATCH)
        clean = vae.encode(painted(labels, words)).latent_dist.mode()
        texts = ["" if rng.random() < 0.1 else f"a room, {word} {rng.choice(FURNITURE)}" for word in words]
        tokens = tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt").input_ids
        noise, time = torch.randn_like(clean), torch.randint(1000, (BATCH,))
        noisy, states = scheduler.add_noise(clean, noise, time), text(tokens)[0]
        down, middle = control(noisy, time, states, shown_map(labels), return_dict=False)
        on = (torch.rand(BATCH, 1, 1, 1) >= 0.2).float()
        predicted = unet(
            noisy, time, states, down_block_additional_residuals=[part * on for part in down],
            mid_block_additional_residual=middle * on, return_dict=False,
        )[0]  # fmt: skip
        loss = (predicted - scheduler.get_velocity(clean, noise, time)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    for network in (text, unet, control, vae):
        network.requires_grad_(False).eval()
    return Checkpoint(
        "trained", SD, "", vae, unet, ClipPrompts([tokenizer], [text], False),
        sampler_named("dpm++-2m-karras", scheduler.config), "dpm++-2m-karras",
        [Control("segment", control, False, 1.0)],
    )  # fmt: skip


def views_of(
    checkpoint: Checkpoint, grid: SemanticGrid, prompt: str, scale: float = 1.0, text_scale: float = 1.5
) -> Tensor:
    pipe = ZeroShotPipeline(checkpoint, consistency="none")
    images: Tensor = pipe(
        prompt, corner_cameras(side=2 * SIDE), grid, text_guidance_scale=text_scale, occupancy_guidance_scale=scale,
        output_type="pt",
    ).images  # fmt: skip
    return F.avg_pool2d(images, 2) * 2 - 1  # the size that the network draws


def nearest(images: Tensor) -> tuple[Tensor, list[str]]:
    """Which of all colors each pixel (V, h, w) is nearest to, and their names."""
    colors = torch.tensor([*PAINTS.values(), *WORDS.values()])
    distances = (images.movedim(1, -1)[..., None, :] - colors).square().sum(-1)
    return distances.argmin(-1), [*PAINTS, *WORDS]


def seen_labels() -> Tensor:
    return room_buffer(corner_cameras(side=2 * SIDE), (SIDE, SIDE))[0].labels[0]


def accuracy(images: Tensor, word: str) -> float:
    """The share of pixels that have the color of what they show."""
    found, names = nearest(images)
    right = [name if name in PAINTS else word for name in (entry.name for entry in INDOOR.classes)]
    labels = seen_labels()
    wanted = torch.tensor([names.index(name) if name in names else -1 for name in right])[labels]
    return float((found == wanted).float().mean())


def test_maps_are_obeyed_at_full_strength_and_not_at_none(checkpoint: Checkpoint) -> None:
    assert accuracy(views_of(checkpoint, closed_room(), "a room, green sofa"), "green") > 0.9
    assert accuracy(views_of(checkpoint, closed_room(), "a room, green sofa", scale=0.0), "green") < 0.6


def test_objects_have_the_colors_of_their_own_words(checkpoint: Checkpoint) -> None:
    grid = closed_room()
    prompts = {"sofa": "red sofa", "table": "green table"}
    worded = replace(grid, objects=tuple(replace(item, prompt=prompts[item.name]) for item in grid.objects))
    found, names = nearest(views_of(checkpoint, worded, "a room", text_scale=4.0))
    labels = seen_labels()
    for name, word, other in (("sofa", "red", "green"), ("table", "green", "red")):
        own = found[labels == INDOOR.index_of(name)]
        assert len(own) > 100
        shares = {each: float((own == names.index(each)).float().mean()) for each in WORDS}
        assert shares[word] > 0.5, (name, shares)
        assert shares[other] < 0.05, (name, shares)
