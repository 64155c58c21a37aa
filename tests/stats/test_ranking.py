"""Groups in order of their rates, and how often one is called different by mistake."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from gadfly.errors import InputError
from gadfly.stats import ranked


def of(**failures):
    """Verdicts and groups: so many failures of ten in each."""
    verdicts = [n < count for count in failures.values() for n in range(10)]
    return verdicts, [name for name in failures for _ in range(10)]


def drawn(rng, rates, each=40, repeats=1):
    """`each` questions a group, asked `repeats` times, all answers to one alike."""
    asked = [(f"g{g}", f"g{g}q{q}", rng.random() < p) for g, p in enumerate(rates) for q in range(each)]
    rows = [row for row in asked for _ in range(repeats)]
    return [row[2] for row in rows], [row[0] for row in rows], [row[1] for row in rows]


def test_the_highest_rate_comes_first_and_equal_ones_by_name():
    found = ranked(*of(b=2, a=2, c=9))
    assert [one.name for one in found] == ["c", "a", "b"]
    assert [one.rate.point for one in found] == [0.9, 0.2, 0.2]
    assert found[0].others.point == 0.2


def test_a_group_without_a_verdict_comes_last_and_differs_from_nothing():
    found = ranked([True, False, None], ["a", "b", "c"])
    assert (found[-1].name, found[-1].rate.point, found[-1].p) == ("c", None, 1.0)


def test_no_cases_give_no_groups_and_one_group_has_no_others():
    assert ranked([], []) == ()
    [alone] = ranked([True, False], ["a", "a"])
    assert (alone.others.point, alone.p) == (None, 1.0)


def test_p_is_fishers_adjusted_by_holm():
    from scipy.stats import fisher_exact

    tables = {"a": [[9, 1], [3, 17]], "b": [[2, 8], [10, 10]], "c": [[1, 9], [11, 9]]}
    plain = [fisher_exact(table).pvalue for table in tables.values()]
    expected = dict(zip(tables, multipletests(plain, method="holm")[1], strict=True))
    assert {one.name: one.p for one in ranked(*of(a=9, b=2, c=1))} == pytest.approx(expected)


@pytest.mark.parametrize("repeats", [1, 4])
def test_alike_groups_are_seldom_told_apart_even_when_questions_repeat(repeats):
    rng = np.random.default_rng(repeats)
    wrong = sum(
        min(one.p for one in ranked(*drawn(rng, [0.2] * 6, repeats=repeats))) <= 0.05 for _ in range(80)
    )
    assert wrong <= 9  # 5 % of 80 and two standard errors and a half


def test_a_group_that_fails_three_times_as_often_is_found():
    rng = np.random.default_rng(0)
    found = [ranked(*drawn(rng, [0.6] + [0.2] * 7))[0] for _ in range(20)]
    assert sum(one.name == "g0" and one.p <= 0.05 for one in found) >= 19


def test_every_verdict_needs_its_group():
    with pytest.raises(InputError, match="2 verdicts came with 1 groups"):
        ranked([True, False], ["a"])
