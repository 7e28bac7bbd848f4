"""Running out of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.events import REASONS
from occscene.grid import SemanticGrid

from occscene_server.engine.memory import advice_on_memory
from occscene_server.models.device_memory import is_out_of_memory
from tests.occscene_server.requests import generate_request, predict_request
from tests.occscene_server.stand_in import StandInPipeline


def test_real_allocations_that_fail_are_recognised() -> None:
    for allocate in (lambda: np.empty(2**60, np.uint8), lambda: torch.empty(2**60, dtype=torch.uint8)):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


class SmallPipeline(StandInPipeline):
    """Has memory for N pixels in any task."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.tried: list[tuple[int, int, int]] = []

    def _take(self, cameras: Sequence[PinholeCamera]) -> None:
        size = (len(cameras), cameras[0].width, cameras[0].height)
        self.tried.append(size)
        if np.prod(size) > self.pixels:
            raise MemoryError

    def __call__(self, prompt: str, cameras: Sequence[PinholeCamera], *args: Any, **options: Any) -> Any:
        self._take(cameras)
        return super().__call__(prompt, cameras, *args, **options)

    def predict_occupancy(
        self, images: NDArray[np.uint8], cameras: Sequence[PinholeCamera], **options: Any
    ) -> SemanticGrid:
        self._take(cameras)
        assert images.shape[:3] == (len(cameras), cameras[0].height, cameras[0].width)
        return super().predict_occupancy(images, cameras, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pixels", "advice"),
    [
        (3 * 256**2, "It would fit with 2 of the 5 views, or with all views at 171 x 171 instead of 256 x 256 pixels."),
        (256**2, "It would fit with 1 of the 5 views, or with all views at 85 x 85 instead of 256 x 256 pixels."),
        (5 * 64**2, "It would fit with all views at 64 x 64 instead of 256 x 256 pixels."),
        (64**2, REASONS["OUT_OF_MEMORY"].advice),
    ],
)
def test_advice_is_what_fits(pixels: int, advice: str) -> None:
    pipe = SmallPipeline(pixels)
    assert advice_on_memory(pipe, generate_request(views=5, side=256), lambda: False) == advice
    assert len(pipe.tried) <= 10


def test_advice_for_predictions() -> None:
    request = predict_request()
    task = request.predict_occupancy
    for camera in task.cameras:
        camera.width = camera.height = 128
    task.cameras.add().CopyFrom(task.cameras[0])
    task.images.add().CopyFrom(task.images[0])
    advice = advice_on_memory(SmallPipeline(128**2), request, lambda: False)
    assert advice == "It would fit with 1 of the 2 views, or with all views at 85 x 85 instead of 128 x 128 pixels."


def test_no_trial_once_the_client_has_cancelled() -> None:
    pipe = SmallPipeline(1)
    assert "fewer cameras" in advice_on_memory(pipe, generate_request(views=4, side=128), lambda: True)
    assert pipe.tried == []
