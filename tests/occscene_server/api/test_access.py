"""Addresses, tokens and TLS."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from occscene.client.address import is_loopback
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc
from typer.testing import CliRunner

from occscene_server.api.access import TlsFiles, check_exposure, endpoint, why_not_bound
from occscene_server.cli.root import app
from tests.occscene_server.serving import serving
from tests.patience import PATIENCE

TOKEN = "a-token-of-the-test-0123456789"


def test_loopback_addresses() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.3.2.1", "::1", "[::1]", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "unix:/tmp/socket"]))
    assert endpoint("::1", 5) == endpoint("[::1]", 5) == "[::1]:5"
    assert endpoint("127.0.0.1", 5) == "127.0.0.1:5"


def test_exposed_address_needs_tls_and_token(tmp_path: Path) -> None:
    tls = TlsFiles(tmp_path / "key", tmp_path / "certificate")
    check_exposure("0.0.0.0", tls, TOKEN)
    check_exposure("127.0.0.1", None, None)
    for guards in ((None, None), (tls, None), (None, TOKEN)):
        with pytest.raises(ValueError, match="other machines"):
            check_exposure("0.0.0.0", *guards)


async def test_token_is_asked_of_all_but_health(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, tokens={"": TOKEN}) as server,
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


async def test_reflection_is_behind_the_token(tmp_path: Path) -> None:
    async with serving(tmp_path, tokens={"": TOKEN}) as server:
        assert await _reflection(f"127.0.0.1:{server.port}") == "UNAUTHENTICATED"
        assert await _reflection(f"127.0.0.1:{server.port}", token=TOKEN) == "OK"


async def test_exposed_server_has_no_reflection(tmp_path: Path, identity: Identity) -> None:
    async with serving(tmp_path / "store", host="0.0.0.0", tls=identity.tls, tokens={"": TOKEN}) as server:
        address = f"127.0.0.1:{server.port}"
        assert await _reflection(address, identity.trust, TOKEN) == "UNIMPLEMENTED"
        async with grpc.aio.secure_channel(address, identity.trust) as channel:
            assert await _info(channel, TOKEN) == "OK"
            assert await _info(channel) == "UNAUTHENTICATED"
        async with grpc.aio.insecure_channel(address) as channel:
            assert await _info(channel, TOKEN) == "UNAVAILABLE"


async def test_client_certificates(tmp_path: Path, identity: Identity) -> None:
    tls = TlsFiles(identity.tls.key, identity.tls.certificate, identity.client_ca)
    async with serving(tmp_path / "store", tls=tls, tokens={"": TOKEN}) as server:
        address = f"localhost:{server.port}"
        for credentials, answer in (
            (identity.known_client, "OK"),
            (identity.trust, "UNAVAILABLE"),
            (identity.unknown_client, "UNAVAILABLE"),
        ):
            async with grpc.aio.secure_channel(address, credentials) as channel:
                assert await _info(channel, TOKEN) == answer
        async with grpc.aio.secure_channel(address, identity.known_client) as channel:
            assert await _info(channel) == "UNAUTHENTICATED"


async def test_commands_show_their_certificate(tmp_path: Path, identity: Identity) -> None:
    tls = TlsFiles(identity.tls.key, identity.tls.certificate, identity.client_ca)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    async with serving(tmp_path / "store", tls=tls, tokens={"": TOKEN}) as server:
        command = ["info", "--server", f"localhost:{server.port}", "--token-file", str(tmp_path / "token")]
        trust = ["--tls-ca", str(identity.server_ca)]
        own = ["--tls-identity", str(identity.client_pem)]
        for options, code, text in ((trust + own, 0, "OccScene server"), (trust, 1, "error"), (own, 1, "--tls-ca")):
            result = await asyncio.to_thread(CliRunner().invoke, app, command + options)
            assert result.exit_code == code, result.output
            assert text in result.output


def test_wrong_tls_files_are_named(tmp_path: Path, identity: Identity) -> None:
    other = trustme.CA().issue_cert("localhost")
    other.private_key_pem.write_to_path(tmp_path / "other.key")
    (tmp_path / "text").write_text("no PEM")
    key, certificate = identity.tls.key, identity.tls.certificate
    for files, name in (
        (TlsFiles(tmp_path / "other.key", certificate), "other.key"),
        (TlsFiles(key, tmp_path / "text"), "text"),
        (TlsFiles(key, certificate, tmp_path / "text"), "text"),
    ):
        with pytest.raises(ValueError, match=name):
            files.credentials()
    for files, option in (
        (TlsFiles(tmp_path / "absent", certificate), "--tls-key"),
        (TlsFiles(key, tmp_path), "--tls-certificate"),
        (TlsFiles(key, certificate, tmp_path / "absent"), "--tls-client-ca"),
    ):
        with pytest.raises(ValueError, match=f"{option} is .*, which cannot be read: "):
            files.credentials()


def test_certificates_that_clients_refuse_are_warned_of(tmp_path: Path, identity: Identity) -> None:
    assert identity.tls.warning() == ""
    now = datetime.now(UTC)
    for name, begin, end, says in (
        ("old", now - timedelta(2), now - timedelta(1), "certificate has expired"),
        ("new", now + timedelta(1), now + timedelta(2), "certificate is not yet valid"),
    ):
        issued = trustme.CA().issue_cert("localhost", not_before=begin, not_after=end)
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        warning = TlsFiles(tmp_path / f"{name}.key", tmp_path / f"{name}.pem").warning()
        assert warning == f"clients will refuse the certificate {tmp_path / name}.pem: {says}"


def test_an_address_that_cannot_be_listened_on_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "another program listens there" in why_not_bound("127.0.0.1", taken.getsockname()[1])
    assert "this machine does not have the address" in why_not_bound("192.0.2.77", 50051)
    assert "the host is not known" in why_not_bound("no such host", 50051)


@dataclass
class Identity:
    """A server's files, and what clients of several kinds have."""

    tls: TlsFiles
    client_ca: Path
    server_ca: Path
    client_pem: Path
    trust: grpc.ChannelCredentials
    known_client: grpc.ChannelCredentials
    unknown_client: grpc.ChannelCredentials


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    folder = tmp_path_factory.mktemp("tls")
    servers, clients, strangers = trustme.CA(), trustme.CA(), trustme.CA()
    server = servers.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(folder / "server.key")
    for blob in server.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)
    clients.cert_pem.write_to_path(folder / "clients.pem")
    servers.cert_pem.write_to_path(folder / "servers.pem")
    clients.issue_cert("blender@example.org").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    root = servers.cert_pem.bytes()

    def client_of(authority: trustme.CA) -> grpc.ChannelCredentials:
        client = authority.issue_cert("blender@example.org")
        return grpc.ssl_channel_credentials(root, client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes())

    return Identity(
        TlsFiles(folder / "server.key", folder / "server.pem"),
        folder / "clients.pem",
        folder / "servers.pem",
        folder / "client.pem",
        grpc.ssl_channel_credentials(root),
        client_of(clients),
        client_of(strangers),
    )


async def _info(channel: grpc.aio.Channel, token: str = "") -> str:
    """The name of the code that a call ends with."""
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    metadata = (("authorization", f"Bearer {token}"),)
    try:
        await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), metadata=metadata, timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def _reflection(address: str, credentials: grpc.ChannelCredentials | None = None, token: str = "") -> str:
    """The name of the code that a stream of reflection ends with; a blocking client gets it even if it is refused."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    metadata = (("authorization", f"Bearer {token}"),)

    def ask() -> str:
        opened = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
        with opened as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            try:
                next(stub.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=PATIENCE))
            except grpc.RpcError as error:
                return str(error.code().name)  # type: ignore[attr-defined]
            return "OK"

    return await asyncio.to_thread(ask)
