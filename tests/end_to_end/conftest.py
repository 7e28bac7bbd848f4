"""A server on the bundled model for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server that `make demo` starts."""
    from occscene_server.studio.demo import start_server, wait_for_server

    folder = tmp_path_factory.mktemp("bundled")
    server = start_server(folder)
    try:
        yield wait_for_server(server, folder)
    finally:
        server.terminate()
        server.wait()
