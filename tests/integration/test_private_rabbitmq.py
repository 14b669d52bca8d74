"""A private RabbitMQ keeps durable messages over a kill and leaves every other node alone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from kombu import Connection

from local import private_rabbitmq, rabbitmq_program
from local.child import StartError
from local.private_rabbitmq import PrivateRabbitmq

if TYPE_CHECKING:
    from pathlib import Path


def test_it_keeps_durable_messages_over_a_kill(tmp_path: Path) -> None:
    """Killed with -9 and started again: same address, same messages; its own rabbitmqctl reaches it."""
    with PrivateRabbitmq(tmp_path) as server:
        with Connection(server.url) as connection, connection.SimpleQueue("kept") as queue:
            queue.put({"n": 1}, delivery_mode=2)
        assert "kept" in server.ctl("list_queues", "name")
        url = server.url
        server.kill()
        assert not server.is_ready()
        server.start()
        assert server.url == url
        with Connection(server.url) as connection, connection.SimpleQueue("kept") as queue:
            message = queue.get(timeout=10)
            assert message.payload == {"n": 1}
            message.ack()
        server.pause()
        assert not server.is_ready()
        server.resume()
        assert server.is_ready()
        with pytest.raises(subprocess.CalledProcessError):
            server.ctl("no_such_command")
    assert not server.child.is_alive
    assert not server.is_ready()


def test_two_of_them_do_not_meet(rabbitmq_server: PrivateRabbitmq, tmp_path: Path) -> None:
    """Two private servers run side by side, and one that stops leaves the other serving."""
    with PrivateRabbitmq(tmp_path) as other:
        other.ctl("add_vhost", "mine")
        assert "mine" not in rabbitmq_server.ctl("list_vhosts")
    assert rabbitmq_server.is_ready()
    assert "/" in rabbitmq_server.ctl("list_vhosts")


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server, an engine or the right to install one, the error is one line that says what helps."""
    monkeypatch.setattr(rabbitmq_program, "scripts", lambda: None)
    monkeypatch.setattr(rabbitmq_program, "install", lambda: None)
    monkeypatch.setattr(private_rabbitmq, "container_engine", lambda: None)
    with pytest.raises(StartError, match="no RabbitMQ to run: install rabbitmq-server") as refused:
        PrivateRabbitmq(tmp_path)
    assert "\n" not in str(refused.value)
