"""Every setting, read once from the environment: one name, one type, one default, one place.

A plain pydantic model and not pydantic-settings, which would add to the cold start of every function.
"""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tandem.backplane.errors import SettingsError
from tandem.backplane.secrets import SECRET_NAME

Seconds = Annotated[float, Field(gt=0, le=86_400)]
YEAR_SECONDS = 366 * 24 * 3600


class Settings(BaseModel):
    """The settings of one process; field names are the environment's names in lower case."""

    model_config = ConfigDict(frozen=True)

    broker_url: str = Field("amqp://guest:guest@127.0.0.1:5672//", min_length=1, repr=False)
    """RabbitMQ (`amqp://`, `amqps://`) or Redis (`redis://`, `rediss://`)."""
    redis_url: str = Field("redis://127.0.0.1:6379/0", pattern=r"^(rediss?|unix)://", repr=False)
    """Task records, results, matches and model cards."""
    mlflow_tracking_uri: str = Field("", pattern=r"^([A-Za-z][\w+.-]*:.+|/.+|databricks)?$", repr=False)
    """The registry; needed by the worker and the models, never by a function."""
    served_models: str = ""
    """Comma-separated `name` or `name@alias`; empty: every registered model that has the alias."""
    # Not \w: for so many of Unicode's letters pydantic's engine makes an automaton, 70 ms of every start.
    model_alias: str = Field("champion", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    match_model: str = Field("match-outcome", pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    as_of: date | None = None
    """The day that "upcoming" and the age of features count from; unset: today in UTC."""
    max_feature_age_days: int = Field(120, ge=0)
    sync_timeout_seconds: Seconds = 30.0
    """How long a synchronous caller waits before a 504; 26 behind API Gateway, whose own limit is 30."""
    max_body_bytes: int = Field(5_000_000, ge=1_000)
    default_expires_seconds: int = Field(86_400, ge=1, le=604_800)
    result_ttl_seconds: int = Field(86_400, ge=60, le=YEAR_SECONDS)
    gone_ttl_seconds: int = Field(604_800, ge=60, le=YEAR_SECONDS)
    task_time_limit_seconds: Seconds = 60.0
    max_attempts: int = Field(3, ge=1, le=20)
    queue_max_length: int = Field(100_000, ge=1)
    api_keys_secret: str = Field("", pattern=rf"^({SECRET_NAME})?$")
    """Where the API keys are (`secrets.py`); empty: nobody is asked for one."""
    behind_gateway: bool = False
    """Whether the local gateway alone reaches this process, so that it is believed who the caller is."""
    payload_bucket: str = Field("", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")
    """The S3 bucket of payloads over the inline limit; empty: uploads are not offered, nor larger results."""
    max_inline_result_bytes: int = Field(5_000_000, ge=1_000)
    """What a job's result may have for a function to hand it out; larger ones are fetched from the bucket."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("as_of", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("served_models")
    @classmethod
    def _named_models(cls, value: str) -> str:
        for item in value.split(",") if value.strip() else ():
            name, at, alias = item.strip().partition("@")
            if not name or (at and not alias):
                raise ValueError("an item is not name or name@alias")
        return value

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if not value.startswith(("amqp://", "amqps://", "redis://", "rediss://")):
            raise ValueError("must begin with amqp://, amqps://, redis:// or rediss://")
        return value

    @field_validator("broker_url", "redis_url")
    @classmethod
    def _readable_url(cls, value: str) -> str:
        try:
            urlsplit(value).port  # noqa: B018  reading it is the check
        except ValueError:
            raise ValueError("is not a URL, or its port is not a number up to 65535") from None
        return value

    @property
    def broker_is_redis(self) -> bool:
        """Whether Redis is the broker too, which keeps weaker promises (docs/03-delivery.md)."""
        return self.broker_url.startswith("redis")

    @property
    def today(self) -> date:
        """The day that counts as today: `AS_OF`, or the date in UTC."""
        return self.as_of or datetime.now(UTC).date()


def read_settings(environ: dict[str, str]) -> Settings:
    """Settings from `environ`; raises SettingsError naming every wrong variable, never its value."""
    given = {name: environ[name.upper()] for name in Settings.model_fields if name.upper() in environ}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(
            f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors(include_input=False)
        )
        raise SettingsError(f"wrong setting: {faults}") from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(dict(os.environ))


def settings_at_start(program: str, *, needed: Sequence[str] = ()) -> Settings:
    """The settings of this process, which ends here with one line if one is wrong, or of `needed` missing."""
    missing = ", ".join(name for name in needed if not os.environ.get(name))
    if missing:
        raise SystemExit(f"{program}: missing setting: {missing}")
    try:
        return read_settings(dict(os.environ))
    except SettingsError as error:
        raise SystemExit(f"{program}: {error}") from None
