"""The way to a server, step by step, against real servers with the stand-in pipeline."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bpy
import pytest
import trustme

from blender_addon.bridge.check import StepFailedError, check_version
from blender_addon.jobs import connection, connection_check
from tests.occscene_server.serve_process import ServeProcess
from tests.patience import wait_until

TOKEN = "a-token-of-more-than-sixteen-characters"


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that asks for a token and has no TLS."""
    folder = tmp_path_factory.mktemp("plain")
    yield from _served(folder, "--token-file", _token_file(folder))


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server with TLS, and the file of its authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    identity = authority.issue_cert("localhost", "127.0.0.1")
    identity.private_key_pem.write_to_path(folder / "key.pem")
    identity.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    options = ("--tls-key", folder / "key.pem", "--tls-certificate", folder / "certificate.pem")
    for address in _served(folder, *options):
        yield address, folder / "authority.pem"


def _served(folder: Path, *options: object) -> Iterator[str]:
    server = ServeProcess(folder, folder / "store", *options)
    yield server.address
    server.interrupted()


def _token_file(folder: Path) -> Path:
    path = folder / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


def failed_step(address: str) -> tuple[str, str]:
    """The step at which the way to a server ends, and what is said of it."""
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.occscene.test_connection(server=address)
    failed = connection_check.last_check.failed
    assert failed is not None
    return failed["step"], str(caught.value)


@pytest.fixture(autouse=True)
def no_token() -> Iterator[None]:
    yield
    connection.enter_token("")


def test_all_steps_are_taken(plain_server: str) -> None:
    connection.enter_token(TOKEN)
    assert bpy.ops.occscene.test_connection(server=plain_server) == {"FINISHED"}
    asked_again = partial(bpy.ops.occscene.test_connection, server=plain_server)
    wait_until(lambda: not connection_check.last_check.is_loading, asked_again)
    steps = [step["step"] for step in connection_check.last_check.steps]
    assert steps == ["address", "tls", "token", "version", "model"]
    assert " on cpu" in connection_check.last_check.line()


@pytest.mark.parametrize(
    ("token", "why"), [("", "needs a token"), ("a-wrong-token-of-enough-characters", "does not know this token")]
)
def test_the_token_fails(plain_server: str, token: str, why: str) -> None:
    connection.enter_token(token)
    step, message = failed_step(plain_server)
    assert (step, f"this server {why}" in message, "metadata" in message) == ("token", True, False)
    assert "preferences" in message
    assert [done["step"] for done in connection_check.last_check.steps] == ["address", "tls", "token"]


def test_tls_with_its_authority(tls_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, authority = tls_server
    monkeypatch.setenv("OCCSCENE_CA_FILE", str(authority))
    assert bpy.ops.occscene.test_connection(server=f"grpcs://{address}") == {"FINISHED"}


def test_tls_fails(tls_server: tuple[str, Path], plain_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address, authority = tls_server
    step, message = failed_step(f"grpcs://{address}")
    assert (step, "not signed by an authority" in message, "preferences" in message) == ("tls", True, True)
    step, message = failed_step(f"grpc://{address}")
    assert (step, f"grpcs://{address}" in message) == ("tls", True)
    step, message = failed_step(f"grpcs://{plain_server}")
    assert (step, f"grpc://{plain_server}" in message) == ("tls", True)
    monkeypatch.setenv("OCCSCENE_CA_FILE", str(authority.with_name("none.pem")))
    step, message = failed_step(f"grpcs://{address}")
    assert (step, "none.pem cannot be read" in message) == ("tls", True)


def test_the_address_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    step, message = failed_step(f"127.0.0.1:{port}")
    assert (step, "Connection refused" in message) == ("address", True)
    step, message = failed_step("ftp://127.0.0.1")
    assert (step, "grpc://" in message) == ("address", True)


def test_other_machines_need_online_access() -> None:
    assert not bpy.app.online_access
    step, message = failed_step("example.org:50051")
    assert (step, "Allow Online Access" in message) == ("online", True)


def test_a_missing_token_file_fails_at_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCCSCENE_TOKEN_FILE", str(tmp_path / "none"))
    assert failed_step("127.0.0.1:9")[0] == "token"


@pytest.mark.parametrize(("theirs", "side"), [("0.0.9", "server"), ("0.2.0", "extension"), ("0.10.0", "extension")])
def test_a_version_mismatch_says_which_side_to_update(theirs: str, side: str) -> None:
    with pytest.raises(StepFailedError) as caught:
        check_version(theirs)
    assert caught.value.advice == f"Update the {side}."
    check_version("0.1.99")


@pytest.mark.slow
def test_an_entered_token_is_in_no_file_of_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "extension_folder", lambda: tmp_path / "user")
    (tmp_path / "user").mkdir()
    addon = bpy.context.preferences.addons.new()
    addon.module = "blender_addon"
    try:
        addon.preferences.token = f" {TOKEN}\n"
        assert addon.preferences.token == TOKEN
        assert connection.connection_settings().token == TOKEN
        path = tmp_path / "user" / "token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), compress=False)
        assert TOKEN.encode() not in (tmp_path / "scene.blend").read_bytes()
        assert "token" not in addon.preferences
        addon.preferences.token = ""
        assert not path.exists()
    finally:
        bpy.context.preferences.addons.remove(addon)
