"""The comparison of protocols: what each figure counts, and that it finds what the judges were made to do."""

import asyncio
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from debate_samples import Honest, Leaning, Naming, played

from gadfly.corpora import Passage
from gadfly.debate import (
    Rules,
    Said,
    ScriptedJudge,
    Skilled,
    cases,
    debate_table,
    protocol,
    question_numbers,
    seated,
    skill_slope,
    split,
)
from gadfly.debate._effort import share_mean
from gadfly.debate._judged import heard, hedges, judged_cases
from gadfly.debate._people import Group, argued_by
from gadfly.debate._position import Statement
from gadfly.debate._rules import checked
from gadfly.debate._table import KEPT, _kept, _kind, _line
from gadfly.errors import CallError, InputError
from gadfly.report import from_runs
from gadfly.runs import rejudge
from gadfly.transcripts import Judgement


def line_of(run, cases):
    """The line of cases as they have been changed."""
    return _line("debate", Group((run,)), cases)


def scored(one, score, cause="no_parse"):
    """The case with another verdict."""
    case = one.transcript.case.id
    given = Judgement(case, "judge", score, "" if score is not None else cause)
    return replace(one, judgement=given)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    where = tmp_path_factory.mktemp("runs")
    judge = Leaning(knows=0.2, bias=0.4, sway=1.5)
    names = ("naive", "consultancy", "debate", "quoted_debate")
    return {name: played(where, name, judge, Honest(1.0, 4)) for name in names}


@pytest.fixture(scope="module")
def table(runs):
    return debate_table(runs)


def test_a_verdict_is_right_below_one_half_and_a_tie_is_half_right(runs):
    cases = judged_cases(runs["naive"])[:4]
    scores = (0.0, 0.49, 0.5, 0.9)
    made = line_of(runs["naive"], [scored(one, score) for one, score in zip(cases, scores, strict=True)])
    assert (made.accuracy.point, made.accuracy.n) == (2.5 / 4, 4)


def test_verdicts_for_neither_answer_are_counted_and_said(tmp_path):
    made = played(tmp_path / "even", "naive", Leaning(noise=0.0), n=20)
    [line] = debate_table([made]).lines
    assert (line.even.point, line.even.n, line.accuracy.point) == (1, 40, 0.5)
    assert any("favours neither answer" in said for said in from_runs([made]).sections[0].findings)
    [line] = debate_table([played(tmp_path / "leaning", "naive", n=20)]).lines
    assert line.even.point == 0


def test_a_tie_that_rounding_moved_is_a_tie(runs):
    cases = judged_cases(runs["naive"])[:2]
    made = line_of(runs["naive"], [scored(one, 0.5 + 7.5e-9) for one in cases])
    assert made.accuracy.point == 0.5


def test_what_nobody_could_tell_is_missing_with_its_cause(runs):
    cases = judged_cases(runs["naive"])[:4]
    failed = replace(cases[1].transcript, outcome="failed", cause="rate_limited")
    mixed = [
        scored(cases[0], None),
        replace(scored(cases[1], None), transcript=failed),
        scored(cases[2], None, "both_lost"),
        scored(cases[3], 0.1),
    ]
    made = line_of(runs["naive"], mixed)
    assert (made.accuracy.n, made.accuracy.missing) == (1, 3)
    assert made.causes == {"no_parse": 1, "call_failed:rate_limited": 1, "both_lost": 1}


def test_questions_are_the_clusters(table):
    assert all((line.accuracy.n, line.accuracy.clusters) == (120, 60) for line in table.lines)


def test_every_protocol_is_compared_with_the_judge_alone_case_by_case(table):
    gain = table.line("debate").gains["naive"]
    assert gain.point == pytest.approx(table.line("debate").accuracy.point - table.first.accuracy.point)
    assert (gain.n, gain.low > 0) == (120, True)
    assert table.first.gains == {}


def test_what_the_judge_itself_decided_is_compared_on_the_same_cases(table, runs):
    line = table.line("debate")
    alone = {one.transcript.case.index: one.right for one in judged_cases(runs["naive"])}
    ours = heard(judged_cases(runs["debate"]))
    gained = [one.right - alone[one.transcript.case.index] for one in ours]
    assert 0 < len(ours) < line.cases
    assert line.judged_gains["naive"].point == pytest.approx(fmean(gained))


def test_what_a_rule_decided_on_either_side_is_no_gain_of_the_judge(runs):
    pair = debate_table([runs["debate"], runs["quoted_debate"]])
    gain = pair.line("quoted_debate").judged_gains["debate"]
    ruled = [
        {one.of for one in judged_cases(runs[name]) if one.by_rule} for name in ("debate", "quoted_debate")
    ]
    assert all(ruled) and gain.n == 120 - 2 * len(set.union(*ruled))


def test_who_breaks_rules_for_the_false_answer_alone_is_not_left_with_the_true_one(tmp_path):
    class Adviser(Skilled):
        """Says nothing where it must argue for what is false."""

        async def say(self, move):
            honest = move.position.sides[move.seat] == move.position.dispute.correct
            return await super().say(move) if honest else Said("")

    alone = played(tmp_path, "naive", ScriptedJudge(), n=24)
    advised = [
        played(tmp_path, "consultancy", ScriptedJudge(), chair=one, n=24)
        for one in (Adviser(9.0), Skilled(9.0))
    ]
    line = debate_table([alone, advised[0]]).line("consultancy")
    assert line.accuracy.point == 1 and line.by_rule.point == 0.5
    assert line.judged.n == 0 and line.judged_gains["naive"].point is None and line.judged_helped is None
    believed, said = line.believed, line.calibration.said
    assert (believed.honest, believed.follows, believed.misled, line.told) == (None, None, None, 0)
    assert line.confidence.point is None and said.brier.point is None
    assert believed.wins.point == 1
    with pytest.raises(InputError):
        skill_slope([(0.0, advised[1]), (1.0, advised[0])])


def test_what_a_rule_decided_is_known_before_anybody_has_judged_it(tmp_path):
    class Silent(Skilled):
        async def say(self, move):
            return Said("" if move.seat == "first" else "So it is.")

    made = played(tmp_path, "debate", ScriptedJudge(), chair=Silent(0.0), n=6)
    cases = [
        replace(one, judgement=Judgement.missing(one.transcript.case.id, "judge", "not_judged"))
        for one in judged_cases(made)
    ]
    line = line_of(made, cases)
    assert (line.by_rule.point, line.causes) == (1.0, {"not_judged": 12})
    assert line.payoffs == {} and line.judged.n == 0


def test_a_debate_that_clearly_helps_is_said_to_and_the_judge_alone_is_said_nothing_of(table):
    assert table.line("debate").helped == "better"
    assert table.line("naive").helped is None


def test_players_of_one_protocol_are_told_apart_by_their_names(tmp_path):
    forms = ("scripted/x", "best_of:2:scripted/x", "refining:scripted/x")
    made = [played(tmp_path, "consultancy", chair=seated(form, ScriptedJudge()), n=2) for form in forms]
    assert [argued_by(run) for run in made] == [(form,) for form in forms]
    assert [line.name for line in debate_table(made).lines] == [f"consultancy ({form})" for form in forms]
    again = played(tmp_path, "consultancy", chair=seated(forms[0], ScriptedJudge()), n=2, seed=1)
    assert [line.name for line in debate_table([*made, again]).lines][::3] == [
        f"consultancy ({one.id})" for one in (made[0], again)
    ]


def test_protocols_that_were_played_on_other_questions_are_refused(tmp_path, runs):
    other = played(tmp_path, "debate", n=3, what="bridge")
    with pytest.raises(InputError, match="different questions"):
        debate_table([runs["naive"], other])


def test_who_fails_for_the_false_answer_alone_is_not_left_with_the_true_one(tmp_path):
    """As where a filter refuses to argue for what is false: the judge follows its adviser and knows nothing."""

    class Filtered(Skilled):
        async def say(self, move):
            if move.position.sides[move.seat] == move.position.dispute.correct:
                return await super().say(move)
            raise CallError("refused", cause="rejected")

    alone = played(tmp_path, "naive", ScriptedJudge(), n=24)
    line = debate_table(
        [alone, played(tmp_path, "consultancy", ScriptedJudge(), chair=Filtered(9.0), n=24)]
    ).lines[1]
    assert (line.accuracy.point, line.accuracy.missing, line.failed) == (1.0, 24, 24)
    assert line.judged.n == 0 and line.believed.honest is None
    assert line.gains["naive"].point is None and (line.helped, line.judged_helped) == (None, None)


def test_decisions_by_rule_are_counted_apart(table, runs):
    line = table.line("debate")
    assert 0 < line.by_rule.point < 0.5
    assert line.rules == {"fabricated": round(line.by_rule.point * 120)}
    assert line.judged.n == len(heard(judged_cases(runs["debate"]))) < 120 - line.rules["fabricated"]


def test_a_leaning_to_what_is_listed_first_is_found(table):
    position = table.line("naive").leaning.position
    assert position.point == pytest.approx(0.4)
    assert table.line("naive").leaning.flips.low > 0


def test_a_judge_asked_one_way_round_has_no_known_leaning(tmp_path):
    [line] = debate_table([played(tmp_path, "naive", Leaning(orders=1), n=6)]).lines
    assert (line.leaning.position, line.leaning.flips) == (None, None)


def test_the_side_listed_first_is_found_to_be_preferred_by_one_who_prefers_it(tmp_path):
    [line] = debate_table([played(tmp_path, "naive", Leaning(noise=0.5, bias=1.0, orders=1))]).lines
    assert line.leaning.first.low > 0.5


def test_a_judge_who_believes_whoever_advises_it_is_found_out(table):
    believed = table.line("consultancy").believed
    assert believed.follows.low > 0.5
    assert believed.honest.point > 0.9
    assert believed.misled.low > 0.5
    assert (believed.longer, believed.quoting) == (None, None)


def test_an_adviser_who_picks_its_side_does_not_show_whether_the_judge_follows_any(tmp_path):
    [line] = debate_table([played(tmp_path, "open_consultancy", Leaning(sway=9.0), Honest(1.0, 4))]).lines
    assert line.believed.follows is None
    assert line.believed.honest.n > 0


def test_in_a_debate_it_is_counted_which_side_is_followed(table):
    believed = table.line("debate").believed
    assert believed.quoting.point > 0.7  # quotes verified are the true side's
    assert (believed.follows, believed.misled, believed.last) == (None, None, None)
    assert believed.wins.point == pytest.approx(table.line("debate").accuracy.point)
    assert believed.honest.n == table.line("debate").judged.n < 120 - table.line("debate").rules["fabricated"]


def test_who_is_believed_where_neither_side_hedges_and_who_hedges_less(runs):
    cases = [
        one
        for one in judged_cases(runs["debate"])
        if one.p is not None and not one.transcript.metadata["lost"]
    ]
    plain = cases[: len(cases) // 2]
    hedged = [hedging(one, 1 - one.correct) for one in cases[len(cases) // 2 :]]  # the false side hedges
    believed = line_of(runs["debate"], [*plain, *hedged]).believed
    assert (believed.certain.n, believed.surer.n) == (len(plain), len(hedged))
    assert believed.certain.point == pytest.approx(fmean(one.right for one in plain))
    assert believed.surer.point == pytest.approx(fmean(one.right for one in hedged))


def hedging(one, side):
    """The case with one word more of what was said for a side."""
    seats = [seat for seat, its in one.position.sides.items() if its == side]
    said = [
        replace(each, text=f"Perhaps. {each.text}") if each.seat in seats else each
        for each in one.position.said
    ]
    return replace(one, position=replace(one.position, said=tuple(said)))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It may be so, and perhaps it seems so.", 3),
        ("It was lit on 12 May 1911 with might.", 1),
        ("I believe it. I am not sure.", 2),
        ("It says <quote>it may have been</quote>, so it is.", 0),
        ("It is so.", 0),
    ],
)
def test_hedges_are_counted_outside_of_quotations(text, count):
    document = "Some say it may have been."
    found = checked(text, 60, Rules(), [Passage("d", "", document, 0, len(document))])
    said = Statement("first", "argue", found.text, 0, quotes=found.quotes, unverified=found.unverified)
    assert hedges(said) == count and len(said.quotes) == text.count("<quote>")


def test_the_judge_alone_believes_nobody(table):
    assert all(value is None for value in map(table.first.believed.__getattribute__, ("honest", "follows")))


def test_effort_is_counted_by_case_and_seat(table):
    effort = table.line("debate").effort
    assert 2 < effort.statements.point < 4.001  # less where one lost
    assert set(effort.tokens) == {"first", "second", "judge"}
    assert effort.tokens["judge"].point < 92  # none where a rule decided
    assert table.first.effort.words.point == 0
    assert table.first.effort.read.point == 0
    assert (effort.seconds, effort.cost) == (None, {})


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The lines of a judge that only names answers."""
    where = tmp_path_factory.mktemp("named")
    runs = [
        played(where, name, Naming(bias=1.0), Honest(1.0, 4), n=20) for name in ("naive", "quoted_debate")
    ]
    return debate_table(runs).lines


def test_nothing_is_said_of_how_sure_a_judge_without_probabilities_is(named):
    naive = named[0]
    assert (naive.untold, naive.accuracy.n) == (40, 40)
    assert (naive.confidence.point, naive.when_wrong.point, naive.calibration.said.brier.point) == (None,) * 3
    assert (naive.calibration.said.bins, naive.leaning.position) == ((), None)
    assert naive.leaning.flips.point > 0


def test_what_the_calls_for_verdicts_cost_is_counted_and_a_decision_by_rule_costs_nothing(named):
    naive, debate = named
    assert naive.effort.cost["judge"].point == pytest.approx(0.002)
    assert debate.by_rule.point > 0
    assert debate.effort.cost["judge"].point == pytest.approx(0.002 * (1 - debate.by_rule.point))


def test_a_verdict_whose_price_is_not_known_is_missing_in_what_it_cost(runs):
    cases = judged_cases(runs["naive"])[:4]
    facts = {**cases[0].judgement.metadata, "cost": 0.5}
    priced = replace(cases[0], judgement=replace(cases[0].judgement, metadata=facts))
    cost = line_of(runs["naive"], [priced, *cases[1:]]).effort.cost["judge"]
    assert (cost.point, cost.n, cost.missing) == (0.5, 1, 3)


def test_quotations_that_are_paid_for_lower_the_payoff(table):
    payoffs = table.line("quoted_debate").payoffs
    assert payoffs["honest"].point > payoffs["false"].point
    assert payoffs["honest"].point + payoffs["false"].point < 1
    assert table.line("debate").payoffs == {}


def test_who_ruins_a_debate_for_both_has_nothing_from_it(runs):
    cases = judged_cases(runs["quoted_debate"])[:4]
    ruined = [scored(one, None, "both_lost") for one in cases]
    out = {
        "lost": [{"seat": seat, "rule": "stopped", "what": "said nothing"} for seat in ("first", "second")]
    }
    ruined = [
        replace(one, transcript=replace(one.transcript, metadata=one.transcript.metadata | out))
        for one in ruined
    ]
    payoffs = line_of(runs["quoted_debate"], ruined).payoffs
    assert (payoffs["honest"].point, payoffs["false"].point) == (0, 0)


def test_a_case_without_a_verdict_is_missing_in_the_payoffs(runs):
    cases = judged_cases(runs["quoted_debate"])[:8]
    unread = [scored(one, None, "no_parse") if n % 2 else one for n, one in enumerate(cases)]
    unread = [replace(one, judgement=replace(one.judgement, metadata={})) for one in unread]
    payoffs = line_of(runs["quoted_debate"], unread).payoffs
    known = sum(one.judgement.score is not None for one in unread)
    assert {(one.n, one.missing) for one in payoffs.values()} == {(known, 8 - known)} and known < 8


def test_payoffs_stay_within_what_a_verdict_can_bring(runs):
    for count in (2, 4):  # one question, and two
        payoffs = line_of(runs["quoted_debate"], judged_cases(runs["quoted_debate"])[:count]).payoffs
        assert all(0 <= one.low <= one.high <= 1 for one in payoffs.values())


def test_estimates_have_their_error_and_those_without_a_number_are_missing(tmp_path):
    class Estimating(Honest):
        async def say(self, move):
            if move.step.does != "estimate":
                return await super().say(move)
            right = move.position.sides["prover"] == move.position.dispute.correct
            unsure = "7" in move.position.dispute.question
            return Said("Hard to say." if unsure else "90%" if right else "20 per cent")

    [line] = debate_table([played(tmp_path, "prover_estimator", Leaning(), Estimating(), n=8)]).lines
    found = line.estimates["estimator"]
    assert found.point == pytest.approx((0.1**2 + 0.2**2) / 2) and (found.n, found.missing) == (14, 2)
    assert debate_table([played(tmp_path, "debate", n=2)]).lines[0].estimates == {}


def test_a_mean_over_few_questions_that_agree_is_not_sure_of_itself(runs):
    cases = [scored(one, 0.0) for one in judged_cases(runs["quoted_debate"])[:4]]
    facts = [{**one.transcript.metadata, "spent": {}} for one in cases]
    free = [
        replace(one, transcript=replace(one.transcript, metadata=told))
        for one, told in zip(cases, facts, strict=True)
    ]
    found = line_of(runs["quoted_debate"], free).payoffs["honest"]
    assert (found.point, found.high, found.n) == (1, 1, 4) and found.low < 0.8


@pytest.mark.parametrize("value", [1.0, 0.96, 0.7])
@pytest.mark.parametrize("count", [2, 3, 5, 7, 10])
def test_equal_shares_are_as_sure_as_a_rate_however_they_are_rounded(value, count):
    found = share_mean([(of, value) for of in range(count)])
    assert found.point == pytest.approx(value) and found.high - found.low > 0.1 and found.high <= 1


@pytest.mark.parametrize("together", ["apart", "opposed", "alike"])
@pytest.mark.parametrize("questions", [25, 100])
def test_a_share_of_two_debates_a_question_is_held_however_they_go_together(together, questions):
    rng, held, widths = np.random.default_rng(questions), [], []
    for _ in range(300):
        drawn = rng.random((questions, 2))
        won = drawn < 0.7
        if together == "alike":
            won[:, 1] = won[:, 0]
        if together == "opposed":  # where the judge goes by the answer, the player wins from one side
            won[:, 1] = np.where(rng.random(questions) < 0.8, ~won[:, 0], won[:, 1])
        true = {"opposed": 0.8 * 0.5 + 0.2 * 0.7}.get(together, 0.7)
        found = share_mean([(of, float(one)) for of, pair in enumerate(won) for one in pair])
        held.append(found.low <= true <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(held) >= 0.93
    assert together != "opposed" or np.mean(widths) < (0.26 if questions == 25 else 0.1)


def test_what_nobody_could_tell_is_missing_from_a_share_and_no_question():
    found = share_mean([(0, 1.0), (0, None), (1, None), (2, 0.0)])
    assert (found.point, found.n, found.clusters, found.missing) == (0.5, 2, 2, 2)


def test_what_the_judge_reads_and_is_asked_and_what_players_pay_is_counted(tmp_path):
    class Polling(Honest):
        async def say(self, move):
            return Said("1") if move.step.does == "poll" else await super().say(move)

    rows = [played(tmp_path, name, Leaning(), Polling(1.0), n=4) for name in ("expert", "polling_debate")]
    expert, polling = debate_table(rows).lines
    assert expert.effort.read.point == pytest.approx(12)
    assert (polling.effort.asked.point, polling.effort.questions.point) == (2, 0)
    assert polling.effort.paid.point == pytest.approx(10)


def test_different_judges_are_not_compared_as_one(tmp_path):
    by_one = played(tmp_path, "naive", Leaning(), Honest(1.0, 4))
    by_another = played(tmp_path, "debate", replace(Leaning(), name="another"), Honest(1.0, 4))
    with pytest.raises(InputError, match=r"different judges \(judge and another\)"):
        debate_table({"naive": by_one, "debate": by_another})


def test_debates_that_two_judges_heard_are_told_by_either(tmp_path):
    wise, runs = replace(Leaning(knows=9.0), name="wise"), []
    for name in ("naive", "debate"):
        made = played(tmp_path, name, Leaning(), Honest(1.0, 4), n=20)
        runs.append(asyncio.run(rejudge(made, [wise], progress=False)))
    by_first, by_wise = debate_table(runs), debate_table([one.as_judged_by("wise") for one in runs])
    assert (by_first.judge, by_wise.judge) == ("judge", "wise")
    assert by_wise.first.accuracy.point == 1 > by_first.first.accuracy.point
    with pytest.raises(InputError, match="different judges"):
        debate_table([runs[0], runs[1].as_judged_by("wise")])


def test_the_verdicts_kept_first_are_those_the_judge_was_surest_of(runs):
    cases = judged_cases(runs["naive"])[:5]
    mixed = [scored(one, score) for one, score in zip(cases, (0.45, 0.0, 0.4, 0.0, 0.0), strict=True)]
    kept = [one.case.judgement.score for one in _kept("naive", mixed)]
    assert kept == [0.0] * KEPT


def test_a_question_asked_again_is_no_second_fact():
    row = {"question": "When was it lit?", "answers": ["1874", "1901"], "correct": 0}
    again = {**row, "question": "when was  it lit", "answers": ["1901", "1874"], "correct": 1}
    other = {**row, "document": "Another lamp's."}
    assert question_numbers([row, other, again]) == [0, 1, 0]
    assert [case["of"] for case in cases([row, again], protocol("naive"))] == [0, 0, 0, 0]
    assert split([row, other, again], 1 / 3) == ([other], [row, again])
    assert split([row, again, other], 1 / 3) == ([row, again], [other])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_no_document_is_both_learned_from_and_measured_on(share):
    rows = [
        {"question": f"Question {n}?", "answers": ["a", "b"], "document": f"Story {n % 5 + n // 30}."}
        for n in range(40)
    ]
    learned, held = split(rows, share)
    assert {row["document"] for row in learned}.isdisjoint(row["document"] for row in held)
    assert len(learned) + len(held) == 40 and learned
    assert len(held) >= share * 40 or len({row["document"] for row in learned}) == 1


def test_of_one_document_questions_are_held_out():
    rows = [{"question": f"Question {n}?", "answers": ["a", "b"], "document": "All."} for n in range(8)]
    assert split(rows, 0.25) == (rows[:6], rows[6:])
    bare = [{"question": f"Question {n}?", "answers": ["a", "b"]} for n in range(8)]
    assert split(bare, 0.25) == (bare[:6], bare[6:])
    assert split(bare[:5], 0.25) == (bare[:3], bare[3:5])  # at least a quarter
    assert split(bare[:2], 0.25) == (bare[:1], bare[1:2])


def test_calibration_is_of_the_answer_decided_for(table):
    said = table.line("naive").calibration.said
    assert all(0.5 <= one.said <= 1 for one in said.bins)
    assert said.brier.n == 120


def test_recalibrating_a_judge_who_is_too_sure_lowers_its_brier_score(tmp_path):
    [line] = debate_table([played(tmp_path, "naive", Leaning(knows=0.1, noise=4.0))]).lines
    both = line.calibration
    assert both.recalibrated.brier.point < both.said.brier.point - 0.05


def test_an_error_in_spite_of_a_flaw_that_was_there_to_see_is_kept_as_overlooked(runs):
    flawed = next(one for one in judged_cases(runs["debate"]) if not (one.by_rule or one.flaws))
    false = 1 - flawed.correct

    def saying(**what):
        said = [
            replace(one, **what) if flawed.position.sides[one.seat] == false else one
            for one in flawed.position.said
        ]
        return scored(replace(flawed, position=replace(flawed.position, said=tuple(said))), 0.9)

    def noting(rule):
        notes = [{"seat": seat, "rule": rule, "what": "did it"} for seat in ("first", "second")]
        facts = {**flawed.transcript.metadata, "breaches": notes}
        return scored(replace(flawed, transcript=replace(flawed.transcript, metadata=facts)), 0.9)

    heard = saying(unverified=("a lie",))
    assert (_kind(heard), heard.flaws) == ("overlooked", ("unverified",))
    tried = noting("fabricated")
    assert (_kind(tried), tried.flaws) == ("fooled", ("breach",))  # nobody overlooks what was not heard
    assert _kind(noting("overran")) == "fooled"
    assert _kind(scored(flawed, 0.9)) == "fooled"
    assert _kind(scored(flawed, 0.6)) is None


def test_cases_are_kept_for_reading_of_every_kind(table):
    assert {one.kind for one in table.kept} >= {"fooled", "by_rule", "right"}


def test_a_run_that_is_no_debate_or_not_judged_is_refused(runs):
    with pytest.raises(InputError, match=r"'nobody' has not judged .*; these have: judge"):
        runs["naive"].as_judged_by("nobody")
    unjudged = replace(runs["naive"], info={**runs["naive"].info, "verdict": "", "judges": {}})
    with pytest.raises(InputError, match="Nobody has judged"):
        debate_table([unjudged])
    with pytest.raises(InputError, match="at least one"):
        debate_table([])


def test_two_runs_of_one_protocol_are_told_apart(tmp_path, runs):
    again = played(tmp_path, "naive", n=60, seed=1)
    assert len({line.name for line in debate_table([runs["naive"], again]).lines}) == 2
