"""`make e2e`: the whole system in containers and under SAM, asked from outside, then taken down again.

    python3 -m local e2e [--without sam] [--without browser] [PYTEST-ARGUMENT…]

What was not run is said at the end, in words. Ends with 0 when everything that was not left out succeeded.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.child import StartError
from local.composition import Composition, CompositionError
from local.e2e_contract import ask_contract
from local.e2e_prerequisites import PrerequisiteMissing, Prerequisites
from local.e2e_tables import put_tables, sizes_table
from local.lock import Lock
from local.sam_build import sam_build, sam_images_removed, sam_validate
from local.sam_local import served
from local.steps import StepFailed, run, step
from tandem.backplane.callers import digest_of, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests" / "e2e"
DOCUMENT = ROOT / "docs" / "10-three-ways.md"
OPTIONAL = {
    "sam": (
        "sam validate, build, invoke, start-api and start-lambda; the layer; the three ways side by side",
        ("test_sam.py", "test_layer.py", "test_three_ways.py"),
    ),
    "browser": ("the API opened in a browser", ("test_browser.py",)),
}
TESTS_SECONDS = 600
CALLER = "e2e"


def ask(variables: dict[str, str], left_out: list[str], extra: list[str]) -> None:
    """The tests of tests/e2e against what is up."""
    ignored = [f"--ignore={TESTS / name}" for part in left_out for name in OPTIONAL[part][1]]
    pytest = [sys.executable, "-m", "pytest", str(TESTS), *ignored, *extra]
    run(pytest, directory=ROOT, seconds=TESTS_SECONDS, variables=variables)


def run_all(left_out: list[str], extra: list[str]) -> None:
    """Every step, and afterwards everything gone that it made."""
    needs = Prerequisites.of(ROOT)
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    key = new_key()
    composition = Composition(
        ROOT, f"tandem-e2e-{checkout}", {"API_KEYS": json.dumps({digest_of(key): CALLER})}
    )
    with contextlib.ExitStack() as stack:
        with step("prerequisites"):
            for part in OPTIONAL.keys() - set(left_out):
                getattr(needs, part)()
            if needs.engine():
                stack.callback(needs.stop_engine)
            needs.images(with_sam="sam" not in left_out)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-e2e-")))
        stack.enter_context(taken_down(composition))
        with step("compose: build"):
            composition.down()  # what a run left that was killed
            composition.build()
        with step("compose: start and wait until healthy"):
            composition.up()
        gateway = f"http://{composition.address('gateway', 8000)}"
        ways = {"over HTTP to compose": {"CONTRACT_BASE_URL": gateway}}
        variables = {
            "TANDEM_E2E_URL": gateway,
            "TANDEM_E2E_KEYED_URL": f"http://{composition.address('gateway-with-keys', 8000)}",
            "TANDEM_E2E_KEY": key,
            "TANDEM_E2E_PROJECT": composition.project,
            "TANDEM_E2E_FOUND": str(directory),
            "SAM_CLI_TELEMETRY": "0",
            "SAM_LAYER_CACHE_BASEDIR": str(directory / "layers"),
        }
        if "sam" not in left_out:
            api, functions = with_sam(stack, composition, directory, key)
            ways["over HTTP to sam local start-api"] = {
                "CONTRACT_BASE_URL": api,
                "CONTRACT_API_KEY": key,
                "CONTRACT_API": "sam",
            }
            ways["as events to sam local start-lambda"] = {"CONTRACT_LAMBDA_URL": functions}
            variables |= {
                "TANDEM_E2E_API_URL": api,
                "TANDEM_E2E_LAMBDA_URL": functions,
                "TANDEM_E2E_SAM_BUILD": str(directory / "build"),
            }
        ask_contract(ROOT, ways)
        with step("tests"):
            ask(variables, left_out, extra)
        with step("sizes"):
            table = sizes(composition, directory / "build")
            print(table)
        if not left_out and not extra:
            (directory / "sizes.md").write_text(table)
            put_tables(DOCUMENT, directory)


def with_sam(
    stack: contextlib.ExitStack, composition: Composition, directory: Path, key: str
) -> tuple[str, str]:
    """The application built by SAM and served until `stack` ends; the addresses of the API and of Lambda."""
    stack.enter_context(sam_images_removed())
    with step("sam validate"):
        sam_validate(ROOT)
    with step("sam build"):
        sam_build(ROOT, directory / "build", f"http://{composition.address('aws', 5000)}")
    template = directory / "build" / "template.yaml"
    # Both make the same image of the layer, which the second then finds.
    with step("sam local start-api"):
        api = stack.enter_context(served("start-api", template, composition.network, key))
    with step("sam local start-lambda"):
        functions = stack.enter_context(served("start-lambda", template, composition.network))
    return api, functions


def sizes(composition: Composition, build: Path) -> str:
    """How large the images are, and what SAM has packed, if it has."""
    images = {
        name.removeprefix(f"{composition.project}-"): size for name, size in composition.images().items()
    }
    artefacts = {}
    for directory in build.glob("*"):
        files = [file for file in directory.rglob("*") if file.is_file()]
        if any(file.suffix == ".py" for file in files):
            artefacts[directory.name] = sum(file.stat().st_size for file in files)
    return sizes_table(images, artefacts)


@contextlib.contextmanager
def taken_down(composition: Composition) -> Iterator[None]:
    """Show what the containers say when a step fails; remove everything in any case, uninterrupted."""
    try:
        yield
    except (CompositionError, StartError, StepFailed):
        with step("compose: what its containers say"):
            composition.show_state()
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        with step("compose: take down"):
            composition.down()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """Run everything that is not left out; the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m local e2e", description=__doc__)
    parser.add_argument("--without", action="append", choices=sorted(OPTIONAL), default=[])
    chosen, extra = parser.parse_known_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    problem = ""
    with Lock(ROOT / ".tandem" / "e2e.lock") as lock:
        if not lock.take():
            print("e2e: another run of this checkout is under way", file=sys.stderr)
            return 1
        try:
            run_all(chosen.without, extra)
        except KeyboardInterrupt:
            problem = "interrupted"
        except (PrerequisiteMissing, CompositionError, StartError, StepFailed) as error:
            problem = str(error)
    report(chosen.without, problem)
    return 130 if problem == "interrupted" else int(bool(problem))


def report(left_out: list[str], problem: str) -> None:
    """Say what was run and what was not."""
    for part in left_out:
        print(f"e2e: NOT RUN, left out by --without {part}: {OPTIONAL[part][0]}")
    print(f"e2e: FAILED: {problem}" if problem else "e2e: succeeded")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
