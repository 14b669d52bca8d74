"""Ports on the loopback interface: a free one, whether one is taken, and who answers there."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int, question: bytes, prefix: bytes, timeout_seconds: float = 1) -> bool:
    """Whether the server on the port answers the bytes `question` with bytes that begin with `prefix`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_seconds) as connection:
            connection.sendall(question)
            return connection.recv(64).startswith(prefix)
    except OSError:
        return False
