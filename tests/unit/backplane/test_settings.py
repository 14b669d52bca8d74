"""Settings come from the environment, and whoever sets one wrong is told which, never what it held."""

from pathlib import Path

import pytest

from tandem.backplane.errors import SettingsError
from tandem.backplane.settings import Settings, read_settings, settings, settings_at_start

EXAMPLE = Path(__file__).parents[3] / ".env.example"
SECRET = "hunter2"
WRONG = [
    ("BROKER_URL", ""),
    ("BROKER_URL", f"http://user:{SECRET}@broker"),
    ("BROKER_URL", f"amqp://user:{SECRET}@broker:{SECRET}//"),
    ("BROKER_URL", f"amqp://user:{SECRET}@broker:99999//"),
    ("BROKER_URL", f"amqp://user:{SECRET}@[broker//"),
    ("REDIS_URL", f"amqp://{SECRET}"),
    ("REDIS_URL", f"redis://:{SECRET}@store:{SECRET}/0"),
    ("MLFLOW_TRACKING_URI", SECRET),
    ("SERVED_MODELS", f"spam,,{SECRET}"),
    ("SERVED_MODELS", f"@{SECRET}"),
    ("SERVED_MODELS", f"{SECRET}@"),
    ("MODEL_ALIAS", f"{SECRET} or not"),
    ("MODEL_ALIAS", ""),
    ("MODEL_ALIAS", f"{SECRET}ü"),
    ("MATCH_MODEL", f"../{SECRET}"),
    ("MATCH_MODEL", f"{SECRET}é"),
    ("AS_OF", SECRET),
    ("AS_OF", "2026-13-01"),
    ("MAX_FEATURE_AGE_DAYS", "-1"),
    ("MAX_FEATURE_AGE_DAYS", SECRET),
    ("SYNC_TIMEOUT_SECONDS", "0"),
    ("SYNC_TIMEOUT_SECONDS", "inf"),
    ("SYNC_TIMEOUT_SECONDS", "nan"),
    ("MAX_BODY_BYTES", "10"),
    ("MAX_INLINE_RESULT_BYTES", "999"),
    ("DEFAULT_EXPIRES_SECONDS", "604801"),
    ("DEFAULT_EXPIRES_SECONDS", "0"),
    ("RESULT_TTL_SECONDS", "59"),
    ("RESULT_TTL_SECONDS", "9" * 19),
    ("GONE_TTL_SECONDS", "9" * 19),
    ("TASK_TIME_LIMIT_SECONDS", "-inf"),
    ("MAX_ATTEMPTS", "21"),
    ("MAX_ATTEMPTS", "3.5"),
    ("QUEUE_MAX_LENGTH", "0"),
    ("API_KEYS_SECRET", f'{{"{SECRET}": "alice"}}'),
    ("BEHIND_GATEWAY", SECRET),
    ("PAYLOAD_BUCKET", f"{SECRET}/"),
    ("LOG_LEVEL", SECRET),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_named_and_not_shown(name: str, value: str) -> None:
    """The line names the variable, and no part of a value that may hold a password."""
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value})
    assert f"{name}: " in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)


def test_each_setting_can_be_wrong() -> None:
    """There is none that takes whatever it is given."""
    assert {name for name, _ in WRONG} == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_process_ends_with_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is all that it says."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        settings_at_start("worker")
    assert str(ended.value).startswith(f"worker: wrong setting: {name}: ")
    assert "\n" not in str(ended.value)


def test_a_process_ends_without_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set to nothing is missing too."""
    monkeypatch.setenv("BROKER_URL", "")
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(SystemExit, match=r"^f: missing setting: BROKER_URL, REDIS_URL$"):
        settings_at_start("f", needed=["BROKER_URL", "REDIS_URL"])


def test_every_wrong_value_is_named_at_once() -> None:
    """Nobody has to start twice to find the second fault."""
    with pytest.raises(SettingsError, match=r"AS_OF.*MAX_ATTEMPTS"):
        read_settings({"AS_OF": "soon", "MAX_ATTEMPTS": "many"})


def test_what_is_not_set_has_its_default() -> None:
    """An empty environment serves on one machine; an empty AS_OF is an unset one."""
    assert read_settings({}) == Settings()
    assert read_settings({"AS_OF": ""}).as_of is None
    assert read_settings({"AS_OF": ""}).today is not None


@pytest.mark.parametrize(
    "url",
    [
        "amqps://user:p%40ss@broker.example:5671/vhost",
        "amqp://a:5672//;amqp://b:5672//",
        "redis://127.0.0.1:6379/1",
        "rediss://:secret@store.example:6380/0",
    ],
)
def test_urls_of_both_brokers_are_taken(url: str) -> None:
    """Also several of them, as kombu takes them."""
    assert read_settings({"BROKER_URL": url}).broker_is_redis is url.startswith("redis")


def test_urls_do_not_show_when_settings_are_printed() -> None:
    """A log line with the settings in it gives no password away."""
    names = ("BROKER_URL", "REDIS_URL", "MLFLOW_TRACKING_URI")
    schemes = ("amqp", "redis", "https")
    given = {name: f"{scheme}://user:{SECRET}@host" for name, scheme in zip(names, schemes, strict=True)}
    assert SECRET not in f"{read_settings(given)!r} {read_settings(given)}"


def test_settings_are_read_once_and_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process, one set of settings, whatever happens to the environment later."""
    monkeypatch.setenv("MAX_ATTEMPTS", "5")
    settings.cache_clear()
    try:
        assert settings().max_attempts == 5
        monkeypatch.setenv("MAX_ATTEMPTS", "7")
        assert settings().max_attempts == 5
        with pytest.raises(ValueError, match="frozen"):
            settings().max_attempts = 9  # type: ignore[misc]
    finally:
        settings.cache_clear()


def test_the_example_lists_every_setting_with_its_default() -> None:
    """And nothing that no setting reads."""
    lines = EXAMPLE.read_text().splitlines()
    listed = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(listed) == {name.upper() for name in Settings.model_fields}
    assert read_settings(listed) == Settings()
