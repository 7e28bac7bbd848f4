"""The views that `generate` begins at, and those of an earlier result that stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from occscene.camera import PinholeCamera
from occscene.results import RESULT_FILE, Result, read_result
from occscene.v1 import camera_pb2, job_pb2
from occscene.view_files import view_files
from PIL import Image

from occscene_server.engine.task import encode_image


def image_files(folder: Path, cameras: Sequence[PinholeCamera]) -> list[Path]:
    """The file of each camera's image: NAME.png, or the view that a result has of it.

    Raises:
        ValueError: a camera has none.
    """
    views = read_result(folder).views if (folder / RESULT_FILE).is_file() else {}
    files = []
    for camera, view in zip(cameras, view_files([camera.name for camera in cameras]), strict=True):
        named = [view.removeprefix("view_"), view]
        paths = [folder / Path(file).with_suffix(suffix) for file in named for suffix in (".png", ".jpg", ".jpeg")]
        path = next((path for path in (views.get(camera.name), *paths) if path is not None and path.is_file()), None)
        if path is None:
            raise ValueError(f"{folder} has no image for camera {camera.name!r}; it should be called {named[0]}")
        files.append(path)
    return files


def read_image(path: Path, camera: PinholeCamera, is_resized: bool = False) -> camera_pb2.EncodedImage:
    """A camera's image as PNG, from a file of any format.

    Args:
        path: the file.
        camera: whose size the image has.
        is_resized: whether an image of the camera's shape may have another size.

    Raises:
        ValueError: it has another size than the camera, or another shape.
    """
    size = (camera.width, camera.height)
    with Image.open(path) as image:
        shown = image.convert("RGB")
    if shown.size != size and is_resized and _has_shape(shown.size, size):
        shown = shown.resize(size, Image.Resampling.LANCZOS)
    if shown.size != size:
        text = f"{path} is {shown.width} x {shown.height} pixels, but camera {camera.name!r} {size[0]} x {size[1]}"
        raise ValueError(f"{text}: crop it to that shape" if is_resized else text)
    return encode_image(np.asarray(shown), camera_pb2.IMAGE_FORMAT_PNG)


def _has_shape(size: tuple[int, int], needed: tuple[int, int]) -> bool:
    """Whether an image of a size has the shape of another, to the nearest pixel of it."""
    scale = max(needed) / max(size)
    return all(abs(side * scale - wanted) <= 1.0 for side, wanted in zip(size, needed, strict=True))


def views_to_begin_at(paths: Sequence[Path], cameras: Sequence[PinholeCamera]) -> list[job_pb2.StartView]:
    """A view for each camera: of the folder that is given, or of the files in the cameras' order.

    Raises:
        ValueError: a camera has no image, or its image has another shape.
    """
    is_folder = len(paths) == 1 and paths[0].is_dir()
    files = image_files(paths[0], cameras) if is_folder else list(paths)
    if len(files) != len(cameras):
        raise ValueError(
            f"--start names {len(files)} files for {len(cameras)} cameras; give one each in their order, or a folder"
        )
    return [
        job_pb2.StartView(view=view, image=read_image(path, camera, is_resized=True))
        for view, (path, camera) in enumerate(zip(files, cameras, strict=True))
    ]


def views_that_stay(result: Result, redo: Sequence[str], cameras: Sequence[PinholeCamera]) -> list[job_pb2.StartView]:
    """The views of an earlier result that stay: of all cameras but those that are made anew, in the files' own bytes.

    Raises:
        ValueError: the result has no view of a camera, or no camera is called as one that is to be made anew.
    """
    names = [camera.name for camera in cameras]
    unknown = [name for name in redo if name not in names]
    if unknown or not redo:
        text = f"--redo {unknown[0]!r} is none of the cameras" if unknown else "--keep needs --redo, one of the cameras"
        raise ValueError(f"{text}: {', '.join(names)}")
    views = []
    for view, camera in enumerate(cameras):
        if camera.name in redo:
            continue
        path = result.views.get(camera.name)
        if path is None or not path.is_file():
            raise ValueError(f"{result.folder} has no view of camera {camera.name!r}; make it anew with --redo too")
        image = camera_pb2.EncodedImage(
            format=camera_pb2.IMAGE_FORMAT_PNG, data=path.read_bytes(), width=camera.width, height=camera.height
        )
        views.append(job_pb2.StartView(view=view, image=image, keep=True))
    return views
