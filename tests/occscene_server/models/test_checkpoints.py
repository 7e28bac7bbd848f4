"""Checkpoints of any form are found and loaded, or refused with the way out, without a connection."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.models.checkpoint_source import find_checkpoint
from occscene_server.models.checkpoints import Checkpoint, load_checkpoint
from occscene_server.models.presets import PRESETS, SDXL
from tests.occscene_server.pipelines.single_file import save_single_file
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_control, save_tiny_kit, save_tiny_xl
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion

NO_CONTROL = CheckpointOptions(controls=("none",))


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    root = tmp_path_factory.mktemp("kit")
    return root, save_tiny_kit(root, "sd")[0]


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    for module in ("huggingface_hub.constants", "huggingface_hub._snapshot_download"):
        monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    return tmp_path / "hub"


def put(hub: Path, repo: str, revision: str, folder: Path) -> Path:
    """Puts a folder into the cache as a revision of a repository."""
    place = hub / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs/main").write_text(revision)
    return Path(shutil.copytree(folder, place / "snapshots" / revision))


def load(model: Path | str, options: CheckpointOptions = NO_CONTROL, configuration: Path | None = None) -> Checkpoint:
    source = find_checkpoint(str(model), configuration)
    assert source is not None
    return load_checkpoint(source, options, torch.float32)


def same(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    first, second = ours.state_dict(), theirs.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_folder_is_loaded_as_it_is(kit: tuple[Path, Any]) -> None:
    loaded = load(kit[0] / "checkpoint")
    assert (loaded.name, loaded.family.name, loaded.side, loaded.multiple) == ("checkpoint", "sd", 64, 16)
    same(loaded.unet, kit[1].unet)
    same(loaded.vae, kit[1].vae)
    assert not any(parameter.requires_grad for net in loaded.networks for parameter in net.parameters())


def test_a_single_file_is_the_folder_it_was_made_from(kit: tuple[Path, Any], tmp_path: Path) -> None:
    save_single_file(kit[1], tmp_path / "artist.safetensors")
    loaded = load(tmp_path / "artist.safetensors", configuration=kit[0] / "checkpoint")
    assert loaded.name == "artist"
    same(loaded.unet, kit[1].unet)
    same(loaded.vae, kit[1].vae)
    same(loaded.prompts.encoders[0], kit[1].text_encoder)


def test_a_single_file_takes_the_familys_configuration_from_the_cache(
    kit: tuple[Path, Any], tmp_path: Path, hub: Path
) -> None:
    save_single_file(kit[1], tmp_path / "artist.safetensors")
    usual = PRESETS["sd15"].family.configuration
    with pytest.raises(FileNotFoundError, match=rf"`occscene-server models get {usual.repo} --configuration`"):
        load(tmp_path / "artist.safetensors")
    put(hub, usual.repo, usual.revision, kit[0] / "checkpoint")
    same(load(tmp_path / "artist.safetensors").unet, kit[1].unet)


def test_a_hub_id_is_taken_from_the_cache(kit: tuple[Path, Any], hub: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`occscene-server models get artist/paints`"):
        find_checkpoint("artist/paints")
    put(hub, "artist/paints", "abc", kit[0] / "checkpoint")
    loaded = load("artist/paints")
    assert loaded.name == "artist/paints"
    same(loaded.unet, kit[1].unet)


def test_a_preset_names_what_is_missing_and_is_loaded_once_it_is_there(hub: Path, tmp_path: Path) -> None:
    preset = PRESETS["sdxl"]
    with pytest.raises(FileNotFoundError, match=r"`occscene-server models get sdxl`") as missing:
        find_checkpoint("sdxl")
    assert all(part.repo in str(missing.value) and part.license in str(missing.value) for part in preset.parts)
    pipeline = save_tiny_xl(tmp_path / "plain")
    pipeline.save_pretrained(tmp_path / "xl", variant="fp16")
    pipeline.vae.save_pretrained(tmp_path / "vae")
    save_tiny_control(tmp_path / "union", pipeline.unet, union=True)
    assert preset.vae is not None
    for part, folder in ((preset.checkpoint, "xl"), (preset.vae, "vae"), (SDXL.controls[0].files, "union")):
        put(hub, part.repo, part.revision, tmp_path / folder)
    loaded = load("sdxl", CheckpointOptions())
    assert (loaded.name, loaded.license, loaded.is_xl) == ("sdxl", "openrail++", True)
    assert [(control.kind, control.map, control.strength, control.end) for control in loaded.controls] == [
        ("depth", "depth", 0.6, 0.8), ("segment", "instances", 0.4, 0.5),
    ]  # fmt: skip
    assert loaded.controls[0].network is loaded.controls[1].network
    same(loaded.unet, pipeline.unet)


def test_pickles_are_refused_before_anything_is_read(kit: tuple[Path, Any], tmp_path: Path) -> None:
    for name in ("model.ckpt", "model.pt", "model.bin"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ValueError, match=rf"{name}: only .safetensors files are read.*safe_serialization"):
            find_checkpoint(str(tmp_path / name))
    folder = shutil.copytree(kit[0] / "checkpoint", tmp_path / "pickled")
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.rename(weights.with_name("diffusion_pytorch_model.bin"))
    with pytest.raises(ValueError, match=r"unet/diffusion_pytorch_model.bin: only .safetensors"):
        find_checkpoint(str(folder))
    shutil.rmtree(folder / "unet")
    with pytest.raises(ValueError, match="lacks unet"):
        find_checkpoint(str(folder))


def _with_index(kit: tuple[Path, Any], folder: Path, **changes: Any) -> Path:
    shutil.copytree(kit[0] / "checkpoint", folder)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "FluxPipeline"}, "is a FluxPipeline; this server runs OccScenePipeline, and text-to-image"),
        ({"_class_name": "StableDiffusionInpaintPipeline"}, "is a StableDiffusionInpaintPipeline"),
        ({"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": True}, "refiner"),
    ],
)
def test_other_pipelines_are_refused_by_name(
    kit: tuple[Path, Any], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        find_checkpoint(str(_with_index(kit, tmp_path / "other", **changes)))


def test_a_network_of_nine_channels_is_refused(tmp_path: Path) -> None:
    save_tiny_xl(tmp_path / "inpaint", in_channels=9)
    with pytest.raises(ValueError, match="inpaint is an inpainting checkpoint: its network takes 9 channels, not 4"):
        load(tmp_path / "inpaint")


def test_files_that_are_no_checkpoint_are_refused(kit: tuple[Path, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--lora"):
        find_checkpoint(str(kit[0] / "control/diffusion_pytorch_model.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="is no safetensors file"):
        find_checkpoint(str(tmp_path / "cut.safetensors"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        find_checkpoint(str(tmp_path / "away.safetensors"))
    with pytest.raises(FileNotFoundError, match="one of sdxl, sdxl-lightning, sd15"):
        find_checkpoint("no-such-preset")
    refiner = {"conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias": torch.zeros(2),
               "model.diffusion_model.input_blocks.0.0.bias": torch.zeros(1)}  # fmt: skip
    save_file(refiner, tmp_path / "refiner.safetensors")
    with pytest.raises(ValueError, match="xl refiner"):
        find_checkpoint(str(tmp_path / "refiner.safetensors"))


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("depth={root}/checkpoint/unet", "--control takes ControlNets"),
        ("depth={root}/checkpoint", "has no config.json"),
        ("depth={root}/nowhere", "is no folder"),
        ("depth={xl}", "made for another family"),
        ("normal", "has no usual ControlNet"),
    ],
)
def test_control_nets_that_do_not_fit_are_refused(
    kit: tuple[Path, Any], tmp_path: Path, hub: Path, control: str, message: str
) -> None:
    save_tiny_control(tmp_path / "xl-control", save_tiny_xl(tmp_path / "xl").unet)
    named = control.format(root=kit[0], xl=tmp_path / "xl-control")
    with pytest.raises(ValueError, match=message):
        load(kit[0] / "checkpoint", CheckpointOptions(controls=(named,)))


def test_a_plain_control_net_is_of_one_kind(kit: tuple[Path, Any]) -> None:
    source = kit[0] / "control"
    with pytest.raises(ValueError, match="can be one kind only"):
        load(kit[0] / "checkpoint", CheckpointOptions(controls=(f"depth={source}", f"segment={source}")))


def test_an_adapter_is_added_with_its_weight(kit: tuple[Path, Any], tmp_path: Path) -> None:
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    own = kit[1].unet.get_submodule(layer.removeprefix("unet.")).weight
    down, up = torch.randn(2, own.shape[1]), torch.randn(own.shape[0], 2)
    save_file({f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up}, tmp_path / "style.safetensors")
    options = CheckpointOptions(controls=("none",), loras=(f"{tmp_path / 'style.safetensors'}:0.5",))
    changed = load(kit[0] / "checkpoint", options).unet
    weight = changed.get_submodule(layer.removeprefix("unet.")).weight
    torch.testing.assert_close(weight, own + 0.5 * up @ down)
    assert changed.state_dict().keys() == kit[1].unet.state_dict().keys()
    with pytest.raises(ValueError, match=r"style.pt.*only .safetensors"):
        CheckpointOptions(loras=("style.pt",))
    save_file({"text.lora_A.weight": down}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="cannot be added"):
        load(kit[0] / "checkpoint", CheckpointOptions(controls=("none",), loras=(str(tmp_path / "other.safetensors"),)))


def test_another_autoencoder_takes_the_place_of_the_checkpoints_own(kit: tuple[Path, Any], tmp_path: Path) -> None:
    other = save_tiny_stable_diffusion(tmp_path / "other").vae
    torch.nn.init.zeros_(other.post_quant_conv.bias)
    other.save_pretrained(tmp_path / "vae")
    same(load(kit[0] / "checkpoint", CheckpointOptions(controls=("none",), vae=str(tmp_path / "vae"))).vae, other)


def test_prediction_type_and_sampler_can_be_chosen(kit: tuple[Path, Any]) -> None:
    loaded = load(kit[0] / "checkpoint", CheckpointOptions(controls=("none",), prediction_type="v", sampler="ddim"))
    assert loaded.scheduler.config.prediction_type == "v_prediction"
    assert type(loaded.scheduler).__name__ == "DDIMScheduler"
    assert load(kit[0] / "checkpoint").scheduler.config.use_karras_sigmas


def test_half_precision_leaves_an_autoencoder_that_would_overflow_in_full(tmp_path: Path) -> None:
    save_tiny_xl(tmp_path / "xl")
    source = find_checkpoint(str(tmp_path / "xl"))
    assert source is not None
    loaded = load_checkpoint(source, NO_CONTROL, torch.float16)
    assert loaded.unet.dtype == torch.float16
    assert loaded.vae.dtype == torch.float32


def test_options_outside_their_limits_are_named() -> None:
    for options, message in (
        ({"sampler": "best"}, "--sampler is 'best'; it must be one of dpm"),
        ({"controls": ("depht",)}, "--control is 'depht'; it must be KIND"),
        ({"controls": ("depth:9",)}, "0 to 2"),
        ({"controls": ("depth:1:0.8-0.2",)}, "start < end"),
        ({"controls": ("depth", "depth:1")}, "depth twice"),
        ({"views_at_once": 17}, "1 to 16"),
        ({"loras": ("a.safetensors:1.2.3",)}, "weight"),
    ):
        with pytest.raises(ValueError, match=message):
            CheckpointOptions(**options)  # type: ignore[arg-type]


def test_the_license_is_what_the_card_says(kit: tuple[Path, Any], tmp_path: Path) -> None:
    folder = shutil.copytree(kit[0] / "checkpoint", tmp_path / "with-card")
    (folder / "README.md").write_text("---\ntags:\n- art\nlicense: openrail++\n---\n# Card\nlicense: none\n")
    assert load(folder).license == "openrail++"
    assert load(kit[0] / "checkpoint").license == "unknown: see the model's page"


def test_nothing_in_a_saved_file_is_lost(kit: tuple[Path, Any], tmp_path: Path) -> None:
    written = save_single_file(kit[1], tmp_path / "one.safetensors")
    assert load_file(tmp_path / "one.safetensors").keys() == written.keys()
