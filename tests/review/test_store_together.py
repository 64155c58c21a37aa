"""Many raters at once, on both databases: no vote beyond a quota, none doubled, none lost, not at `kill -9` either."""

import json
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from review_desk import Clock, Desk, drawn, gold

from forked import Forked
from gadfly.errors import GadflyError
from gadfly.review._assigning import gold_is_due
from gadfly.review._records import VALUES, Answer, QueueSpec, RefusedError, Round
from gadfly.review._store import Store

Desks = Callable[..., Desk]
NAMES = [f"rater{n}" for n in range(12)]
answers = st.builds(Answer, st.sampled_from(VALUES["label"]))


def votes(store: Store) -> Counter[str]:
    return Counter(label.case_id for label in store.ratings("claims") if label.gold is None)


def test_raters_at_once_fill_every_item_to_its_quota_and_no_further(desk: Desks) -> None:
    at = desk(60, 4, raters=3, gold_share=0.1)
    raters = [at.rater(name).id for name in NAMES]

    def work(rater_id: int) -> list[str]:
        seen = []
        while assignment := at.store.next(rater_id):
            seen.append(assignment.item.case_id)
            at.store.answer(assignment.id, rater_id, Answer("passes"))
        return seen

    with ThreadPoolExecutor(len(NAMES)) as pool:
        each = list(pool.map(work, raters))
    assert all(len(seen) == len(set(seen)) for seen in each)
    assert votes(at.store) == {f"c{n}": 3 for n in range(60)}
    assert sum(map(len, each)) == len(at.store.ratings("claims"))


def test_raters_at_once_who_answer_and_go_on_in_one_step_fill_every_item_too(desk: Desks) -> None:
    at = desk(60, 4, raters=3, gold_share=0.1)
    raters = [at.rater(name).id for name in NAMES]

    def work(rater_id: int) -> list[str]:
        seen, assignment = [], at.store.next(rater_id)
        while assignment:
            seen.append(assignment.item.case_id)
            assignment = at.store.answer_and_next(assignment.id, rater_id, Answer("passes"))
        return seen

    with ThreadPoolExecutor(len(NAMES)) as pool:
        each = list(pool.map(work, raters))
    assert all(len(seen) == len(set(seen)) for seen in each)
    assert votes(at.store) == {f"c{n}": 3 for n in range(60)}
    check(at.store)


def test_raters_at_once_who_undo_change_their_minds_and_walk_away_break_no_rule(
    desk: Desks, clock: Clock
) -> None:
    at = desk(25, raters=2, lease_s=30)
    raters = [at.rater(name).id for name in NAMES]

    def work(rater_id: int) -> None:
        dice = random.Random(rater_id)
        for _ in range(20):
            assignment = at.store.next(rater_id)
            if dice.random() < 0.3:
                clock.passes(10)
            elif assignment and dice.random() < 0.8:
                try_(at.store.answer, assignment.id, rater_id, Answer(dice.choice(VALUES["label"])))
            else:
                try_(at.store.undo, rater_id)

    with ThreadPoolExecutor(len(NAMES)) as pool:
        list(pool.map(work, raters))
    at.store.revoke("claims", NAMES[0])
    assert max(votes(at.store).values()) <= 2 and len(set(votes(at.store))) <= 25
    check(at.store)


def try_(do: Callable[..., object], *given: object) -> None:
    with suppress(RefusedError):
        do(*given)


def check(store: Store) -> None:
    """What must hold at every moment: `taken` is votes and leases, within quota; conflicts are those of the votes."""
    sql = """SELECT i.taken, i.quota, count(a.id), i.conflict, count(DISTINCT a.value), sum(CASE WHEN a.value =
        'cannot_tell' THEN 1 ELSE 0 END), i.gold FROM review_items i LEFT JOIN review_assignments a
        ON a.item_id = i.id AND a.state <> 'lapsed' GROUP BY i.id, i.taken, i.quota, i.conflict, i.gold"""
    with store._database.read() as connection:
        for taken, quota, held, conflict, kinds, unsure, known in connection.exec_driver_sql(sql):
            assert taken == held and (quota is None or taken <= quota)
            assert bool(conflict) == (known is None and (kinds > 1 or bool(unsure)))


CHILD = """
import sys
from gadfly.review._records import Answer
from gadfly.review._store import Store
store, rater = Store(sys.argv[1]), int(sys.argv[2])
while assignment := store.next(rater):
    store.answer(assignment.id, rater, Answer("fails"))
    print(assignment.item.case_id, flush=True)
"""


def test_every_answer_acknowledged_before_kill_9_is_kept(desk: Desks, database_url: str) -> None:
    at = desk(200, raters=2)
    acknowledged: Counter[str] = Counter()
    for name, until in (("ann", 3), ("bob", 8), ("ann", 5)):
        child = Forked(CHILD, database_url, at.rater(name).id)
        for _ in range(until):
            acknowledged[child.out.readline().strip()] += 1
        child.kill()
        acknowledged.update(child.out.read().split())
    kept = votes(at.store)
    assert acknowledged <= kept and sum(kept.values()) - sum(acknowledged.values()) <= 3
    check(at.store)


class Queue(RuleBasedStateMachine):
    """Three raters and a lead do anything in any order, against a plain list of who has said what."""

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.clock = TemporaryDirectory(), Clock()
        self.store = Store(f"sqlite:///{Path(self.folder.name) / 'labels.db'}", clock=self.clock)
        self.store.create(QueueSpec("claims", gold_share=0.3, double_share=0.5, lease_s=60))
        self.store.add_round("claims", Round("run"), drawn(4))
        self.store.add_gold("claims", gold(1))
        people = [("ann", "rater"), ("bob", "rater"), ("lea", "lead")]
        self.ids = {
            name: self.store.rater(self.store.add_rater("claims", name, role)).id for name, role in people
        }
        self.said: dict[tuple[str, str], str] = {}
        self.given: dict[str, list[int]] = {name: [] for name in self.ids}
        self.cases = 4

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(["ann", "bob", "lea"]))
    def looks(self, name: str) -> None:
        assignment = self.store.next(self.ids[name])
        if assignment:
            assert (name, assignment.item.case_id) not in self.said
            self.given[name].append(assignment.id)

    @rule(name=st.sampled_from(["ann", "bob", "lea"]), answer=answers, which=st.integers(0, 9))
    def answers_anything_given_before(self, name: str, answer: Answer, which: int) -> None:
        if not self.given[name]:
            return
        key = self.given[name][which % len(self.given[name])]
        case = self.store.assignment(key, self.ids[name]).item.case_id
        try:
            self.store.answer(key, self.ids[name], answer)
        except RefusedError:
            return
        assert self.said.setdefault((name, case), answer.value) == answer.value

    @rule(name=st.sampled_from(["ann", "bob", "lea"]), answer=answers)
    def answers_and_goes_on(self, name: str, answer: Answer) -> None:
        if not (given := self.store.next(self.ids[name])):
            return
        onward = self.store.answer_and_next(given.id, self.ids[name], answer)
        self.said[name, given.item.case_id] = answer.value
        assert onward == self.store.next(self.ids[name])
        if onward:
            self.given[name].append(onward.id)

    @rule(name=st.sampled_from(["ann", "bob", "lea"]))
    def undoes(self, name: str) -> None:
        try:
            undone = self.store.undo(self.ids[name])
        except RefusedError:
            return
        if undone:
            del self.said[name, undone.item.case_id]
            self.given[name].append(undone.id)

    @rule(seconds=st.sampled_from([1, 40, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.passes(seconds)

    @precondition(lambda self: self.store.conflicts("claims"))
    @rule(answer=answers)
    def the_lead_decides(self, answer: Answer) -> None:
        self.store.resolve(self.store.conflicts("claims")[0].item.id, self.ids["lea"], answer)

    @precondition(lambda self: self.cases < 9)
    @rule()
    def more_is_drawn(self) -> None:
        self.store.add_round("claims", Round("run"), drawn(1, self.cases))
        self.cases += 1

    @rule(case=st.integers(0, 9), answer=answers)
    def a_label_is_imported(self, case: int, answer: Answer) -> None:
        label = {"run": "run", "case_id": f"c{case}", "rater": "zoe", "value": answer.value}
        try:
            self.store.import_("claims", [json.dumps(label)])
        except GadflyError:
            return
        self.said["zoe", f"c{case}"] = answer.value

    @invariant()
    def the_store_holds_what_was_said_and_keeps_its_rules(self) -> None:
        found = {
            (one.vote.rater, one.case_id): one.vote.answer.value
            for one in self.store.ratings("claims")
            if not one.resolves
        }
        assert found == self.said
        check(self.store)
        for rater_id in self.ids.values():
            assert self.store.progress(rater_id).left >= 0


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=30, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.37, 0.5, 0.8, 1.0])
def test_gold_keeps_its_share_and_no_stretch_goes_without(share: float) -> None:
    places = [n for n in range(2_000) if gold_is_due(n, share, "seed")]
    assert len(places) == pytest.approx(2_000 * share, rel=0.05)
    assert max(b - a for a, b in pairwise(places)) <= 2 / min(share, 1) + 1
