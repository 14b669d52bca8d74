"""`python3 -m local check templates` tells what is wrong, and what it did not look at."""

import shutil
from pathlib import Path

import pytest

from local import templates
from local.steps import StepFailed


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of infra/ that a test may break."""
    directory = tmp_path / "infra"
    shutil.copytree(templates.INFRA, directory)
    monkeypatch.setattr(templates, "INFRA", directory)
    return directory


def broken(directory: Path, old: str, new: str) -> None:
    """Change one thing in the application's template."""
    path = directory / "template.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_what_sam_would_refuse_is_told_in_its_words(copied: Path) -> None:
    """An authorizer that is not there passes cfn-lint and no deployment."""
    broken(copied, "DefaultAuthorizer: ApiKey", "DefaultAuthorizer: Nobody")
    with pytest.raises(StepFailed, match="Nobody"):
        templates.expanded()


def test_a_circle_that_only_the_expansion_shows_is_told(
    copied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A deployment that watches an alarm on the API: API, alias, deployment, alarm."""
    broken(
        copied,
        "Namespace: Tandem, MetricName: http_errors_total, Dimensions: [",
        "Namespace: AWS/ApiGateway, MetricName: 5xx, Dimensions: [{Name: ApiId, Value: !Ref Api}, ",
    )
    with pytest.raises(StepFailed):
        templates.lint_expanded()
    assert "E3004" in capfd.readouterr().out


def test_without_sam_it_is_said_that_sam_did_not_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, with the way to have it; the check goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    templates.sam_lint()
    assert "NOT RUN: `sam validate --lint`" in capsys.readouterr().out
