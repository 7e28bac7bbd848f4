"""What Prometheus finds after jobs of every kind."""

from __future__ import annotations

import asyncio
import urllib.request
from pathlib import Path

import grpc
import pytest
from occscene.v1 import scene_service_pb2
from prometheus_client.parser import text_string_to_metric_families

from occscene_server.api.server import Server, ServerOptions
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import until

Samples = dict[tuple[str, str], float]


async def scraped(server: Server) -> Samples:
    """Values by name and the values of their labels, in the order of the labels' names."""

    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as answer:
            return str(answer.read(), "utf-8")

    families = text_string_to_metric_families(await asyncio.to_thread(get))
    return {
        (s.name, ",".join(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


async def test_jobs_steps_bytes_rejections_and_restarts(tmp_path: Path) -> None:
    async with serving(tmp_path, metrics_port=0, max_queued=2) as server, connected(server) as stub:
        request = generate_request("slow", steps=4)
        done = await submitted(stub, request)
        events = await watched(stub, done.id)
        await watched(stub, (await submitted(stub, generate_request("crash"))).id)

        running = await submitted(stub, generate_request(ENDLESS))
        async for response in stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=running.id)):
            if response.event.progress.step:
                break
        waiting = await submitted(stub, generate_request())
        await submitted(stub, generate_request())
        for refused in (generate_request(), scene_service_pb2.SubmitJobRequest()):  # the queue is full; no task
            with pytest.raises(grpc.aio.AioRpcError):
                await submitted(stub, refused)
        with pytest.raises(grpc.aio.AioRpcError):
            await watched(stub, "unknown")
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=waiting.id))

        samples = await scraped(server)
        assert samples["occscene_jobs", "queued"] == 1
        assert samples["occscene_jobs", "running"] == 1
        assert samples["occscene_jobs_ended_total", ",succeeded"] == 1
        assert samples["occscene_jobs_ended_total", "WORKER_DIED,failed"] == 1
        assert samples["occscene_jobs_ended_total", ",cancelled"] == 1
        assert samples["occscene_worker_restarts_total", ""] == 2
        assert samples["occscene_queue_wait_seconds_count", ""] == 3
        for reason in ("QUEUE_FULL", "INVALID_REQUEST", "JOB_NOT_FOUND"):
            assert samples["occscene_rejections_total", reason] == 1
        assert samples["occscene_step_seconds_count", ""] >= 3
        mean_step = samples["occscene_step_seconds_sum", ""] / samples["occscene_step_seconds_count", ""]
        assert mean_step > 0.01  # the stand-in sleeps 0.1 s a step where it is slow
        received = samples["occscene_received_bytes_total", "SubmitJob"]
        assert received >= 6 * request.ByteSize() - 200
        views = sum(len(event.view.image.data) for event in events)
        assert views < samples["occscene_sent_bytes_total", "WatchJob"] < 3 * views
        assert samples["occscene_queued_jobs", "127.0.0.1"] == 1
        assert samples["occscene_watchers", ""] == 1  # the one that was left after a step
        assert samples["occscene_ready", ""] == 1
        assert samples["occscene_store_bytes", ""] == server._store.size > views
        assert samples["occscene_store_limit_bytes", ""] == 10 * 2**30
        assert samples["occscene_disk_bytes", "used"] > 0 < samples["occscene_disk_bytes", "free"]
        assert samples["process_resident_memory_bytes", ""] > 0


async def test_refused_tokens_are_counted_and_unknown_methods_are_no_labels(tmp_path: Path) -> None:
    async with serving(tmp_path, metrics_port=0, tokens={"": "a-token-of-the-test-0123456789"}) as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            for method in ("/occscene.v1.SceneService/GetJob", "/occscene.v1.SceneService/Guess"):
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(method)(b"")
        samples = await scraped(server)
        assert samples["occscene_rejections_total", "TOKEN_MISSING_OR_WRONG"] >= 1
        assert ("occscene_received_bytes_total", "Guess") not in samples


async def test_watchers_and_memory_of_the_device(tmp_path: Path) -> None:
    async with serving(tmp_path, metrics_port=0) as server, connected(server) as stub:
        job = await submitted(stub, generate_request(ENDLESS))
        watches = [stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id)) for _ in range(3)]
        for watch in watches:
            await watch.read()
        await until(lambda: server.engine.device_memory is not None)  # type: ignore[attr-defined]
        samples = await scraped(server)
        assert samples["occscene_watchers", ""] == 3
        used, free = (samples["occscene_device_memory_bytes", state] for state in ("used", "free"))
        assert 10 * 2**20 < used < free
        for watch in watches:
            watch.cancel()
        await until(lambda: server.jobs.watchers == 0)


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
async def test_metrics_at_another_address(tmp_path: Path, host: str) -> None:
    async with serving(tmp_path, metrics_host=host, metrics_port=0) as server:
        at = f"[{host}]" if ":" in host else host
        url = f"http://{at}:{server.metrics_port}/metrics"
        with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
            assert b"occscene_ready" in answer.read()


async def test_address_of_the_metrics_that_is_not_of_this_machine(tmp_path: Path) -> None:
    server = Server(ServerOptions("none", tmp_path, port=0, metrics_host="192.0.2.7", metrics_port=0))
    with pytest.raises(
        OSError, match=r"cannot serve metrics on 192.0.2.7:0: .* give one that it has as --metrics-host"
    ):
        await server.start()
    await server._grpc.stop(None)  # type: ignore[union-attr]
    server._store.close()
