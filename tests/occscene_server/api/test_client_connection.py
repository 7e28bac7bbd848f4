"""Where the client connects to, and what it refuses to do on the way: addresses, certificates, tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme
from occscene.client import SceneClient
from occscene.client.address import parse_address
from occscene.client.errors import (
    AddressError,
    CertificateError,
    ClientCertificateError,
    PlaintextTokenError,
    ServerCertificateError,
    TokenError,
)

from occscene_server.api.access import TlsFiles
from tests.occscene_server.serving import serving

TOKEN = "a-token-of-the-test-0123456789"


@pytest.mark.parametrize("address", ["192.0.2.1:50051", "grpc://example.org", "[2001:db8::1]:5", "0.0.0.0:1"])
def test_a_token_does_not_leave_this_machine_unencrypted(address: str) -> None:
    with pytest.raises(PlaintextTokenError, match="would be sent") as caught:
        SceneClient(address, TOKEN)
    assert "grpcs://" in str(caught.value)
    assert TOKEN not in str(caught.value)
    SceneClient(address).close()
    SceneClient("grpcs://example.org", TOKEN).close()
    SceneClient("localhost:1", TOKEN).close()


def test_what_cannot_be_connected_is_named(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="ftp://"):
        SceneClient("ftp://127.0.0.1")
    (tmp_path / "text").write_text("no PEM")
    for file, says in (("none", "cannot be read"), ("text", "holds no certificate")):
        with pytest.raises(CertificateError, match=says):
            SceneClient("grpcs://127.0.0.1", ca=tmp_path / file)


async def test_tls_token_and_identity(tmp_path: Path) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    own = authority.issue_cert("localhost")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    clients.cert_pem.write_to_path(tmp_path / "clients.pem")
    clients.issue_cert("a-client").private_key_and_cert_chain_pem.write_to_path(tmp_path / "identity.pem")
    tls = TlsFiles(tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "clients.pem")
    async with serving(tmp_path / "store", tls=tls, tokens={"": TOKEN}) as server:
        address = f"grpcs://localhost:{server.port}"

        def info(**credentials: Any) -> str:
            with SceneClient(address, **credentials) as client:
                return client.info().version

        files = {"ca": tmp_path / "ca.pem", "identity": tmp_path / "identity.pem"}
        assert await asyncio.to_thread(info, token=TOKEN, **files)
        for credentials, kind in (
            ({"token": TOKEN, "ca": files["ca"]}, ClientCertificateError),
            ({"token": TOKEN, "ca": tmp_path / "clients.pem", "identity": files["identity"]}, ServerCertificateError),
            ({"token": "another-token-0123456789", **files}, TokenError),
            (files, TokenError),
        ):
            with pytest.raises(kind):
                await asyncio.to_thread(info, **credentials)


@pytest.mark.parametrize(
    ("text", "host", "port", "tls"),
    [
        ("127.0.0.1", "127.0.0.1", 50051, False),
        (" grpcs://host.example:1/ ", "host.example", 1, True),
        ("[::1]:7", "::1", 7, False),
        ("::1", "::1", 50051, False),
        ("https://h", "h", 50051, True),
    ],
)
def test_addresses(text: str, host: str, port: int, tls: bool) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.tls) == (host, port, tls)
    assert parse_address(address.target).host == host


@pytest.mark.parametrize("text", ["", ":1", "h:0", "h:65536", "h:port", "ftp://h", "[::1", "h:\u0661"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="server address"):
        parse_address(text)
