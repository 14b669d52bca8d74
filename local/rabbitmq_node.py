"""A RabbitMQ node run from the scripts of an installed one, with ports, name, data and cookie of its own.

Nothing of another node on the machine is touched: the port mapper (epmd) listens on a port of its own and is
a child like the server, so it is stopped with it and survives the server being killed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from typing import TYPE_CHECKING

from local.child import Child
from local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CTL_SECONDS = 60


class InstalledBroker:
    """The scripts of an installed RabbitMQ, pointed at a directory and at ports of their own."""

    def __init__(self, scripts: Path, directory: Path, port: int) -> None:
        self._scripts = scripts
        self._directory = directory
        self._port = port
        self._name = f"tandem-{secrets.token_hex(4)}@localhost"
        self._epmd_port = free_port()
        self._variables = self._settings()
        log = directory / "rabbitmq.log"
        server = str(scripts / "rabbitmq-server")
        self.child = Child("rabbitmq", [server], log=log, variables=self._variables, stop_seconds=30)
        mapper = ["epmd", "-port", str(self._epmd_port), "-address", LOOPBACK]
        self._epmd = Child("epmd", mapper, log=directory / "epmd.log", variables=self._variables)

    def start(self) -> None:
        """Write what the node reads at its start, and start the port mapper and the node."""
        home = self._directory / "home"
        home.mkdir(parents=True, exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(16), encoding="ascii")
            cookie.chmod(0o400)
        for name, text in self._files().items():
            (self._directory / name).write_text(text, encoding="utf-8")
        if not self._epmd.is_alive:
            self._epmd.start()
        self.child.start()

    def stop(self) -> None:
        """The node first, then the port mapper."""
        self.child.stop()
        self._epmd.stop()

    def ctl(self, *args: str) -> str:
        """See `PrivateRabbitmq.ctl`."""
        command = [str(self._scripts / "rabbitmqctl"), "--node", self._name, *args]
        done = subprocess.run(
            command, env=self._variables, capture_output=True, text=True, timeout=CTL_SECONDS, check=True
        )
        return done.stdout

    def _files(self) -> Mapping[str, str]:
        configuration = [
            f"listeners.tcp.local = {LOOPBACK}:{self._port}",
            "loopback_users.guest = true",
            "disk_free_limit.absolute = 50MB",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
        ]
        return {
            "rabbitmq.conf": "\n".join(configuration) + "\n",
            "advanced.config": "[].\n",
            "enabled_plugins": "[].\n",
            "rabbitmq-env.conf": "",
        }

    def _settings(self) -> dict[str, str]:
        foreign = ("RABBITMQ_", "ERL_", "ERLANG_")
        variables = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        at = self._directory
        return variables | {
            "HOME": str(at / "home"),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(at / "data"),
            "RABBITMQ_MNESIA_DIR": str(at / "data" / "node"),
            "RABBITMQ_LOG_BASE": str(at / "logs"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
            "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(at / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the server instead of watching over it
        }
