"""The environment is made from the lock file by a bare Python, once, whatever interrupts the making."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.environment import Environment, SetupError
from local.environment_stamp import Stamp, locked_version

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[3]
LOCK = '[[package]]\nname = "uvicorn"\nversion = "0.1"\n\n[[package]]\nname = "uv"\nversion = "9.9.9"\n'
# A package that installs a `uv` which writes down how it was called and does as the file `behave` says.
UV = """#!python
import pathlib, sys, time
if sys.argv[1:] == ["--version"]:
    print("uv 9.9.9")
    raise SystemExit
root = pathlib.Path.cwd()
with (root / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
behave = (root / "behave").read_text() if (root / "behave").exists() else ""
if behave == "slow":
    time.sleep(3)
raise SystemExit(behave == "fail")
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose lock file asks for a uv that is found in a directory."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "uv-9.9.9-py3-none-any.whl", "w") as wheel:
        info = "uv-9.9.9.dist-info"
        script = zipfile.ZipInfo("uv-9.9.9.data/scripts/uv")
        script.external_attr = 0o100755 << 16
        wheel.writestr(script, UV)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 9.9.9\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "uv.lock").write_text(LOCK)
    return checkout


def calls(root: Path) -> list[str]:
    """How uv was called, one line a call."""
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def test_it_is_made_once_and_renewed_for_further_groups_or_another_lock(root: Path) -> None:
    """The second start finds it ready; more groups or another lock file renew it, keeping what it had."""
    environment = Environment.of(root, {})
    environment.ensure({"worker", "local"})
    environment.ensure({"local"})
    assert len(calls(root)) == 1
    assert "sync --frozen --inexact --no-default-groups --group local --group worker" in calls(root)[0]
    environment.ensure({"dev"})
    assert "--group dev --group local --group worker" in calls(root)[1]
    environment.ensure({"worker"})
    assert len(calls(root)) == 2
    (root / "uv.lock").write_text(LOCK + "\n")
    environment.ensure({"worker"})
    assert "--group dev --group local --group worker" in calls(root)[2]


def test_one_that_could_not_be_made_is_begun_anew(root: Path) -> None:
    """A failed step is one line, and leaves nothing that the next start would trust."""
    (root / "behave").write_text("fail")
    environment = Environment.of(root, {})
    with pytest.raises(SetupError, match="installing the locked packages failed with status 1"):
        environment.ensure({"local"})
    assert Stamp.read(environment.directory).state == "making"
    leftover = environment.directory / "half-written"
    leftover.touch()
    (root / "behave").write_text("")
    environment.ensure({"local"})
    assert not leftover.exists()
    assert Stamp.read(environment.directory).state == "ready"


def test_a_killed_start_is_repaired_by_the_next(root: Path) -> None:
    """After kill -9 in the middle, the next start waits for what still runs and makes it whole."""
    (root / "behave").write_text("slow")
    shutil.copytree(CHECKOUT / "local", root / "local", ignore=shutil.ignore_patterns("__pycache__"))
    start = [sys.executable, "-m", "local", "setup"]
    with subprocess.Popen(start, cwd=root, stderr=subprocess.DEVNULL) as first:
        wait_for(lambda: bool(calls(root)))
        first.kill()
    (root / "behave").write_text("")
    second = subprocess.run(start, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 0, second.stderr
    assert "waiting for it" in second.stderr
    assert Stamp.read(root / ".venv").state == "ready"


def test_an_environment_that_is_named_is_used_as_it_is(root: Path, tmp_path: Path) -> None:
    """TANDEM_VENV is neither made nor changed, and this checkout's code comes first in it."""
    with pytest.raises(SetupError, match="holds no Python environment"):
        Environment.of(root, {"TANDEM_VENV": str(tmp_path / "none")}).ensure({"local"})
    environment = Environment.of(root, {"TANDEM_VENV": sys.prefix})
    environment.ensure({"local"})
    assert calls(root) == []
    assert environment.variables()["PYTHONPATH"].split(os.pathsep)[:2] == [str(root), str(root / "common")]


@pytest.mark.parametrize("home", [None, "", "/nonexistent"])
def test_a_home_that_cannot_be_written_is_replaced(
    root: Path, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches need a home; without one the checkout's own directory serves."""
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    assert Path(Environment.of(root, {}).variables()["HOME"]).is_relative_to(root)


def test_a_damaged_stamp_counts_as_none(tmp_path: Path) -> None:
    """Whatever is in the file, reading it does not fail."""
    for text in ("", "[]", "{}", '{"state": 1, "lock": null, "groups": 3}', "\x00"):
        (tmp_path / "tandem.json").write_text(text)
        assert Stamp.read(tmp_path) == Stamp()
    Stamp("ready", "abc", ("local",)).write(tmp_path)
    assert json.loads((tmp_path / "tandem.json").read_text())["groups"] == ["local"]


def test_the_locked_version_is_the_packages_own(root: Path) -> None:
    """A name that begins alike is another package."""
    assert locked_version("uv", root / "uv.lock") == "9.9.9"
    with pytest.raises(ValueError, match="does not lock"):
        locked_version("uvi", root / "uv.lock")


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until it happened, within a bound."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
