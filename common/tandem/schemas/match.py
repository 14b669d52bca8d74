"""A match to come, and the features known of it."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

FeatureValue = float | int | str | bool | None


class Match(BaseModel):
    """One upcoming match with its features as of a day; features use earlier matches alone."""

    model_config = ConfigDict(frozen=True)

    match_id: int = Field(ge=0, lt=2**53)
    home_team: str = Field(min_length=1, max_length=100)
    away_team: str = Field(min_length=1, max_length=100)
    match_date: date
    as_of: date
    features: dict[str, FeatureValue]
