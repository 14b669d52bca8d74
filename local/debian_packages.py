"""Debian packages installed by apt, where this process may: as root, and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess

INSTALL_SECONDS = 900
LOCK_SECONDS = 300


def can_install() -> bool:
    """Whether there is apt, and we are root."""
    return os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> bool:
    """Install packages without what they recommend; whether they are installed now. Says nothing."""
    if not can_install():
        return False
    settings = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    waiting = ["-q", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    status = 1
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        command = ["apt-get", *waiting, *arguments]
        try:
            status = subprocess.run(
                command,
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                timeout=INSTALL_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return False
    return status == 0
