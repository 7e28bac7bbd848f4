"""Why no connection to a server can be made: gRPC says the same of ten causes, so a connection of our own asks.

It resolves the name, goes through the proxy that gRPC would take, shakes hands as the channel does, and sends the first
bytes of HTTP/2: servers refuse a client's certificate only after the handshake.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

from occscene.client.address import ServerAddress
from occscene.client.channel import Credentials
from occscene.client.errors import (
    ClientCertificateError,
    ConnectionLostError,
    NoServerError,
    NoTlsError,
    ProxyError,
    ServerCertificateError,
    TlsExpectedError,
    UnknownHostError,
)

_SECONDS = 5.0  # for each step
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # RFC 9113, section 3.4; no settings
_TLS_ALERT = 0x15
_PROXIES, _EXCEPTIONS = ("grpc_proxy", "https_proxy", "http_proxy"), ("no_grpc_proxy", "no_proxy")  # as gRPC reads them

_EXPIRED, _NOT_YET, _OTHER_NAMES = 10, 9, (62, 64)  # X509_V_ERR_* of OpenSSL


def cause(address: ServerAddress, credentials: Credentials) -> ConnectionLostError | None:
    """Tries a connection and says why there is none; None where there is one now."""
    try:
        with _connected(address) as plain:
            if not address.tls:
                return _without_tls(plain, address)
            return _with_tls(plain, address, credentials)
    except ConnectionLostError as error:
        return error


def proxy_of(address: ServerAddress) -> tuple[str, str]:
    """The variable that names the proxy on the way to a server, and its value; empty where there is none.

    Connections of this machine to itself take none, see `occscene.client.channel`.
    """
    exceptions = next((os.environ[name] for name in _EXCEPTIONS if os.environ.get(name)), "")
    spared = [end.strip() for end in exceptions.split(",") if end.strip()]
    if address.is_loopback or any(address.host.endswith(end) for end in spared):
        return "", ""
    return next(((name, os.environ[name]) for name in _PROXIES if os.environ.get(name)), ("", ""))


def _connected(address: ServerAddress) -> socket.socket:
    variable, proxy = proxy_of(address)
    if variable:
        return _through_proxy(address, variable, proxy)
    try:
        return socket.create_connection((address.host, address.port), _SECONDS)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise NoServerError(f"the name {address.host} cannot be looked up now ({error.strerror})") from error
        raise UnknownHostError(f"no machine is called {address.host} ({error.strerror})") from error
    except OSError as error:
        raise _no_server(address, error) from error


def _through_proxy(address: ServerAddress, variable: str, proxy: str) -> socket.socket:
    """A connection to the server through a proxy: HTTP's CONNECT.

    Raises:
        ProxyError: it cannot be had.
    """
    said = f"the proxy {proxy.rpartition('@')[2]}, which {variable} names,"  # without user and password
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        tunnel = socket.create_connection((parts.hostname or "", parts.port or 80), _SECONDS)
    except (OSError, ValueError) as error:
        raise ProxyError(f"{said} does not answer ({_words(error)})") from error
    try:
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        login = f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n" if parts.username else ""
        tunnel.sendall(f"CONNECT {address.target} HTTP/1.1\r\nHost: {address.target}\r\n{login}\r\n".encode())
        answer = tunnel.recv(4096).split(b"\r\n")[0].decode("ascii", "replace")
    except OSError as error:
        tunnel.close()
        raise ProxyError(f"{said} does not lead to {address.target} ({_words(error)})") from error
    if " 200" not in answer:
        tunnel.close()
        raise ProxyError(f"{said} does not lead to {address.target} (it says {answer[:60]!r})")
    return tunnel


def _without_tls(plain: socket.socket, address: ServerAddress) -> ConnectionLostError | None:
    first = _first_bytes(plain, address)
    if first[:1] == bytes([_TLS_ALERT]) or (not first and _speaks_tls(address)):
        return TlsExpectedError(
            f"the server at {address.target} expects TLS", f"Begin its address with grpcs://: grpcs://{address.target}"
        )
    if first.startswith(b"HTTP/1"):
        return NoServerError(f"what listens at {address.target} is no OccScene server: it speaks HTTP/1")
    return None if first else NoServerError(f"no server answers at {address.target} (it closed the connection)")


def _with_tls(plain: socket.socket, address: ServerAddress, credentials: Credentials) -> ConnectionLostError | None:
    context = ssl.create_default_context(cafile=credentials.ca)
    context.set_alpn_protocols(["h2"])
    if credentials.identity is not None:
        context.load_cert_chain(credentials.identity)
    try:
        with context.wrap_socket(plain, server_hostname=address.host) as encrypted:
            if _first_bytes(encrypted, address):
                return None
        return _refused_identity(address, credentials) if _needs_identity(address, context) else _closed(address)
    except ssl.SSLCertVerificationError as error:
        return _not_trusted(address, credentials, error)
    except ssl.SSLEOFError:
        return _closed(address)
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):  # the server refuses, for which it has no other reason
            return _refused_identity(address, credentials)
        return NoTlsError(
            f"the server at {address.target} has no TLS", f"Begin its address with grpc://: grpc://{address.target}"
        )
    except OSError as error:
        return _no_server(address, error)


def _needs_identity(address: ServerAddress, context: ssl.SSLContext) -> bool:
    """Whether a server that hangs up after the handshake does so for the client's certificate.

    In TLS 1.2 the handshake ends only after that certificate was accepted (RFC 5246, section 7.3), in 1.3 before.
    """
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _connected(address) as plain, context.wrap_socket(plain, server_hostname=address.host):
            return False
    except OSError:
        return True


def _refused_identity(address: ServerAddress, credentials: Credentials) -> ClientCertificateError:
    shown = "none was given" if credentials.identity is None else f"does not accept {credentials.identity}"
    return ClientCertificateError(f"the server at {address.target} asks for a client's certificate, and {shown}")


def _not_trusted(
    address: ServerAddress, credentials: Credentials, error: ssl.SSLCertVerificationError
) -> ServerCertificateError:
    code, host = error.verify_code, address.host
    if code in (_EXPIRED, _NOT_YET):
        late = "has expired" if code == _EXPIRED else "is not valid yet"
        return ServerCertificateError(
            f"the certificate of the server at {address.target} {late}",
            "Give the server a new certificate, or set this machine's clock right.",
        )
    if code in _OTHER_NAMES:
        return ServerCertificateError(
            f"the certificate of the server at {address.target} is not for {host} ({error.verify_message})",
            "Use the name that stands in the certificate as the server's address.",
        )
    known = "this machine trusts" if credentials.ca is None else f"{credentials.ca} holds"
    return ServerCertificateError(
        f"the certificate of the server at {address.target} is not signed by an authority that {known} "
        f"({error.verify_message})"
    )


def _first_bytes(connection: socket.socket, address: ServerAddress) -> bytes:
    """What a server answers to the beginning of HTTP/2; nothing where it hangs up.

    Raises:
        NoServerError: nothing comes.
        ssl.SSLError: it refuses.
    """
    try:
        connection.sendall(_HELLO)
        return connection.recv(64)
    except ssl.SSLError:
        raise
    except ConnectionError:
        return b""
    except OSError as error:
        raise _no_server(address, error) from error


def _speaks_tls(address: ServerAddress) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connected(address) as plain, context.wrap_socket(plain, server_hostname=address.host):
            return True
    except (ConnectionLostError, OSError):
        return False


def _closed(address: ServerAddress) -> NoServerError:
    return NoServerError(f"no server answers at {address.target} (the connection was closed)")


def _no_server(address: ServerAddress, error: OSError) -> NoServerError:
    return NoServerError(f"no server answers at {address.target} ({_words(error)})")


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
