"""The table of answers with evidence: what each figure counts, and over which questions."""

from dataclasses import replace

import pytest
from table_samples import picked, sample

from gadfly.errors import InputError
from gadfly.evidence import Judges, table

RIGHT = {"wrong": 0.0, "unquoted": 0.0, "unsupported": 0.0}


def test_an_answer_that_its_quotes_show_and_that_is_false_is_supported_but_false():
    made = table({"first": [picked(0, **RIGHT), picked(1, **{**RIGHT, "wrong": 1.0})]})
    assert made.head.rates["supported_but_false"].point == 0.5
    assert made.head.rates["supported"].point == 1.0


def test_false_among_the_supported_is_over_the_supported_alone():
    unsupported = {**RIGHT, "wrong": 1.0, "unsupported": 1.0}
    made = table(
        {"first": [picked(0, **RIGHT), picked(1, **{**RIGHT, "wrong": 1.0}), picked(2, **unsupported)]}
    )
    assert made.head.rates["false_of_supported"].n == 2
    assert made.head.rates["false_of_supported"].point == 0.5


def test_a_judge_that_could_not_tell_is_missing_with_its_cause_and_neither_right_nor_wrong():
    made = table({"first": [picked(0, **RIGHT), picked(1, **{**RIGHT, "unsupported": None})]})
    supported = made.head.rates["supported"]
    assert (supported.point, supported.n, supported.missing) == (1.0, 1, 1)
    assert made.head.causes["supported"] == {"no_parse": 1}
    assert made.head.rates["supported_but_false"].missing == 1


def test_an_unsupported_answer_is_no_supported_falsehood_but_only_when_both_are_known():
    known = Judges().figures(picked(0, wrong=None, unsupported=1.0))
    assert known["supported_but_false"] is None


def test_at_seventy_percent_the_surest_are_attempted():
    answers = [picked(of, of / 10, wrong=float(of < 3), unquoted=0.0, unsupported=0.0) for of in range(10)]
    line = table({"reward": answers}).line("reward", 0.7)
    assert (line.attempted, line.questions, line.threshold) == (7, 10, 0.3)
    assert line.rates["matches"].point == 1.0


def test_a_choice_without_confidences_has_no_line_at_seventy_percent():
    made = table({"first": [picked(of, None, **RIGHT) for of in range(5)]})
    assert made.line("first", 0.7) is None


def test_a_choice_is_compared_with_the_first_sample_question_by_question():
    first = [picked(of, **{**RIGHT, "wrong": float(of % 2)}) for of in range(40)]
    better = [picked(of, **RIGHT) for of in range(40)]
    gain = table({"first": first, "reward": better}).line("reward", 1.0).gains["matches"]
    assert gain.point == 0.5
    assert gain.low > 0


def test_equal_choices_gain_nothing_at_either_share():
    made = table({"first": sample(200, 0.5), "reward": sample(200, 0.5)})
    for share in (1.0, 0.7):
        gain = made.line("reward", share).gains["supported_but_false"]
        assert gain.point == pytest.approx(0.0)
        assert gain.low < 0 < gain.high


def test_unanswerable_questions_count_in_what_is_declined_and_nowhere_else():
    made = table({"reward": sample(100, 0.9, unanswerable=30)})
    line = made.line("reward", 0.7)
    assert line.rates["verbatim"].n == 70
    assert line.declined.n == 30
    assert 0 < line.declined.point < 1


def test_the_curve_calls_a_loss_what_gold_answers_say_where_there_are_any():
    assert table({"reward": sample(50, 0.9)}).loss == "wrong"
    without = [picked(of, of / 50, unsupported=float(of % 3 == 0)) for of in range(50)]
    assert table({"reward": without}).loss == "unsupported"


def test_no_answerable_question_is_refused():
    with pytest.raises(InputError, match="at least one"):
        table({"first": [picked(0, unanswerable=True)]})


def test_a_question_asked_sixty_times_is_not_sixty_facts():
    again = [replace(picked(0, **RIGHT), of=of) for of in range(60)]
    made = table({"first": again, "reward": again})
    assert (made.head.rates["matches"].n, made.head.rates["matches"].clusters) == (60, 1)
    assert made.head.rates["matches"].low < 0.3
    assert made.line("reward", 1.0).gains["matches"].high > 0.7
    assert made.line("reward", 0.7).gains["matches"].high > 0.7
    assert made.curves == {}
