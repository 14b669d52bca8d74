"""What `make e2e` says and does on machines that have all, some or nothing of what it needs."""

from pathlib import Path

import pytest

from local.e2e_prerequisites import PrerequisiteMissing, Prerequisites


class Machine:
    """Programs and scripts in a directory; an engine answers while the file `engine` exists."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.root = directory / "checkout"
        self.engine = directory / "engine"
        self.lab = directory / "shared" / "lab"
        for made in (self.bin, self.root, self.lab):
            made.mkdir(parents=True)

    def program(self, name: str, text: str = "exit 0") -> None:
        """Put a program on the PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def docker(self, running: str = "") -> None:
        """A client whose engine may or may not be up; `running` are the ids it lists."""
        self.program("docker", f'test -e {self.engine} || exit 1\n[ "$1" != ps ] || echo {running}')

    def scripts(self) -> None:
        """Scripts that bring the engine up and take it down."""
        (self.lab / "engine.sh").write_text(
            f'if [ "$1" = stop ]; then rm {self.engine}; else touch {self.engine}; fi'
        )

    @property
    def needs(self) -> Prerequisites:
        """The prerequisites as they are found from the checkout."""
        return Prerequisites.of(self.root)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a shell and nothing else."""
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    monkeypatch.delenv("TANDEM_LAB", raising=False)
    made.docker()
    return made


def test_an_engine_that_answers_is_used_as_it_is(machine: Machine) -> None:
    """It was not started here, so it is not stopped here either."""
    machine.engine.touch()
    assert machine.needs.engine() is False


def test_without_an_engine_and_without_scripts_it_says_what_is_missing(machine: Machine) -> None:
    """The message names the commands that have to succeed."""
    with pytest.raises(PrerequisiteMissing, match="docker info"):
        machine.needs.engine()


def test_scripts_beside_the_checkout_bring_the_engine_up_and_down(machine: Machine) -> None:
    """What was started here is stopped here."""
    machine.scripts()
    assert machine.needs.engine() is True
    assert machine.engine.exists()
    machine.needs.stop_engine()
    assert not machine.engine.exists()


def test_an_engine_that_somebody_else_uses_by_now_is_left_running(machine: Machine) -> None:
    """Containers that are not of this run would be lost."""
    machine.scripts()
    machine.engine.touch()
    machine.docker(running="0123456789ab")
    machine.needs.stop_engine()
    assert machine.engine.exists()


def test_a_script_that_fails_is_named(machine: Machine) -> None:
    """With its status; its own words are above."""
    (machine.lab / "engine.sh").write_text("exit 7")
    with pytest.raises(PrerequisiteMissing, match=r"engine\.sh failed with status 7"):
        machine.needs.engine()


@pytest.mark.parametrize(("part", "program"), [("sam", "sam"), ("browser", "chromium")])
def test_what_can_be_left_out_is_named_with_the_way_to_do_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, part: str, program: str
) -> None:
    """A developer without it can run the rest, knowingly."""
    monkeypatch.setenv("PATH", str(machine.bin))
    with pytest.raises(PrerequisiteMissing, match=f"--without {part}"):
        getattr(machine.needs, part)()
    for name in (program, "chromedriver"):
        machine.program(name)
    getattr(machine.needs, part)()


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests counts as root."""
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.usefixtures("as_root")
def test_a_missing_browser_is_installed_by_root(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The package lists first, as a new machine has none; then both packages at once."""
    monkeypatch.setenv("PATH", f"{machine.bin}:{tmp_path}")
    brings = [f"/bin/ln -s /bin/true {machine.bin / name}" for name in ("chromium", "chromedriver")]
    machine.program(
        "apt-get", f'echo "$*" >> {tmp_path}/asked\n[ "$4" != install ] || {{ {"; ".join(brings)}; }}'
    )
    machine.needs.browser()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].endswith(" update")
    assert asked[1].endswith("--no-install-recommends chromium chromium-driver")


@pytest.mark.usefixtures("as_root")
def test_a_browser_that_apt_does_not_bring_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without its registry: what to install stands in the message all the same."""
    monkeypatch.setenv("PATH", str(machine.bin))
    machine.program("apt-get", "exit 100")
    with pytest.raises(PrerequisiteMissing, match="apt-get install chromium chromium-driver"):
        machine.needs.browser()
