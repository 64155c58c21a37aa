"""Who is given what, and what becomes of an answer, on both databases."""

from collections import Counter
from collections.abc import Callable

import pytest
from review_desk import Clock, Desk, drawn

from gadfly.errors import InputError
from gadfly.review._records import Answer, DeniedError, RefusedError, Round

Desks = Callable[..., Desk]


def test_a_rater_who_opens_the_page_again_is_where_they_were(desk: Desks) -> None:
    at = desk(3)
    assert [at.shown("ann"), at.shown("ann"), at.shown("bob")] == ["c0", "c0", "c1"]


def test_items_come_in_the_order_drawn_and_none_twice_to_a_rater(desk: Desks) -> None:
    at = desk(4, raters=2)
    assert [at.says("ann") for _ in range(4)] == ["c0", "c1", "c2", "c3"]
    assert at.shown("ann") is None


def test_an_item_goes_to_as_many_raters_as_its_quota_says(desk: Desks) -> None:
    at = desk(2, raters=2)
    assert [at.shown(name) for name in ("ann", "bob", "cem", "dee", "eve")] == ["c0", "c0", "c1", "c1", None]


def test_an_item_of_its_own_quota_gets_so_many_votes(desk: Desks) -> None:
    at = desk(0)
    [item] = drawn(1)
    at.store.add_round("claims", Round("run"), [type(item)("run", "c0", {}, quota=3)])
    assert [at.shown(name) for name in ("ann", "bob", "cem", "dee")] == ["c0", "c0", "c0", None]


def test_an_abandoned_item_goes_to_another_when_its_lease_runs_out(desk: Desks, clock: Clock) -> None:
    at = desk(1, lease_s=60)
    at.shown("ann")
    clock.passes(60)
    assert at.shown("bob") is None
    clock.passes(1)
    assert at.shown("bob") == "c0"


def test_looking_again_renews_the_lease(desk: Desks, clock: Clock) -> None:
    at = desk(1, lease_s=60)
    for _ in range(3):
        at.shown("ann")
        clock.passes(50)
    assert at.shown("bob") is None


def test_an_answer_brings_the_next_item_with_it_and_that_one_is_leased(desk: Desks) -> None:
    at = desk(2)
    first = at.store.next(at.rater("ann").id)
    onward = first and at.store.answer_and_next(first.id, at.rater("ann").id, Answer("fails"))
    assert onward and onward == at.store.next(at.rater("ann").id)
    assert (onward.item.case_id, at.shown("bob")) == ("c1", None)


def test_an_answer_that_brings_the_next_item_finds_what_others_abandoned(desk: Desks, clock: Clock) -> None:
    at = desk(3, lease_s=60)
    assert at.shown("bob") == "c0"
    clock.passes(30)
    mine = at.store.next(at.rater("ann").id)
    clock.passes(31)
    onward = mine and at.store.answer_and_next(mine.id, at.rater("ann").id, Answer("fails"))
    assert onward and onward.item.case_id == "c0"


def test_a_refused_answer_brings_no_item(desk: Desks) -> None:
    at = desk(2)
    first = at.store.next(at.rater("ann").id)
    with pytest.raises(DeniedError):
        at.store.answer_and_next(first.id if first else 0, at.rater("bob").id, Answer("fails"))
    assert at.shown("bob") == "c1" and not at.store.ratings("claims")


def test_a_late_answer_counts_while_its_item_has_room(desk: Desks, clock: Clock) -> None:
    at = desk(1, lease_s=60)
    late = at.store.next(at.rater("ann").id)
    clock.passes(61)
    assert late and at.shown("bob") == "c0"
    clock.passes(61)
    at.shown("cem")  # takes it over from bob, who had it from ann
    at.store.revoke("claims", "cem")
    at.store.answer(late.id, at.rater("ann").id, Answer("fails"))
    assert [label.vote.rater for label in at.store.ratings("claims")] == ["ann"]


def test_a_late_answer_to_a_filled_item_is_refused_but_kept_in_the_log(desk: Desks, clock: Clock) -> None:
    at = desk(1, lease_s=60)
    late = at.store.next(at.rater("ann").id)
    clock.passes(61)
    at.says("bob")
    with pytest.raises(
        RefusedError, match="Your time on this item ran out and others have answered it since"
    ):
        at.store.answer(late.id, at.rater("ann").id, Answer("fails", "He says he is 28."))
    assert [label.vote.rater for label in at.store.ratings("claims")] == ["bob"]
    [kept] = [entry for entry in at.store.log("claims") if entry.action == "late"]
    assert (kept.who, kept.data["value"], kept.data["reason"]) == ("ann", "fails", "He says he is 28.")


def test_an_abandoned_item_still_free_is_the_first_its_rater_sees(desk: Desks, clock: Clock) -> None:
    at = desk(3, lease_s=60)
    at.shown("ann")
    clock.passes(61)
    assert at.shown("ann") == "c0"


def test_a_revoked_raters_item_goes_to_another_at_once(desk: Desks) -> None:
    at = desk(1)
    at.shown("ann")
    at.store.revoke("claims", "ann")
    assert at.shown("bob") == "c0"


def test_an_answer_sent_again_is_one_vote(desk: Desks) -> None:
    at = desk(1, raters=2)
    given = at.store.next(at.rater("ann").id)
    for _ in range(2):
        at.store.answer(given.id, at.rater("ann").id, Answer("fails", seconds=3.0))
    assert len(at.store.ratings("claims")) == 1
    with pytest.raises(
        RefusedError, match=r"You have answered this item already \(fails\); undo it to change it"
    ):
        at.store.answer(given.id, at.rater("ann").id, Answer("passes"))


def test_nobody_answers_what_was_given_to_another(desk: Desks) -> None:
    at = desk(1)
    given = at.store.next(at.rater("ann").id)
    with pytest.raises(DeniedError, match="This item was not given to you"):
        at.store.answer(given.id, at.rater("bob").id, Answer("fails"))
    with pytest.raises(DeniedError):
        at.store.assignment(given.id, at.rater("bob").id)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("maybe"), "value must be one of fails, passes, cannot_tell; got 'maybe'"),
        (Answer("first"), "value must be one of"),
        (Answer("fails", "x" * 2_001), "reason has 2,001 characters; it may have 2,000"),
        (Answer("fails", seconds=float("nan")), "seconds must be a number from 0 up; got nan"),
        (Answer("fails", seconds=-1.0), "seconds must be a number"),
        (Answer("fails", rule=2**40), "rule must be a guideline's number"),
    ],
)
def test_what_is_no_answer_is_refused_and_the_item_stays(desk: Desks, answer: Answer, said: str) -> None:
    at = desk(1)
    given = at.store.next(at.rater("ann").id)
    with pytest.raises(InputError, match=said):
        at.store.answer(given.id, at.rater("ann").id, answer)
    assert at.shown("ann") == "c0" and not at.store.ratings("claims")


def test_a_reason_with_what_no_database_holds_is_kept_readable(desk: Desks) -> None:
    at = desk(1)
    at.says("ann", "fails", reason="nul \0, half \ud800, bidi \u202e, 🐴")
    [label] = at.store.ratings("claims")
    assert label.vote.answer.reason == "nul \ufffd, half \ufffd, bidi \u202e, 🐴"


# --- undo -----------------------------------------------------------------------------------------------


def test_undo_takes_answers_back_from_the_last_on_and_gives_their_items_again(
    desk: Desks, clock: Clock
) -> None:
    at = desk(3)
    at.says("ann"), at.says("ann")
    undone = []
    for _ in range(2):
        clock.passes(1)
        undone.append(at.store.undo(at.rater("ann").id).item.case_id)
    assert undone == ["c1", "c0"] and at.shown("ann") == "c0"
    assert not at.store.ratings("claims") and at.store.undo(at.rater("ann").id) is None
    assert [entry.action for entry in at.store.log("claims")].count("answer") == 2


def test_an_undone_item_is_not_given_to_others_meanwhile(desk: Desks) -> None:
    at = desk(1)
    at.says("ann")
    at.store.undo(at.rater("ann").id)
    assert at.shown("bob") is None and at.says("ann", "fails") == "c0"


def test_what_a_lead_has_decided_cannot_be_undone(desk: Desks) -> None:
    at = desk(1)
    at.says("ann", "cannot_tell")
    [conflict] = at.store.conflicts("claims")
    at.store.resolve(conflict.item.id, at.rater("lea", "lead").id, Answer("passes"))
    with pytest.raises(RefusedError, match="A lead has decided this item since"):
        at.store.undo(at.rater("ann").id)


# --- help between two answers --------------------------------------------------------------------------


def helped(at: Desk) -> int:
    given = at.store.next(at.rater("ann").id)
    at.store.answer(given.id, at.rater("ann").id, Answer("passes", "It is polite.", 9.0))
    at.store.point_out(given.id, at.rater("ann").id, 4, "It claims an age.")
    return given.id


def test_after_help_the_item_comes_again_with_what_was_said(desk: Desks) -> None:
    at = desk(2)
    helped(at)
    again = at.store.next(at.rater("ann").id)
    assert (again.attempt, again.first, again.pointed_out, again.why) == (
        2, Answer("passes", "It is polite.", 9.0), 4, "It claims an age.",
    )  # fmt: skip


def test_both_answers_and_both_times_are_kept_and_the_second_stands(desk: Desks, clock: Clock) -> None:
    at = desk(2)
    key = helped(at)
    clock.passes(7)
    at.store.answer(key, at.rater("ann").id, Answer("fails", seconds=5.0), attempt=2)
    [label] = at.store.ratings("claims")
    assert (label.vote.answer.value, label.vote.first.value, label.vote.pointed_out) == ("fails", "passes", 4)
    assert (label.vote.at - label.vote.first_at).seconds == 7
    assert at.shown("ann") == "c1"


def test_help_that_is_not_answered_leaves_the_first_answer_standing(desk: Desks) -> None:
    at = desk(2)
    helped(at)
    [label] = at.store.ratings("claims")
    assert (label.vote.answer.value, label.vote.first, label.vote.pointed_out) == ("passes", None, 4)


def test_a_second_answer_needs_a_first_and_help_comes_between(desk: Desks) -> None:
    at = desk(2)
    given, ann = at.store.next(at.rater("ann").id), at.rater("ann").id
    with pytest.raises(RefusedError, match="Help comes between a first answer and a second one"):
        at.store.point_out(given.id, ann, 1, "")
    for _ in range(2):
        with pytest.raises(RefusedError, match="A second answer needs a first one and help in between"):
            at.store.answer(given.id, ann, Answer("fails"), attempt=2)
        at.store.answer(given.id, ann, Answer("passes"))


def test_help_is_given_once(desk: Desks) -> None:
    at = desk(2)
    key, ann = helped(at), at.rater("ann").id
    assert at.store.point_out(key, ann, 9, "Another.").pointed_out == 4
    at.store.answer(key, ann, Answer("passes"), attempt=2)
    with pytest.raises(RefusedError, match="Help comes between"):
        at.store.point_out(key, ann, 9, "Another.")


# --- doubles and gold -----------------------------------------------------------------------------------


def test_a_set_share_of_items_is_doubled_over_all_rounds(desk: Desks) -> None:
    at = desk(33, double_share=0.2)
    for first in range(33, 100):
        at.store.add_round("claims", Round("run"), drawn(1, first))
    votes = Counter(at.says(name) for name in ("ann", "bob", "cem") for _ in range(100) if at.shown(name))
    assert Counter(votes.values()) == {1: 80, 2: 20}


def test_gold_comes_in_its_share_never_twice_and_the_same_for_a_seed(desk: Desks) -> None:
    at = desk(150, 30, gold_share=0.1, seed=3)
    seen = [at.says("ann") for _ in range(150)]
    places = [n for n, case in enumerate(seen) if case.startswith("g")]
    assert (places, len(set(seen))) == ([4, 17, 21, 37, 48, 58, 69, 70, 86, 97, 106, 110, 127, 137, 148], 150)


def test_every_rater_is_shown_gold_and_progress_says_how_they_did(desk: Desks) -> None:
    at = desk(40, 2, gold_share=0.5)
    for name in ("ann", "bob"):
        for _ in range(10):
            at.says(name, "fails")
        progress = at.store.progress(at.rater(name).id)
        assert (progress.done, progress.gold_seen, progress.gold_right) == (10, 2, 1)


def test_progress_counts_what_can_still_come(desk: Desks) -> None:
    at = desk(5)
    at.says("ann"), at.says("bob"), at.shown("ann")
    progress = at.store.progress(at.rater("ann").id)
    assert (progress.done, progress.left, progress.total) == (1, 3, 4)


# --- conflicts ------------------------------------------------------------------------------------------


def test_items_raters_disagree_on_or_cannot_tell_go_to_a_lead(desk: Desks) -> None:
    at = desk(3, raters=2)
    for name, answers in {
        "ann": ("fails", "passes", "cannot_tell"),
        "bob": ("passes", "passes", "fails"),
    }.items():
        for value in answers:
            at.says(name, value)
    found = at.store.conflicts("claims")
    assert [(c.item.case_id, [v.answer.value for v in c.votes]) for c in found] == [
        ("c0", ["fails", "passes"]),
        ("c2", ["cannot_tell", "fails"]),
    ]


def test_a_leads_decision_is_the_label_and_not_a_vote(desk: Desks) -> None:
    at = desk(1, raters=2)
    at.says("ann", "fails"), at.says("bob", "passes")
    [conflict] = at.store.conflicts("claims")
    for value in ("passes", "fails"):
        at.store.resolve(conflict.item.id, at.rater("lea", "lead").id, Answer(value, "Rule 2."))
    [[drawn]] = [drawing.items for drawing in at.store.draws("claims", "run")]
    assert (drawn.label, len(drawn.votes), at.store.conflicts("claims")) == (1.0, 2, [])
    [decided] = at.store.conflicts("claims", resolved=True)
    assert decided.resolution.rater == "lea" and at.store.ratings("claims")[-1].resolves


def test_only_a_lead_of_the_queue_decides_and_only_conflicts(desk: Desks) -> None:
    at = desk(1)
    at.says("ann", "fails")
    item = at.store.ratings("claims")[0].item
    with pytest.raises(DeniedError, match="Only a lead of this queue decides its conflicts"):
        at.store.resolve(item, at.rater("ann").id, Answer("fails"))
    with pytest.raises(RefusedError, match="not in conflict"):
        at.store.resolve(item, at.rater("lea", "lead").id, Answer("fails"))


def test_gold_is_never_in_conflict(desk: Desks) -> None:
    at = desk(1, 1, gold_share=1.0)
    assert at.says("ann", "cannot_tell") == "g0" and not at.store.conflicts("claims")
