"""Elo, attack and defence ratings, and form: what one match teaches."""

from datetime import date

import pytest

from models.football.elo import MEAN, OF_THE_DAY, OF_THE_LONG_RUN, Elo, EloRules
from models.football.fixture import Fixture, SideCounts
from models.football.form import Form, both_sides
from models.football.scoring_rates import ScoringRates

DAY = date(2026, 3, 1)


def result(home: str, away: str, home_goals: int, away_goals: int) -> Fixture:
    """A played match, shots on target as many as goals and two more."""
    return Fixture(
        DAY,
        home,
        away,
        home=SideCounts(home_goals, home_goals + 5, home_goals + 2),
        away=SideCounts(away_goals, away_goals + 5, away_goals + 2),
    )


def entered(rules: EloRules) -> Elo:
    """Ratings of three teams at the start."""
    elo = Elo(rules)
    for team in "ABC":
        elo.enter(team, newcomer=False)
    return elo


def test_the_winner_takes_what_the_loser_gives() -> None:
    """Elo points move between two teams and are neither made nor lost; a larger win moves more."""
    narrow, clear = entered(OF_THE_DAY), entered(OF_THE_DAY)
    narrow.update([result("A", "B", 1, 0)])
    clear.update([result("A", "B", 4, 0)])
    assert narrow.rating("A") + narrow.rating("B") == pytest.approx(2 * MEAN)
    assert clear.rating("A") > narrow.rating("A") > MEAN
    assert narrow.rating("C") == MEAN


def test_a_home_draw_between_equals_favours_the_visitor() -> None:
    """Playing at home is worth something, so a draw there is less than was expected."""
    elo = entered(OF_THE_DAY)
    elo.update([result("A", "B", 1, 1)])
    assert elo.rating("A") < MEAN < elo.rating("B")


def test_matches_of_a_day_do_not_see_one_another() -> None:
    """The order in which a day's results are learned makes no difference."""
    day = [result("A", "B", 2, 0), result("B", "C", 0, 1)]
    forwards, backwards = entered(OF_THE_DAY), entered(OF_THE_DAY)
    forwards.update(day)
    backwards.update(day[::-1])
    assert [forwards.rating(team) for team in "ABC"] == pytest.approx(
        [backwards.rating(team) for team in "ABC"]
    )


def test_a_summer_draws_to_the_mean_and_forgets_the_relegated() -> None:
    """Ratings of the day shrink between seasons and start a promoted team low; the long run does not."""
    day, long_run = entered(OF_THE_DAY), entered(OF_THE_LONG_RUN)
    for elo in (day, long_run):
        elo.update([result("A", "C", 3, 0)])
        before = elo.rating("C")
        elo.begin_season({"A", "B"})
        elo.enter("C", newcomer=True)
        elo.enter("D", newcomer=True)
    assert day.rating("C") == day.rating("D") == OF_THE_DAY.newcomer < MEAN
    assert long_run.rating("C") == before < MEAN


def test_expected_counts_follow_what_was_counted() -> None:
    """A side that keeps scoring is expected to score more, and against one that concedes more is expected."""
    rates = ScoringRates(lambda side: float(side.goals), start=1.4, step=0.05)
    for team in "ABC":
        rates.enter(team, newcomer=False)
    before = rates.expected("A", "B")
    for _ in range(10):
        rates.update([result("A", "B", 4, 0)])
    home, away = rates.expected("A", "C")
    assert home > before[0]
    assert rates.expected("C", "B")[0] > rates.expected("C", "A")[0]
    assert away < home


def test_counts_that_are_not_told_teach_nothing() -> None:
    """A source without shots leaves the ratings of shots uninformed."""
    rates = ScoringRates(lambda side: side.shots, start=12.5, step=0.05)
    rates.enter("A", newcomer=False)
    rates.enter("B", newcomer=False)
    rates.update([Fixture(DAY, "A", "B", home=SideCounts(1), away=SideCounts(0))])
    assert not rates.informed
    rates.update([result("A", "B", 1, 0)])
    assert rates.informed


def test_form_counts_the_last_matches() -> None:
    """Points and differences are per match over the window, or over as many as there are; none gives None."""
    form = Form()
    assert form.points(3) is None
    assert form.rest_days(DAY) is None
    for goals in (0, 3, 1, 1):
        form.add(both_sides(result("A", "B", goals, 1))[0])
    form.schedule(DAY)
    assert form.points(3) == pytest.approx((3 + 1 + 1) / 3)
    assert form.goal_difference(10) == pytest.approx((-1 + 2 + 0 + 0) / 4)
    assert form.shots_on_target_difference(5) == pytest.approx(1 / 4)
    assert form.points_by_venue(5, at_home=False) is None
    assert form.rest_days(date(2026, 3, 5)) == 4.0
    assert form.rest_days(date(2026, 8, 5)) == 14.0


def test_both_sides_remember_the_same_match() -> None:
    """What one side gained the other lost."""
    home, away = both_sides(result("A", "B", 2, 1))
    assert (home.points, away.points) == (3, 0)
    assert home.goal_difference == -away.goal_difference == 1
    assert (home.at_home, away.at_home) == (True, False)
