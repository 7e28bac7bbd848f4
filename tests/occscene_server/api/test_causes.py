"""Why there is no connection: each cause has an error of its own, and where waiting does not help it comes at once."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from occscene.client import SceneClient
from occscene.client.errors import (
    CertificateError,
    ClientCertificateError,
    NoServerError,
    NoTlsError,
    ProxyError,
    SceneError,
    ServerCertificateError,
    TlsExpectedError,
    UnknownHostError,
)

from occscene_server.api.access import TlsFiles
from tests.occscene_server.serving import serving
from tests.patience import PATIENCE

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


@dataclass
class Files:
    """PEM files: of servers, of those who trust them, and of clients."""

    folder: Path

    def __post_init__(self) -> None:
        servers, clients, strangers = trustme.CA(), trustme.CA(), trustme.CA()
        now = datetime.now(UTC)
        self.issue("good", servers.issue_cert("localhost", "127.0.0.1"))
        self.issue("named", servers.issue_cert("another.example"))
        self.issue("old", servers.issue_cert("127.0.0.1", not_before=now - timedelta(2), not_after=now - timedelta(1)))
        servers.cert_pem.write_to_path(self / "ca.pem")
        strangers.cert_pem.write_to_path(self / "other-ca.pem")
        clients.cert_pem.write_to_path(self / "clients.pem")
        for name, authority in (("known", clients), ("unknown", strangers)):
            authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(self / f"{name}.pem")
        (self / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def issue(self, name: str, issued: trustme.LeafCert) -> None:
        issued.private_key_pem.write_to_path(self / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(self / f"{name}.pem")

    def tls(self, name: str, client_ca: bool = False) -> TlsFiles:
        return TlsFiles(self / f"{name}.key", self / f"{name}.pem", self / "clients.pem" if client_ca else None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


def ask(address: str, **credentials: Any) -> SceneError | None:
    """What a client with much patience raises; a cause that is worth waiting for would take it."""
    waits: list[SceneError] = []

    def on_wait(error: SceneError, seconds: float) -> None:
        waits.append(error)
        client.stop()

    with SceneClient(address, patience=PATIENCE, on_wait=on_wait, **credentials) as client:
        try:
            client.jobs()
        except SceneError as error:
            return waits[0] if waits else error
    return None


@pytest.mark.parametrize(
    ("server", "scheme", "ca", "kind", "says"),
    [
        ("good", "grpcs", "ca.pem", None, ""),
        ("good", "grpcs", "other-ca.pem", ServerCertificateError, "is not signed by an authority that"),
        ("good", "grpcs", None, ServerCertificateError, "is not signed by an authority that this machine trusts"),
        ("old", "grpcs", "ca.pem", ServerCertificateError, "has expired"),
        ("named", "grpcs", "ca.pem", ServerCertificateError, "is not for 127.0.0.1"),
        ("good", "grpc", None, TlsExpectedError, "expects TLS. Begin its address with grpcs://"),
        ("", "grpcs", "ca.pem", NoTlsError, "has no TLS. Begin its address with grpc://"),
    ],
)
async def test_tls(
    tmp_path: Path, files: Files, server: str, scheme: str, ca: str | None, kind: type[SceneError] | None, says: str
) -> None:
    async with serving(tmp_path, tls=files.tls(server) if server else None) as running:
        address = f"{scheme}://127.0.0.1:{running.port}"
        error = await asyncio.to_thread(ask, address, ca=files / ca if ca else None)
    assert (type(error) if error else None) is kind
    assert says in str(error or "")


async def test_certificates_of_clients(tmp_path: Path, files: Files) -> None:
    async with serving(tmp_path, tls=files.tls("good", client_ca=True)) as running:
        address = f"grpcs://127.0.0.1:{running.port}"

        async def ask_as(identity: Path | None) -> SceneError | None:
            return await asyncio.to_thread(ask, address, ca=files / "ca.pem", identity=identity)

        assert await ask_as(files / "known.pem") is None
        missing, foreign = await ask_as(None), await ask_as(files / "unknown.pem")
        plain = await asyncio.to_thread(ask, f"127.0.0.1:{running.port}")
    assert isinstance(missing, ClientCertificateError)
    assert "none was given" in str(missing)
    assert isinstance(foreign, ClientCertificateError)
    assert f"does not accept {files / 'unknown.pem'}" in str(foreign)
    assert isinstance(plain, TlsExpectedError)


def test_files_are_read_before_anything_is_sent(files: Files) -> None:
    for options in ({"ca": files / "broken.pem"}, {"ca": files / "good.key"}, {"identity": files / "ca.pem"}):
        with pytest.raises(CertificateError, match=r"holds no .* \(PEM\)"):
            SceneClient("grpcs://127.0.0.1:1", **options)


def test_a_host_that_nobody_knows() -> None:
    error = ask("no-such-host.invalid:50051")
    temporary = isinstance(error, NoServerError) and "cannot be looked up now" in error.message  # without a network
    assert temporary or isinstance(error, UnknownHostError), error
    assert "no-such-host.invalid" in str(error)


def test_what_listens_is_no_server() -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(9):
            threading.Thread(target=answer, daemon=True).start()
        error = ask(f"127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(error, NoServerError), error


@pytest.mark.parametrize("variable", PROXIES)
async def test_no_proxy_is_taken_to_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    async with serving(tmp_path) as running:
        for host in ("127.0.0.1", "localhost"):
            assert await asyncio.to_thread(ask, f"{host}:{running.port}") is None


@pytest.fixture
def refusing_proxy() -> Iterator[str]:
    """A proxy that lets nobody through."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_proxies_are_named_without_their_passwords(monkeypatch: pytest.MonkeyPatch, refusing_proxy: str) -> None:
    for proxy, says in (
        ("http://127.0.0.1:9", "does not answer (Connection refused)"),
        (refusing_proxy, "403 Forbidden"),
    ):
        monkeypatch.setenv("https_proxy", proxy)
        error = ask("192.0.2.1:50051")
        assert isinstance(error, ProxyError), error
        assert "which https_proxy names" in str(error)
        assert says in str(error)
        assert "secret" not in str(error)
        assert "no_proxy" in str(error)
