"""Puts the matches to come, with the features they are predicted from, into the match store."""

from collections import Counter

from models.football.features import features_of
from models.football.history import History
from models.football.results_csv import InvalidResults
from tandem.backplane.match_store import match_id_of
from tandem.schemas.match import Match


def upcoming_matches(history: History) -> list[Match]:
    """Upcoming matches with their features as of `history.as_of`.

    They come from the function that training uses, over all matches played; a fixture without an id of its
    own gets the stable one made from date and teams. Raises InvalidResults where two have the same id.
    """
    described = features_of([*history.played, *history.upcoming])[len(history.played) :]
    matches = [
        Match(
            match_id=match_id_of(fixture.match_date, fixture.home_team, fixture.away_team)
            if fixture.match_id is None
            else fixture.match_id,
            home_team=fixture.home_team,
            away_team=fixture.away_team,
            match_date=fixture.match_date,
            as_of=history.as_of,
            features=dict(features),
        )
        for fixture, features in zip(history.upcoming, described, strict=True)
    ]
    twice = [
        match_id for match_id, count in Counter(match.match_id for match in matches).items() if count > 1
    ]
    if twice:
        raise InvalidResults(f"match_id {twice[0]} is given to two matches")
    return matches
