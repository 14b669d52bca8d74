"""The proxy does what it says, since other tests believe it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_SECONDS = 10
SILENT_SECONDS = 0.3


class EchoServer:
    """A server that sends back what it gets, to any number of clients."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more clients; those there are have gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(WAIT_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._echo, args=[connection], daemon=True))
            self._threads[-1].start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while data := _received(connection):
                self.received.append(data)
                connection.sendall(data)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1000)
    except ConnectionError:
        return b""


@pytest.fixture
def server() -> Iterator[EchoServer]:
    """A server to stand behind the proxy."""
    made = EchoServer()
    yield made
    made.close()


@pytest.fixture
def proxy(server: EchoServer) -> Iterator[TcpProxy]:
    """A proxy before the server."""
    with TcpProxy(server.port) as made:
        yield made


def connected(proxy: TcpProxy) -> socket.socket:
    """A client of the proxy."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS)


def echo(client: socket.socket, data: bytes = b"hello") -> bytes:
    """What comes back."""
    client.sendall(data)
    return client.recv(1000)


def echo_once(proxy: TcpProxy) -> bytes:
    """What comes back over a connection of its own."""
    with connected(proxy) as client:
        return echo(client)


def test_it_passes_on_both_ways(proxy: TcpProxy, server: EchoServer) -> None:
    """Also what was sent just before the end."""
    with connected(proxy) as client:
        assert echo(client) == b"hello"
        client.sendall(b"last words")
    with connected(proxy) as client:
        assert echo(client) == b"hello"
    assert server.received[:2] == [b"hello", b"last words"]
    assert proxy.accepted == 2


def test_a_delay_does_not_change_what_comes(proxy: TcpProxy) -> None:
    """It only comes later."""
    proxy.pass_on(delay_seconds=0.05)
    with connected(proxy) as client:
        assert echo(client) == b"hello"


def test_what_is_swallowed_never_arrives(proxy: TcpProxy, server: EchoServer) -> None:
    """The client sees nothing of it, and its connection is lost for good; a new one works."""
    with connected(proxy) as client, connected(proxy) as idle:
        assert echo(client) == b"hello"
        assert echo(idle) == b"hello"
        proxy.swallow()
        client.sendall(b"into the void")
        client.settimeout(SILENT_SECONDS)
        with pytest.raises(TimeoutError):
            client.recv(1000)
        with connected(proxy) as late:
            late.settimeout(SILENT_SECONDS)
            with pytest.raises(TimeoutError):
                echo(late)
        proxy.pass_on()
        with pytest.raises(TimeoutError):
            echo(client)
        assert echo(idle) == b"hello"
        with connected(proxy) as new:
            assert echo(new) == b"hello"
    assert b"into the void" not in server.received


def test_open_connections_alone_can_be_swallowed(proxy: TcpProxy) -> None:
    """With some bytes still coming through, so that half a frame can arrive."""
    with connected(proxy) as client:
        assert echo(client) == b"hello"
        proxy.swallow_open_ones(after_bytes=2)
        assert echo(client) == b"he"
        client.settimeout(SILENT_SECONDS)
        with pytest.raises(TimeoutError):
            echo(client)
        with connected(proxy) as new:
            assert echo(new) == b"hello"


def test_a_reset_is_a_reset(proxy: TcpProxy) -> None:
    """Not an orderly end; new connections work, unless all are reset."""
    with connected(proxy) as client:
        assert echo(client) == b"hello"
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(1000)
    with connected(proxy) as client:
        assert echo(client) == b"hello"
    proxy.reset_all()
    with pytest.raises(ConnectionError):
        echo_once(proxy)
    proxy.pass_on()
    with connected(proxy) as client:
        assert echo(client) == b"hello"


def test_a_refusal_is_a_refusal(proxy: TcpProxy) -> None:
    """Nobody listens, until it passes on again, on the same port."""
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.pass_on()
    assert proxy.port == port
    with connected(proxy) as client:
        assert echo(client) == b"hello"


def test_an_address_through_it(proxy: TcpProxy) -> None:
    """Users, virtual hosts and databases stay."""
    assert proxy.of("amqp://a:b@broker:5672//") == f"amqp://a:b@127.0.0.1:{proxy.port}//"
    assert proxy.of("redis://127.0.0.1:6379/3") == f"redis://127.0.0.1:{proxy.port}/3"
