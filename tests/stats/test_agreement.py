"""Agreement: known values of alpha, what is undefined, errors recovered from known truth, drift that is there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gadfly.errors import InputError
from gadfly.stats import Rating, alpha, dawid_skene, drift, rater_error

LETTERS = "abcde"


def table(**answers):
    """Ratings from one string a rater: 1 fails, 0 passes, ? cannot tell, a space not asked."""
    told = {"0": 0.0, "1": 1.0, "?": None}
    return [
        Rating(str(n), rater, told[c])
        for rater, row in answers.items()
        for n, c in enumerate(row)
        if c in told
    ]


def votes(rng, truth, times, misses, alarms, prefix=""):
    """Each item rated by `times` raters drawn without repeats, who err at their own rates."""
    out = []
    for n, (fails, k) in enumerate(zip(truth, times, strict=True)):
        for r in rng.permutation(len(misses))[:k]:
            said = rng.random() < (1 - misses[r] if fails else alarms[r])
            out.append(Rating(f"{prefix}{n}", LETTERS[r], float(said)))
    return out


def queue(rng, miss=0.15, alarm=0.05, items=300, doubled=0.2, gold=30):
    """Ratings and gold of five raters who err alike; a tenth of the items fails, half the gold."""
    misses, alarms = [miss] * 5, [alarm] * 5
    times = np.where(rng.random(items) < doubled, 2, 1)
    known = [n % 2 == 0 for n in range(gold)]
    ratings = votes(rng, rng.random(items) < 0.1, times, misses, alarms)
    ratings += votes(rng, known, [1] * gold, misses, alarms, "gold")
    return ratings, {f"gold{n}": fails for n, fails in enumerate(known)}


def test_alpha_is_that_of_krippendorffs_own_example():
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section A: two observers, binary.
    found = alpha(table(meg="0100000000", owen="1110010100"))
    assert found.point == pytest.approx(0.095, abs=5e-4)
    assert (found.n, found.clusters, found.missing) == (10, 10, 0)
    assert found.low < 0 < 0.5 < found.high


def test_alpha_leaves_out_what_nobody_could_tell_and_items_answered_once():
    full = alpha(table(ann="010011", bob="010111"))
    holes = alpha(table(ann="010011?1", bob="0101110?", cid="      ?"))
    assert (holes.point, holes.low, holes.n, holes.missing) == (full.point, full.low, 6, 3)


@pytest.mark.parametrize(
    ("ratings", "why"),
    [
        ([], "no item was answered by two people"),
        (table(ann="01", bob="  01"), "no item was answered by two people"),
        (table(ann="000", bob="000"), "every answer was the same"),
    ],
)
def test_where_alpha_is_undefined_there_is_no_point_and_it_says_why(ratings, why):
    found = alpha(ratings)
    assert (found.point, found.low, found.high, found.correction) == (None, -1.0, 1.0, why)


def test_thirty_items_of_full_agreement_do_not_prove_full_agreement():
    found = alpha(table(ann="01" * 15, bob="01" * 15))
    assert (found.point, found.high) == (1.0, 1.0)
    assert 0.75 < found.low < 0.95


def test_the_last_answer_of_a_rater_to_an_item_counts():
    assert alpha([*table(ann="1100"), *table(ann="0011", bob="0011")]).point == 1.0


def test_alphas_interval_holds_its_limit():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        ratings = votes(rng, rng.random(60) < 0.5, [2] * 60, [0.1] * 5, [0.1] * 5)
        found = alpha(ratings)
        held += found.low <= 0.64 <= found.high  # (1 - 2·0.1)², both answers equally common
    assert 0.92 * 300 <= held <= 0.985 * 300


def test_a_score_outside_the_unit_interval_is_refused():
    with pytest.raises(InputError, match="'ann' rated item '7' 3"):
        alpha([Rating("7", "ann", 3.0)])


def test_errors_are_learnt_from_yes_and_no_only():
    with pytest.raises(InputError, match=r"fails \(1\) and passes \(0\)"):
        rater_error([Rating("7", "ann", 0.5)])


def test_nothing_rated_twice_and_no_gold_tells_nothing_of_errors():
    assert rater_error([]) is None
    assert rater_error(table(ann="0110", bob="    1?")) is None


def test_doubles_alone_assume_that_both_errors_are_alike_and_say_so():
    found = rater_error(table(ann="0" * 90 + "1" * 10, bob="0" * 80 + "1" * 20))
    assert found.miss == found.false_alarm == pytest.approx(0.05, abs=0.02)
    assert "equally common" in found.assumption and found.n_items == 100


@pytest.mark.parametrize("miss, alarm", [(0.15, 0.05), (0.05, 0.15)])
def test_the_errors_of_a_vote_are_recovered_and_their_spread_is_what_is_stated(miss, alarm):
    rng = np.random.default_rng(1)
    found = [rater_error(*queue(rng, miss, alarm)) for _ in range(150)]
    errors = np.array([(e.miss, e.false_alarm) for e in found])
    stated = np.sqrt(np.mean([np.diag(e.covariance) for e in found], axis=0))
    assert errors.mean(axis=0) == pytest.approx([miss, alarm], abs=0.04)
    assert (errors.std(axis=0) < 1.15 * stated).all() and (stated < 2 * errors.std(axis=0)).all()
    assert not any(e.assumption for e in found)


def test_two_votes_and_a_lead_on_conflicts_tell_misses_from_false_alarms():
    rng = np.random.default_rng(2)
    truth = rng.random(3000) < 0.3
    ratings = votes(rng, truth, [2] * 3000, [0.2] * 5, [0.05] * 5)
    says = {}
    for rating in ratings:
        says.setdefault(rating.item, set()).add(rating.score)
    decided = {item: bool(truth[int(item)]) for item, said in says.items() if len(said) == 2}
    found = rater_error(ratings, resolved=decided)
    assert (found.miss, found.false_alarm) == pytest.approx((0.2, 0.05), abs=0.03)
    assert rater_error(ratings).assumption and not found.assumption


def test_gold_says_nothing_of_how_many_items_fail():
    rng = np.random.default_rng(3)
    gold = {f"gold{n}": True for n in range(2000)}
    ratings = votes(rng, [True] * 2000, [1] * 2000, [0.3] * 5, [0.1] * 5, "gold")
    ratings += votes(rng, [False] * 500, [1] * 250 + [2] * 250, [0.3] * 5, [0.1] * 5)
    assert rater_error(ratings, gold).false_alarm == pytest.approx(0.1, abs=0.02)


def test_errors_stay_below_a_half_whatever_the_votes_say():
    gold = {str(n): n < 5 for n in range(10)}
    found = rater_error(table(ann="0000011111"), gold)
    assert found.miss < 0.5 and found.false_alarm < 0.5
    assert np.linalg.eigvalsh(np.array(found.covariance)).min() >= 0


def test_dawid_skene_finds_the_rater_who_never_looks():
    rng = np.random.default_rng(4)
    misses, alarms = [0.1, 0.1, 0.1, 0.1, 0.97], [0.05, 0.05, 0.05, 0.05, 0.03]
    found = dawid_skene(votes(rng, rng.random(200) < 0.3, [3] * 200, misses, alarms))
    assert found["e"].sensitivity.high < 0.5 < 0.7 < found["a"].sensitivity.low
    assert found["e"].specificity.point > 0.9
    assert found["e"].sensitivity.n + found["e"].specificity.n == found["e"].n


def test_dawid_skenes_intervals_hold_the_raters_own_rates():
    rng, held = np.random.default_rng(5), []
    misses, alarms = [0.05, 0.1, 0.2, 0.3], [0.2, 0.1, 0.05, 0.02]
    for _ in range(12):
        found = dawid_skene(votes(rng, rng.random(150) < 0.4, [3] * 150, misses, alarms))
        for rater, miss, alarm in zip(LETTERS, misses, alarms, strict=False):
            held.append(found[rater].sensitivity.low <= 1 - miss <= found[rater].sensitivity.high)
            held.append(found[rater].specificity.low <= 1 - alarm <= found[rater].specificity.high)
    assert 0.88 < np.mean(held) < 1


def test_a_rater_who_shares_no_item_has_no_error_rates():
    found = dawid_skene([*table(ann="0101", bob="0101"), Rating("alone", "cid", 1.0)])
    assert found["cid"].sensitivity.point is None and found["cid"].n == 0
    assert found["cid"].sensitivity.correction == "nobody else rated the same items"


def test_the_same_ratings_in_another_order_give_the_same_figures():
    ratings = table(ann="0101110", bob="0111010", cid="0100110")
    assert dawid_skene(ratings) == dawid_skene(ratings[::-1])


def session(rater, scores, start=0):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Rating(str(n), rater, s, 10.0 + n, begin + timedelta(minutes=n)) for n, s in enumerate(scores, start)
    ]


def test_drift_sees_the_rater_who_stops_agreeing_and_not_the_others():
    truth = [float(n % 3 == 0) for n in range(120)]
    tired = truth[:60] + [0.0] * 60
    found = drift(session("ann", truth) + session("bob", tired) + session("cid", truth))
    assert found["bob"].agreed_change.high < 0 and found["bob"].flagged_change.high < 0
    assert found["ann"].flagged_change.low < 0 < found["ann"].flagged_change.high
    assert found["bob"].seconds == (39.5, 99.5)


def test_drift_follows_the_clock_and_not_the_order_of_the_rows():
    ratings = session("ann", [0.0] * 10 + [1.0] * 10)
    assert drift(ratings[::-1])["ann"] == drift(ratings)["ann"]
    assert [half.point for half in drift(ratings)["ann"].flagged] == [0.0, 1.0]


def test_gold_is_counted_right_wrong_and_missing():
    gold = {"0": True, "1": False, "2": True}
    found = drift(table(ann="10?1"), gold)["ann"].gold
    assert (found.point, found.n, found.missing) == (1.0, 2, 1)
    assert drift(table(ann="1"), {})["ann"].gold.point is None
