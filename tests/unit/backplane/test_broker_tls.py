"""A broker over TLS is believed to be who the address says, or not at all."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tandem.backplane.broker import BrokerConnection, tls_of
from tandem.backplane.errors import BrokerUnavailable

if TYPE_CHECKING:
    from pathlib import Path

HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("other.example")


def certificate(directory: Path, subject: x509.GeneralName) -> tuple[Path, Path]:
    """Files of a self-signed certificate for `subject`, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "certificate.pem", directory / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def shakes_hands(directory: Path, subject: x509.GeneralName, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the publisher completes a handshake with a trusted certificate for `subject`, at 127.0.0.1."""
    own, key = certificate(directory, subject)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own, key)
    first_bytes: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while len(first_bytes) < 2:  # it tries twice
            try:
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as secured:
                    first_bytes.append(secured.recv(4))
            except OSError:
                first_bytes.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with pytest.raises(BrokerUnavailable):  # in the end this is no broker
            BrokerConnection(f"amqps://guest:guest@127.0.0.1:{listener.getsockname()[1]}//", 10)
        thread.join(15)
    return b"AMQP" in first_bytes


def test_the_host_of_the_address_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets to hear AMQP."""
    assert shakes_hands(tmp_path, HERE, monkeypatch)


def test_another_hosts_certificate_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although somebody trusted has signed it: not a word is said to it, the password least of all."""
    assert not shakes_hands(tmp_path, ELSEWHERE, monkeypatch)


@pytest.mark.parametrize("url", ["amqp://host//", "redis://host/0", "rediss://host/0"])
def test_other_addresses_are_left_to_their_transport(url: str) -> None:
    """Redis verifies by itself; plain AMQP has nothing to verify."""
    assert tls_of(url) == {}
