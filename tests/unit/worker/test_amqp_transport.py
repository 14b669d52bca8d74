"""Frames are read as they have arrived: many at once, in pieces, and never waited for in the middle."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from amqp.exceptions import ConnectionForced
from amqp.serialization import dumps
from amqp.spec import Basic

from tests.unit.backplane.test_broker_tls import HERE, certificate
from worker.amqp_transport import RECEIVED_BYTES, Connection, Transport, _SSLTransport, _TCPTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG = "consumer"
WAIT_SECONDS = 10


class Receiving:
    """A connection past its handshake with one consumer, and the broker's end of its socket."""

    def __init__(self, server: ssl.SSLContext | None) -> None:
        self.broker, mine = socket.socketpair()
        self.bodies: list[bytes] = []
        connection: Any = Connection  # what is done here to its objects, the stubs do not know
        self.connection = connection(host="127.0.0.1")
        with ThreadPoolExecutor(1) as handshake:
            if server is None:
                transport: Any = _TCPTransport("127.0.0.1", connect_timeout=WAIT_SECONDS)
            else:
                wrapped = handshake.submit(server.wrap_socket, self.broker, server_side=True)
                unverified = {"cert_reqs": ssl.CERT_NONE}
                transport = _SSLTransport("127.0.0.1", connect_timeout=WAIT_SECONDS, ssl=unverified)
            transport.sock, transport.connected = mine, True
            transport._setup_transport()
            if server is not None:
                self.broker = wrapped.result()
        transport.sock.settimeout(WAIT_SECONDS)
        self.connection.transport = transport
        self.connection.on_inbound_frame = self.connection.frame_handler_cls(
            self.connection, self.connection.on_inbound_method
        )
        channel = self.connection.Channel(self.connection, 1)
        channel.callbacks[TAG] = lambda message: self.bodies.append(bytes(message.body))

    def close(self) -> None:
        """Close both ends."""
        self.broker.close()
        self.connection.transport.sock.close()


@pytest.fixture(params=["plain", "tls"])
def receiving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiving]:
    """A connection that waits for messages."""
    server = None
    if request.param == "tls":
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*certificate(tmp_path, HERE))
    made = Receiving(server)
    yield made
    made.close()


def frame(kind: int, payload: bytes) -> bytes:
    """One frame on channel 1."""
    return bytes([kind, 0, 1]) + len(payload).to_bytes(4, "big") + payload + b"\xce"


def delivery(body: bytes) -> bytes:
    """One message, as a broker sends it."""
    method = b"".join(part.to_bytes(2, "big") for part in Basic.Deliver)
    header = (60).to_bytes(2, "big") + bytes(2) + len(body).to_bytes(8, "big") + bytes(2)
    return (
        frame(1, method + dumps("sLbss", (TAG, 1, False, "", "ml")))
        + frame(2, header)
        + b"".join(frame(3, body[at : at + 100_000]) for at in range(0, len(body), 100_000))
    )


def test_what_has_arrived_together_is_taken_together(receiving: Receiving) -> None:
    """Also more than is received at once: nothing is left where the event loop would not see it."""
    bodies = [b"%d" % number * 100 for number in range(200)]
    sent = b"".join(map(delivery, bodies))
    assert len(sent) > 2 * RECEIVED_BYTES
    receiving.broker.sendall(sent)
    transport = Transport(client=None)
    for _ in range(len(sent) // RECEIVED_BYTES + 1):
        transport.on_readable(receiving.connection, None)
    assert receiving.bodies == bodies
    with pytest.raises(TimeoutError):
        receiving.connection.drain_events(timeout=0)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_message_in_pieces_is_one_message(receiving: Receiving, size: int) -> None:
    """Whatever is missing is not waited for, and what has come is not lost."""
    sent = delivery(b"first") + delivery(b"second")
    for at in range(0, len(sent), size):
        receiving.broker.sendall(sent[at : at + size])
        Transport(client=None).on_readable(receiving.connection, None)
    assert receiving.bodies == [b"first", b"second"]


def test_a_body_of_many_frames_is_read_whole(receiving: Receiving) -> None:
    """Larger than any buffer on the way."""
    body = bytes(range(256)) * 1000
    receiving.broker.settimeout(0)
    sent = delivery(body)
    while sent or not receiving.bodies:
        with suppress(BlockingIOError, ssl.SSLWantWriteError):
            sent = sent[receiving.broker.send(sent) :] if sent else sent
        Transport(client=None).on_readable(receiving.connection, None)
    assert receiving.bodies == [body]


def test_a_connection_that_the_broker_has_closed_is_an_error(receiving: Receiving) -> None:
    """And not silence."""
    receiving.broker.sendall(delivery(b"last"))
    receiving.broker.close()
    receiving.connection.drain_events(timeout=0)
    assert receiving.bodies == [b"last"]
    with pytest.raises(OSError, match="closed connection"):
        receiving.connection.drain_events(timeout=0)


def consume_ok(tag: str) -> bytes:
    """The answer to a consumer that begins."""
    return frame(1, b"".join(part.to_bytes(2, "big") for part in Basic.ConsumeOk) + dumps("s", (tag,)))


def test_a_message_right_behind_an_answer_waits_until_its_caller_has_it(receiving: Receiving) -> None:
    """A consumer is noted after the answer; its first messages may have come in the same piece."""
    due: list[Any] = []
    loop = SimpleNamespace(
        add_reader=lambda *_: None,
        timer=SimpleNamespace(call_after=lambda _, call, args: due.append((call, args))),
    )
    connection: Any = receiving.connection
    Transport(client=None).register_with_event_loop(connection, loop)
    channel = connection.channels[1]
    receiving.broker.sendall(delivery(b"before") + consume_ok("new") + delivery(b"behind"))
    assert channel.wait(Basic.ConsumeOk) == "new"
    assert receiving.bodies == [b"before"]
    [(call, args)] = due  # one, however many events there were: the loop fires few timers in a turn
    call(*args)
    assert receiving.bodies == [b"before", b"behind"]


HEARTBEAT, CHECKS = 60, 12
HEARTBEAT_FRAME = b"\x08\x00\x00\x00\x00\x00\x00\xce"


class Watched:
    """A connection whose heartbeat is looked after every five seconds, by a clock of its own."""

    def __init__(self, receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
        self.receiving, self.now = receiving, 1000.0
        connection: Any = receiving.connection
        connection.heartbeat = HEARTBEAT
        monkeypatch.setattr("worker.amqp_transport.monotonic", lambda: self.now)

    def listen(self, seconds: float) -> None:
        """Let the loop turn for so long."""
        until = self.now + seconds
        while self.now < until:
            self.now += HEARTBEAT / CHECKS
            Transport(client=None).on_readable(self.receiving.connection, None)
            self.receiving.connection.heartbeat_tick(CHECKS)


@pytest.fixture
def watched(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """One that has just heard of the broker."""
    made = Watched(receiving, monkeypatch)
    made.listen(10)
    return made


def test_a_broker_that_has_gone_silent_is_given_up_within_one_interval(watched: Watched) -> None:
    """It sends twice in one; py-amqp alone would wait for two."""
    with pytest.raises(ConnectionForced, match="silent"):
        watched.listen(HEARTBEAT)


def test_a_broker_that_sends_heartbeats_is_there(watched: Watched) -> None:
    """Though it has no messages."""
    for _ in range(4):
        watched.listen(HEARTBEAT / 2)
        watched.receiving.broker.sendall(HEARTBEAT_FRAME)


def test_what_a_busy_loop_has_not_read_is_no_silence(watched: Watched) -> None:
    """A solo worker hears nothing while it predicts, however long that takes."""
    watched.listen(HEARTBEAT / 2)
    watched.receiving.broker.sendall(HEARTBEAT_FRAME)
    watched.now += HEARTBEAT
    watched.receiving.connection.heartbeat_tick(CHECKS)
    watched.listen(HEARTBEAT / 2)


def test_a_connection_that_does_not_consume_may_be_silent(watched: Watched) -> None:
    """Nobody reads that of Celery's events."""
    watched.receiving.connection.channels[1].callbacks.clear()
    watched.listen(2 * HEARTBEAT)
