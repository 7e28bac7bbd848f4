"""Addresses, tokens and TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.access import TlsFiles, check_exposure, is_loopback, read_token
from tests.occscene_server.serving import serving

TOKEN = "a-token-of-the-test-0123456789"


def test_loopback_addresses() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.2", "example.org", ""]))


def test_exposed_address_needs_tls_and_token(tmp_path: Path) -> None:
    tls = TlsFiles(tmp_path / "key", tmp_path / "certificate")
    check_exposure("0.0.0.0", tls, TOKEN)
    check_exposure("127.0.0.1", None, None)
    for guards in ((None, None), (tls, None), (None, TOKEN)):
        with pytest.raises(ValueError, match="other machines"):
            check_exposure("0.0.0.0", *guards)


def test_token_file(tmp_path: Path) -> None:
    path = tmp_path / "keys/token"
    token = read_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        read_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ValueError, match="at least 16"):
        read_token(path)


async def test_token_is_asked_of_all_but_health(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, token=TOKEN) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        request = scene_service_pb2.GetServerInfoRequest()
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", TOKEN),)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetServerInfo(request, metadata=metadata)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            assert TOKEN not in str(caught.value)
        watch = stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id="x"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        await stub.GetServerInfo(request, metadata=(("authorization", f"Bearer {TOKEN}"),))


async def test_tls_and_client_certificates(tmp_path: Path) -> None:
    key, certificate = _self_signed(tmp_path)
    tls = TlsFiles(key, certificate, client_ca=certificate)
    async with serving(tmp_path / "store", tls=tls, token=TOKEN) as server:
        request = scene_service_pb2.GetServerInfoRequest()
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        root = certificate.read_bytes()
        known = grpc.ssl_channel_credentials(root, key.read_bytes(), root)
        async with grpc.aio.secure_channel(f"localhost:{server.port}", known) as channel:
            await scene_service_pb2_grpc.SceneServiceStub(channel).GetServerInfo(request, metadata=metadata)
        async with grpc.aio.secure_channel(f"localhost:{server.port}", grpc.ssl_channel_credentials(root)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scene_service_pb2_grpc.SceneServiceStub(channel).GetServerInfo(request, metadata=metadata)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost that is its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *command.split(), *names, *files], check=True, capture_output=True)
    return key, certificate
