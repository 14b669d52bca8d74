"""Where a RabbitMQ to run comes from: the scripts of an installed one, which apt can install for root."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local import debian_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALLED = ("/usr/lib/rabbitmq/lib", "/opt")


def scripts() -> Path | None:
    """The directory of the server's own scripts, which any user may run; None when it is not installed.

    Not the wrappers that packages put on the PATH: those run as the user `rabbitmq`, on the system's data.
    """
    found = shutil.which("rabbitmq-server")
    candidates = [Path(found).resolve().parent] if found else []
    for place in INSTALLED:
        candidates += sorted(Path(place).glob("rabbitmq_server-*/sbin"), reverse=True)
    for candidate in candidates:
        if (candidate / "rabbitmq-env").exists() and (candidate / "rabbitmq-server").exists():
            return candidate if shutil.which("erl") and shutil.which("epmd") else None
    return None


def install() -> Path | None:
    """Install the distribution's package, without starting its service; None where that cannot be done."""
    if not debian_packages.can_install():
        return None
    print("no RabbitMQ on this machine: installing the package rabbitmq-server (its service is not started)")
    with _no_service_starts():
        installed = debian_packages.install("rabbitmq-server")
    return scripts() if installed else None


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own switch for "start no service", put back as it was afterwards."""
    policy, kept = Path("/usr/sbin/policy-rc.d"), Path("/usr/sbin/policy-rc.d.kept-by-tandem")
    existed = policy.exists()
    if existed:
        policy.replace(kept)
    try:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)
        if existed:
            kept.replace(policy)
