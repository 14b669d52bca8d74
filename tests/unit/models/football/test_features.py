"""Features come from earlier matches alone: the truth that makes every figure of the model honest."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.football.features import FEATURES, OPTIONAL_FEATURES, REQUIRED_FEATURES, features_of
from models.football.fixture import Fixture, SideCounts
from models.football.history import History
from models.football.made_up_league import MadeUpLeague, made_up_league
from tests.unit.models.football.conftest import AS_OF

MATCHES = made_up_league(AS_OF).history.played[300:460]
"""The end of a season and the beginning of the next."""
DESCRIBED = features_of(MATCHES)

counts = st.builds(
    SideCounts,
    goals=st.integers(0, 9),
    shots=st.none() | st.integers(0, 40),
    shots_on_target=st.none() | st.integers(0, 20),
)
sides = st.tuples(counts, counts) | st.just((None, None))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), index=st.integers(0, len(MATCHES) - 1))
def test_no_result_of_the_day_or_later_reaches_a_feature(data: st.DataObject, index: int) -> None:
    """Whatever happens in a match, on its day or after it, or is never played: its features are the same."""
    day = MATCHES[index].match_date
    changed = list(MATCHES)
    later = [place for place, match in enumerate(MATCHES) if match.match_date >= day]
    for place in [index, *data.draw(st.lists(st.sampled_from(later), max_size=30))]:
        home, away = data.draw(sides)
        changed[place] = replace(changed[place], home=home, away=away)
    again = features_of(changed)
    assert [again[place] for place, match in enumerate(MATCHES) if match.match_date <= day] == [
        DESCRIBED[place] for place, match in enumerate(MATCHES) if match.match_date <= day
    ]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)))
def test_the_order_of_the_files_makes_no_difference(order: list[int]) -> None:
    """Matches may be given in any order; features come back in that order."""
    shuffled = features_of([MATCHES[index] for index in order])
    for features, index in zip(shuffled, order, strict=True):
        assert features == pytest.approx(DESCRIBED[index])


def test_earlier_results_do_reach_the_features() -> None:
    """The features are no constants: another result the week before changes them."""
    changed = [replace(MATCHES[0], home=SideCounts(9, 30, 15), away=SideCounts(0, 0, 0)), *MATCHES[1:]]
    home_team = MATCHES[0].home_team
    after = [
        (old, new)
        for match, old, new in zip(MATCHES, DESCRIBED, features_of(changed), strict=True)
        if home_team in {match.home_team, match.away_team} and match.match_date > MATCHES[0].match_date
    ]
    assert after[0][0] != after[0][1]


def test_serving_sees_what_training_sees(league: MadeUpLeague) -> None:
    """A fixture published before it is played has the very features it is trained on afterwards."""
    played = league.history.played
    last = [match for match in played if match.match_date == played[-1].match_date]
    served = features_of([*played[: -len(last)], *(match.unplayed() for match in last)])[-len(last) :]
    assert served == features_of(played)[-len(last) :]


def test_serving_sees_what_training_sees_on_real_results(real_history: History) -> None:
    """The same on the last day of real results."""
    played = real_history.played
    served = features_of([*played[:-1], played[-1].unplayed()])[-1]
    assert served == features_of(played)[-1]


def test_required_features_are_always_there(league: MadeUpLeague) -> None:
    """From the very first match on, and for a team never heard of, every required feature is a number."""
    unheard = Fixture(AS_OF + timedelta(days=1), "Nobody Knows (made up)", "Nor Them (made up)")
    described = features_of([*league.history.played, unheard])
    for features in (described[0], described[-1]):
        assert tuple(features) == FEATURES
        assert all(features[name] is not None for name in REQUIRED_FEATURES)
        assert features["home_points_last_5"] is None
        assert features["home_rest_days"] is None


def test_without_shots_their_features_are_missing() -> None:
    """A source with goals alone gives None, not zero, for what comes from shots, and all the rest."""
    bare = [
        replace(match, home=SideCounts(match.home.goals), away=SideCounts(match.away.goals))
        for match in MATCHES
        if match.home and match.away
    ]
    features = features_of(bare)[-1]
    missing = {name for name, value in features.items() if value is None}
    assert missing == {name for name in OPTIONAL_FEATURES if "shots" in name}


def test_divisions_are_kept_apart() -> None:
    """Matches of another division change nothing in this one."""
    other = [replace(match, division="E1", home=SideCounts(5), away=SideCounts(0)) for match in MATCHES]
    assert features_of([*MATCHES, *other])[: len(MATCHES)] == DESCRIBED


def test_there_are_between_twelve_and_forty_features() -> None:
    """Enough to tell teams apart, few enough to send by hand; none named twice."""
    assert 12 <= len(set(FEATURES)) == len(FEATURES) <= 40
