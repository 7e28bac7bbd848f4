"""Results in a store on the network: a real S3 server, and a folder that machines share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2

from occscene_server.engine.model_files import local_model
from occscene_server.jobs.artifacts import UrlArtifacts
from occscene_server.jobs.errors import StoreDamagedError, StoreError
from occscene_server.jobs.store import JobStore
from tests.occscene_server.s3 import S3Server, s3_server

LARGE = bytes(range(256)) * 400

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture(params=["s3", "file", "path"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('s3').url}-{tmp_path.name}"
    folder = tmp_path / "shared"
    folder.mkdir()
    return str(folder) if request.param == "path" else f"file://{folder}"


async def filled(folder: Path, url: str) -> JobStore:
    """A store with a large request, a small and a large event."""
    store = JobStore(folder, artifacts=url)
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED)
    await store.create(job, LARGE)
    for number, data in enumerate((b"small", LARGE), 1):
        job.last_sequence = number
        view = job_pb2.JobView(image=camera_pb2.EncodedImage(data=data))
        await store.append(job, job_pb2.JobEvent(sequence=number, view=view))
    return store


def stored(url: str) -> list[str]:
    """What lies in the store of large files, by its last two parts."""
    store = UrlArtifacts(url if "://" in url else f"file://{url}")
    store._store.invalidate_cache()
    paths = store._store.find(store._root)
    return sorted("/".join(path.split("/")[-2:]) for path in paths if path.rstrip("/") != store._root)


async def test_results_lie_in_the_store_and_come_back(tmp_path: Path, url: str) -> None:
    (await filled(tmp_path / "here", url)).close()
    assert stored(url) == ["job/2", "job/request"]
    assert not (tmp_path / "here/blobs").exists()
    store = JobStore(tmp_path / "here", artifacts=url)
    assert await store.request("job") == LARGE
    assert (await store.event("job", 2)).view.image.data == LARGE
    assert (await store.event("job", 1)).view.image.data == b"small"
    await store.delete("job")
    assert stored(url) == []
    store.close()


async def test_damaged_or_missing_file_is_told(tmp_path: Path, url: str) -> None:
    store = await filled(tmp_path / "here", url)
    artifacts = store._files._artifacts
    artifacts.write("job", "2", LARGE[:-1] + b"?")
    with pytest.raises(StoreDamagedError, match="event 2 of job job is damaged"):
        await store.event("job", 2)
    artifacts.remove("job", "request")
    with pytest.raises(StoreDamagedError, match="the request of job job is missing"):
        await store.request("job")
    store.close()


async def test_files_of_no_job_are_swept(tmp_path: Path, url: str) -> None:
    store = await filled(tmp_path / "here", url)
    store._files._artifacts.write("of_no_job", "1", LARGE)
    store.close()
    store = JobStore(tmp_path / "here", artifacts=url)
    assert stored(url) == ["job/2", "job/request"]
    store.close()


async def test_store_that_does_not_answer_is_a_store_error(tmp_path: Path, s3: S3Server) -> None:
    store = await filled(tmp_path / "here", f"{s3.url}-{tmp_path.name}")
    s3.process.send_signal(signal.SIGSTOP)  # not even refused
    try:
        with pytest.raises(StoreError, match="the artifact store s3:// refuses") as refusal:
            await store.request("job")
        assert "127.0.0.1" not in str(refusal.value)
    finally:
        s3.process.send_signal(signal.SIGCONT)
    assert await store.request("job") == LARGE
    store.close()


def test_model_is_fetched_once_and_again_when_it_changes(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "://" not in url:
        assert local_model(url) == url
        return
    monkeypatch.setenv("OCCSCENE_CACHE", str(tmp_path / "cache"))
    model = f"{url}/tiny-model"
    with pytest.raises(OSError, match="there is no model at"):
        local_model(model)
    files = UrlArtifacts(f"{url}/tiny-model")
    files.write("vae", "config.json", b"{}")
    files.write("unet", "weights", LARGE)
    folder = Path(local_model(model))
    assert folder.name.startswith("tiny-model-")
    assert ((folder / "vae/config.json").read_bytes(), (folder / "unet/weights").read_bytes()) == (b"{}", LARGE)
    (folder / "mark").touch()
    assert local_model(model) == str(folder)
    assert (folder / "mark").exists()
    files.write("unet", "weights", LARGE[::-1])
    files._store.invalidate_cache()
    other = Path(local_model(model))
    assert other != folder
    assert (other / "unet/weights").read_bytes() == LARGE[::-1]
