"""Where debates went wrong: what raters see and say, in which order they are asked, and what that comes to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flaw_samples import DOCUMENT, QUOTED, debates, payloads, transcripts
from page_samples import QUEUE, RULES, Rating, filled

from gadfly.cli import _review
from gadfly.debate import keep_marks, marks_of
from gadfly.errors import InputError, StoreError
from gadfly.judges import policy
from gadfly.report import from_runs, render
from gadfly.report._debate import KIND_WORDS
from gadfly.review import (
    Answer,
    Drawing,
    QueueSpec,
    Store,
    check_kind,
    correct,
    draw_into,
    flaws,
    frame_of,
    ratings_of,
)
from gadfly.review._debated import debate_payload, debate_view
from gadfly.review._records import VALUES, code, score
from gadfly.runs import Run
from gadfly.stats import alpha

KIND: dict[str, Any] = {"kind": "flaw", "question": "", "guidelines": "", "double_share": 0, "gold_share": 0}


def drawn(tmp_path: Path, run: Run, n: int = 100, raters: int = 1) -> Store:
    """A store with a queue of debates of this run."""
    store = Store(f"sqlite:///{tmp_path / 'review.db'}")
    store.create(QueueSpec(QUEUE, "flaw", raters=raters, double_share=0, gold_share=0))
    draw_into(store, QUEUE, frame_of(run, "scripted_judge"), Drawing(policy("uniform"), n))
    return store


def say(store: Store, name: str, *answers: tuple[str, int | None]) -> None:
    """A rater answers what they are given, one after the other."""
    rater = store.rater(store.add_rater(QUEUE, name))
    for value, rule in answers:
        assignment = store.next(rater.id)
        assert assignment is not None
        store.answer(assignment.id, rater.id, Answer(value, rule=rule))


def test_statements_are_numbered_with_their_side_and_only_real_quotations_marked(tmp_path: Path) -> None:
    seen = debate_view(payloads(tmp_path)[1], "p")
    assert seen.numbers == (1, 2, 3, 4)
    assert (seen.answers, seen.correct) == (("snails", "seeds"), 1)
    assert [(one.who, one.right) for one in seen.spoken[:2]] == [
        ("Debater for A", False),
        ("Debater for B", True),
    ]
    for one in seen.spoken:
        assert [one.text[a:b] for a, b in one.spans] == [QUOTED]
        assert "a lie" in one.text
    assert {seen.document[1][a:b] for a, b in seen.spans} == {QUOTED} if seen.document else False


def test_the_page_shows_the_right_answer_every_statement_and_the_document_folded(tmp_path: Path) -> None:
    page = Rating(filled(tmp_path, payloads(tmp_path), **KIND)).html
    for shown in (
        "the right answer",
        'id="statement-4"',
        f"<mark>{QUOTED}</mark>",
        "wrong answer",
        "nests in May",
    ):
        assert shown in page
    assert (
        page.index('<details class="fold document">') < page.index("nests in May") < page.index("statement-1")
    )
    assert "0.9" not in page, "what the judge made of it is not shown"


def test_an_answer_is_a_statement_with_what_is_the_matter(tmp_path: Path) -> None:
    ann = Rating(filled(tmp_path, payloads(tmp_path), **KIND))
    page = ann.answer("3", rule="2", reason="Out of its context.").text
    assert "Recorded: statement 3." in page
    ann.answer("none")
    said = [label.vote.answer for label in ann.store.ratings(QUEUE)]
    assert [(one.value, one.rule, one.reason) for one in said] == [
        ("3", 2, "Out of its context."),
        ("none", None, ""),
    ]


@pytest.mark.parametrize("value", ["0", "100", "fails", "-1", "³"])
def test_what_is_no_statement_is_refused(tmp_path: Path, value: str) -> None:
    answer = Rating(filled(tmp_path, payloads(tmp_path), **KIND)).answer(value)
    assert answer.status_code == 400
    assert "value must be one of 1 to 99, none, cannot_tell" in answer.text


def test_a_kind_of_flaw_without_a_statement_is_refused(tmp_path: Path) -> None:
    answer = Rating(filled(tmp_path, payloads(tmp_path), **KIND)).answer("", rule="1")
    assert (answer.status_code, "Nothing was chosen" in answer.text) == (400, True)


def test_rules_of_ones_own_are_the_kinds_of_flaw(tmp_path: Path) -> None:
    page = Rating(filled(tmp_path, payloads(tmp_path), **KIND | {"guidelines": RULES})).html
    assert 'name="rule" value="4"' in page and "Figures of speech" in page
    assert '<input type="hidden" name="rule"' not in page


def test_scores_say_whether_there_is_a_flaw_and_codes_which() -> None:
    assert [score(value) for value in ("7", "none", "cannot_tell")] == [1.0, 0.0, None]
    codes = [code(value) for value in VALUES["flaw"]]
    assert len(set(codes)) == len(codes) and all(one is None or 0 <= one < 1 for one in codes)


def test_debates_that_the_judge_got_wrong_are_asked_about_first(tmp_path: Path) -> None:
    run = debates(tmp_path)
    store, asked = drawn(tmp_path, run), {one.case.id: one.case.data["of"] for one in transcripts(run)}
    [made] = store.draws(QUEUE, run.id)
    assert [asked[item.case_id] % 2 for item in made.items] == [0] * 4 + [1] * 4
    assert [item.why for item in made.items][3:5] == ["the judge got it wrong", "the judge got it right"]
    assert made.items[3].probability == 1.0 and made.items[0].probability == 0.25


def test_more_are_drawn_after_those_that_were(tmp_path: Path) -> None:
    run = debates(tmp_path)
    store = drawn(tmp_path, run, 3)
    draw_into(store, QUEUE, frame_of(run, "scripted_judge"), Drawing(policy("uniform"), 100))
    items = [item.case_id for made in store.draws(QUEUE, run.id) for item in made.items]
    assert len(set(items)) == len(items) == 8


def test_what_another_judge_got_wrong_goes_into_another_queue(tmp_path: Path) -> None:
    run = debates(tmp_path)
    store = drawn(tmp_path, run, 3)
    other = replace(frame_of(run, "scripted_judge"), judge="other")
    with pytest.raises(
        InputError, match="holds debates that scripted_judge got wrong; make another queue for other"
    ):
        draw_into(store, QUEUE, other, Drawing(policy("uniform"), 100))
    draw_into(store, QUEUE, frame_of(run, "scripted_judge"), Drawing(policy("uniform"), 100))
    with pytest.raises(InputError, match="make another queue for other"):  # though nothing is left to draw
        draw_into(store, QUEUE, other, Drawing(policy("uniform"), 100))


def test_flaws_are_counted_by_whose_and_where_and_what(tmp_path: Path) -> None:
    run = debates(tmp_path)
    store = drawn(tmp_path, run, 6)
    say(store, "ann", ("1", 1), ("4", 2), ("none", None), ("cannot_tell", None), ("2", 1))
    found = flaws(run, store, QUEUE)
    assert (found.when_wrong.point, found.when_wrong.n, found.when_wrong.missing) == (
        pytest.approx(2 / 3),
        3,
        1,
    )
    assert (found.when_wrong.clusters, found.when_right.point, found.waiting) == (2, 1.0, 1)
    assert {place: one.point for place, one in found.places.items()} == {1: 0.5, 2: 0.5}
    assert {kind: one.point for kind, one in found.kinds.items()} == {"False claim": 0.5, "Misleading": 0.5}
    wrong_side = [one.dishonest for one in found.debates if one.number and one.wrong]
    assert found.dishonest.n == 2 and found.dishonest.point == sum(map(bool, wrong_side)) / 2


def test_what_people_mark_stands_in_the_runs_report_and_makes_an_error_one_that_was_overlooked(
    tmp_path: Path, gadfly: Any
) -> None:
    run = debates(tmp_path, 4, words="It is so.")
    store = drawn(tmp_path, run)
    assert {one.kind for one in from_runs([run]).sections[0].debate.read} == {"Sure and wrong", "Right"}
    say(store, "ann", *(("1", 2) for _ in range(8)))
    said = gadfly(
        "review", "flaws", str(run.path), "--labels", QUEUE, "--store", f"sqlite:///{tmp_path}/review.db"
    )
    assert said.code == 0, said.err
    marks = marks_of(run, "scripted_judge")
    assert marks is not None and len(marks.marks) == 8
    assert replace(marks, judge_spec={}) == flaws(run, store, QUEUE).marks(QUEUE)
    report = from_runs([run])
    section = report.sections[0]
    assert any("people see a flaw where the judge was wrong (all of 4" in one for one in section.findings), (
        section.findings
    )
    read = {one.kind: one for one in section.debate.read}
    assert "people say that the flaw lies there" in read[KIND_WORDS["overlooked"]].flaws
    page = render(report)
    assert page.count("People: Misleading") >= 2
    keep_marks(run, replace(marks, marks=()))
    assert marks_of(run, "scripted_judge").marks == ()  # in the place of the same queue's


def test_flaws_are_those_of_the_verdicts_that_people_saw(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run)
    say(store, "ann", ("1", 1))
    keep_marks(run, flaws(run, store, QUEUE).marks(QUEUE))
    assert "where it was right" not in " ".join(from_runs([run]).sections[0].findings)
    others = {**run.info["judges"], "scripted_judge": {"threshold": 0.5, "spec": {"bias": 1.0}}}
    assert marks_of(run.save(judges=others), "scripted_judge") is None


def test_a_file_of_flaws_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    (run.path / "flaws.json").write_text("{")
    with pytest.raises(StoreError, match="Move it away and give `gadfly review flaws` again"):
        marks_of(run, "scripted_judge")


def test_whose_the_flaw_is_goes_by_the_answer_argued_for(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run)
    say(store, "ann", ("1", 1), ("1", 1))
    found = {one.case_id: one.dishonest for one in flaws(run, store, QUEUE).debates}
    assert [found[one.case.id] for one in transcripts(run)] == [False, True]


def test_people_who_pick_different_statements_see_a_flaw_and_do_not_agree_where(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run, raters=2)
    say(store, "ann", ("1", 1), ("2", 1))
    say(store, "bob", ("3", 1), ("2", 2))
    found = flaws(run, store, QUEUE)
    assert found.when_wrong.point == 1.0
    assert (found.dishonest.n, found.dishonest.missing) == (1, 1)
    assert found.kinds == {}
    assert len(store.conflicts(QUEUE)) == 1
    agreed = alpha(ratings_of(store.ratings(QUEUE)))
    assert agreed.point is not None and 0 < agreed.point < 1


def test_a_lead_decides_where_people_do_not(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run, raters=2)
    say(store, "ann", ("1", 1), ("2", 1))
    say(store, "bob", ("3", 1), ("2", 1))
    lead = store.rater(store.add_rater(QUEUE, "lead", "lead"))
    [torn] = store.conflicts(QUEUE)
    store.resolve(torn.item.id, lead.id, Answer("none"))
    assert flaws(run, store, QUEUE).when_wrong.point == 0.5


def test_labels_go_out_and_come_in_as_of_any_kind(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run)
    say(store, "ann", ("3", 2), ("none", None))
    lines = [json.dumps(one) for one in store.export(QUEUE)]
    assert [json.loads(line)["value"] for line in lines] == ["3", "none"]
    (tmp_path / "other").mkdir()
    other = drawn(tmp_path / "other", run)
    assert other.import_(QUEUE, lines) == 2
    assert flaws(run, other, QUEUE) == flaws(run, store, QUEUE)


def test_a_number_past_the_last_statement_has_no_place(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run)
    say(store, "ann", ("9", 1), ("none", None))
    found = flaws(run, store, QUEUE)
    assert (found.when_wrong.point, found.dishonest.n, found.dishonest.missing) == (0.5, 0, 1)


def test_flaws_correct_no_rate_and_other_kinds_have_no_flaws(tmp_path: Path) -> None:
    run = debates(tmp_path, 1)
    store = drawn(tmp_path, run)
    say(store, "ann", ("3", 2))
    with pytest.raises(InputError, match="says where the flaws are"):
        correct(run, "scripted_judge", store, QUEUE)
    store.create(QueueSpec("others"))
    with pytest.raises(InputError, match="of kind label"):
        flaws(run, store, "others")
    store.create(QueueSpec("empty", "flaw"))
    with pytest.raises(InputError, match="holds nothing of run"):
        flaws(run, store, "empty")


def test_a_debate_whose_right_answer_nobody_knows_cannot_be_asked_about(tmp_path: Path) -> None:
    run = debates(tmp_path, 1, known=False)
    with pytest.raises(InputError, match="whose right answer is known"):
        check_kind(run, "flaw")
    with pytest.raises(InputError, match="no finished debate"):
        debate_payload(transcripts(run)[0])
    with pytest.raises(InputError, match="--kind flaw asks"):
        check_kind(run, "label")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"answers": ["one"]}, "two .answers."),
        ({"correct": 2}, "two .answers."),
        ({"spoken": [{"who": "A", "text": "x", "number": "1"}]}, r"spoken\[0\] needs"),
        ({"spoken": [{"who": "A", "text": 3}]}, r"spoken\[0\]\.text"),
        ({"spans": [[1]]}, r"p\.spans\[0\]"),
        ({"document": {"title": "t"}}, r"document\.text"),
    ],
)
def test_a_payload_that_is_wrong_is_refused_with_its_field(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    good = {"question": "?", "answers": ["a", "b"], "correct": 0, "document": None, "spans": [], "spoken": []}
    debate_view(good, "p")
    with pytest.raises(InputError, match=said):
        debate_view({**good, **changed}, "p")


def test_the_document_is_the_whole_one(tmp_path: Path) -> None:
    assert debate_view(payloads(tmp_path)[0], "p").document == ("Document", DOCUMENT)


def test_the_command_line_draws_wrong_ones_first_and_prints_what_was_seen(
    tmp_path: Path, gadfly: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run = debates(tmp_path / "gadfly-runs")
    url = f"sqlite:///{tmp_path / 'review.db'}"
    with Store(url) as store:
        filling = _review._Filling([run], "", Drawing(policy("uniform"), 5), "", [])
        _review._make(store, QueueSpec(QUEUE, "flaw", double_share=0), filling)
        assert "5 of 8 cases drawn" in (said := capsys.readouterr().out)
        assert "those the judge got wrong first" in said
        say(store, "ann", ("1", 1), ("none", None))
    said = gadfly("review", "flaws", run.id, "--labels", QUEUE, "--store", url).out
    assert "a flaw is seen, the judge being wrong" in said and "50.0% [" in said
    assert "false claim" in said and "3 debates drawn wait for an answer." in said
