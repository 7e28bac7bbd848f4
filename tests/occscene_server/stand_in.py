"""A pipeline with the interface of OccScenePipeline and no model: what the server's own tests run.

Prompts steer it: "until FILE" repeats the second step until that file is there, "half until FILE" waits for it after
the first view, "crash" kills the process in the middle, "slow" sleeps at each step, "asleep" hangs in the second,
"lingers" takes its time before the first step and for each finished view, "error" raises, "hungry" runs out of memory
above `MEMORY_PIXELS`, "broken" fails as a CUDA device does that is lost for the process, "holds FILE" writes a line
into that file and raises if another run does the same at the time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.mesh import TriangleMesh

from occscene_server.engine.model_info import describe
from occscene_server.engine.pipeline_loader import LoadedPipeline

ENDLESS = "until /that/never/is"
"""The prompt of a job that runs until it is cancelled."""

MEMORY_PIXELS = 4 * 128 * 128
"""Pixels of all views together that a hungry prompt has memory for."""


class AcceleratorError(RuntimeError):
    """Named as torch's."""


class SlowViews:
    """Views that come one after the other, the second not before a file is there if one is named."""

    def __init__(self, images: NDArray[np.uint8], file: str = "") -> None:
        self._images, self._file = images, file

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for number, image in enumerate(self._images):
            time.sleep(0.2)
            while number == 1 and self._file and not os.path.exists(self._file):
                time.sleep(0.05)
            yield image


@dataclass
class Output:
    """Views (V, H, W, 3) and occupancy."""

    images: NDArray[np.uint8] | SlowViews
    grid: SemanticGrid
    source: str = "views"


@contextlib.contextmanager
def held(path: str) -> Iterator[None]:
    """Locks a file for the time of the block, or of the process, and writes a line into it.

    Raises:
        BlockingIOError: it is locked.
    """
    import fcntl

    with open(path, "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print(os.getpid(), file=file, flush=True)
        yield


class StandInPipeline:
    """Noise of the seed for views, and the blockout itself for occupancy."""

    config = SimpleNamespace(taxonomy="indoor", default_steps=12)
    guided_decoder: object | None = None

    def __call__(
        self,
        prompt: str,
        cameras: Sequence[PinholeCamera],
        grid: SemanticGrid | None = None,
        *,
        finer: SemanticGrid | None = None,
        meshes: TriangleMesh | None = None,
        negative_prompt: str = "",
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
        num_inference_steps: int = 12,
        text_guidance_scale: float = 2.0,
        occupancy_guidance_scale: float = 2.0,
        seed: int = 0,
        start: NDArray[np.uint8] | None = None,
        strength: float = 0.6,
        known: Mapping[int, NDArray[np.uint8]] | None = None,
        sun_elevation: float | None = None,
        sun_azimuth: float | None = None,
        callback_on_step_end: Callable[..., dict[str, Any]] | None = None,
    ) -> Output:
        """Denoises nothing, step by step; a weak strength returns what it begins at."""
        if "holds " in prompt:
            with held(prompt.split("holds ")[1]):
                return self(
                    prompt.split("holds ")[0],
                    cameras,
                    grid,
                    num_inference_steps=num_inference_steps,
                    seed=seed,
                    callback_on_step_end=callback_on_step_end,
                )
        self.grid, self.meshes = grid, meshes
        self.num_timesteps = num_inference_steps
        rng = np.random.default_rng(seed)
        latents = rng.integers(0, 256, (len(cameras), 8, 8, 3), np.uint8)
        if "lingers" in prompt:
            time.sleep(0.3)
        for step in range(num_inference_steps):
            if "asleep" in prompt and step == 1:
                time.sleep(1e6)
            if "slow" in prompt:
                time.sleep(0.1)
            if "crash" in prompt and step == num_inference_steps // 2:
                os._exit(9)
            if "hungry" in prompt and len(cameras) * cameras[0].width * cameras[0].height > MEMORY_PIXELS:
                raise MemoryError("no room for the views")
            if "broken" in prompt:
                raise AcceleratorError("CUDA error: an illegal memory access was encountered")
            if "error" in prompt:
                raise ValueError("the stand-in was asked for an error")
            if callback_on_step_end is not None:
                tensors = {"latents": latents, "denoised": latents, "occupancy": None}
                callback_on_step_end(self, step, 0, tensors)
                while step == 1 and prompt.startswith("until ") and not os.path.exists(prompt[6:]):
                    time.sleep(0.05)
                    callback_on_step_end(self, step, 0, tensors)
        shape = (len(cameras), cameras[0].height, cameras[0].width, 3)
        if grid is None:
            assert volume is not None
            grid = SemanticGrid(np.ones(volume.shape, np.uint8), volume.voxel_size, volume.world_from_grid, taxonomy)
        images = rng.integers(0, 256, shape, np.uint8)
        if start is not None and strength < 0.5:
            images = start
        if "half until " in prompt:
            return Output(SlowViews(images, prompt.split("half until ")[1]), grid)
        return Output(SlowViews(images) if "lingers" in prompt else images, grid)

    def draw_draft(
        self,
        prompt: str,
        cameras: Sequence[PinholeCamera],
        grid: SemanticGrid,
        *,
        finer: SemanticGrid | None = None,
        meshes: TriangleMesh | None = None,
        seed: int = 0,
        sun_elevation: float | None = None,
        sun_azimuth: float | None = None,
    ) -> Output:
        """The same views as with no step."""
        return self(prompt, cameras, grid, meshes=meshes, seed=seed, num_inference_steps=0)

    def preview(self, latents: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The latents themselves."""
        return latents

    def predict_occupancy(
        self,
        images: NDArray[np.uint8],
        cameras: Sequence[PinholeCamera],
        *,
        blockout: SemanticGrid | None = None,
        volume: GridVolume | None = None,
        taxonomy: str = "indoor",
    ) -> SemanticGrid:
        """A grid full of the class that the first pixel's red says."""
        if blockout is not None:
            volume = blockout.volume
        if volume is None:
            volume = GridVolume((6, 5, 4), 0.08, np.eye(4))
        labels = np.full(volume.shape, images[0, 0, 0, 0] % 12, np.uint8)
        return SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy)


def load_stand_in(model: str, device: str) -> LoadedPipeline:
    """Loads at once, or as the model's name says.

    "missing" raises; "dies" kills the process unless a folder of that name is there; "hangs" does not come to an end;
    "late" takes a second.
    """
    if model == "missing":
        raise OSError("no such model")
    if model.endswith("dies") and not os.path.isdir(model):
        os._exit(7)
    if model == "hangs":
        time.sleep(1e6)
    if model == "late":
        time.sleep(1.0)
    pipe = StandInPipeline()
    return LoadedPipeline(pipe, "cpu", describe(model, pipe))
