"""Where the server can be reached, and its TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
from occscene.client.address import is_loopback


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of the server's identity.

    Args:
        key: private key, without a password.
        certificate: certificate chain.
        client_ca: clients must show a certificate signed by one of these; None asks for none.
    """

    key: Path
    certificate: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC needs of them.

        Raises:
            ValueError: a file is missing or not what it should be; gRPC itself would only say so in its log.
        """
        identity = (_read_pem(self.key, "--tls-key"), _read_pem(self.certificate, "--tls-certificate"))
        client_ca = _read_pem(self.client_ca, "--tls-client-ca") if self.client_ca else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")  # else OpenSSL would ask for one
        except ssl.SSLError as error:
            text = f"{self.certificate} and {self.key} are not a certificate and its private key without a password"
            raise ValueError(f"{text} (PEM): {error.reason or error}") from error
        try:
            if self.client_ca:
                context.load_verify_locations(self.client_ca)
        except ssl.SSLError as error:
            raise ValueError(f"{self.client_ca} has no certificates (PEM): {error.reason or error}") from error
        return grpc.ssl_server_credentials([identity], client_ca, require_client_auth=client_ca is not None)

    def warning(self) -> str:
        """What clients will not accept of the certificate although the server can use it; "" for nothing.

        Python has no public reader of certificates, so a client that trusts this one connects to it in memory.
        """
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.certificate, self.key, password=lambda: "")
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(self.certificate)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # no authority needs to be known
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
        for end in 2 * ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return f"clients will refuse the certificate {self.certificate}: {error.verify_message}"
            except ssl.SSLError:
                break
        return ""


def _read_pem(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{option} is {path}, which cannot be read: {error.strerror}") from error


def endpoint(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def why_not_bound(host: str, port: int) -> str:
    """Why an address cannot be listened on, and what to do; gRPC does not say so."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            if os.name == "posix":
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except socket.gaierror as error:
        return f"the host is not known ({error.strerror}); give an address of this machine as --host"
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return "this machine does not have the address; give one that it has as --host"
        if error.errno == errno.EADDRINUSE:
            return "another program listens there; choose another --port"
        if error.errno in (errno.EACCES, errno.EPERM):
            return "this user may not listen there; choose a --port above 1023"
        return f"{error.strerror}; choose another --host or --port"
    return "the system refuses it; choose another --host or --port"


def check_exposure(host: str, tls: object, token: object) -> None:
    """Refuses an address that others can reach unless TLS and a token guard it.

    Args:
        host: where the server is to listen.
        tls, token: whatever stands for them, or None.

    Raises:
        ValueError: they do not; the message says what to give.
    """
    missing = [name for name, given in (("--tls-key and --tls-certificate", tls), ("--token-file", token)) if not given]
    if missing and not is_loopback(host):
        raise ValueError(
            f"{host} can be reached from other machines, which needs {' and '.join(missing)}; "
            "or listen on 127.0.0.1 and reach it through an SSH tunnel"
        )
